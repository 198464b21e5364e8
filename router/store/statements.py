"""Rows that may be there already, and are overwritten."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table

from dicom_nodes.foundation.inserts import insert_statement, quoted


def upsert(connection: Connection, table: Table, keys: Sequence[str], values: Mapping[str, Any]) -> None:
    """Insert the row, or overwrite the given columns of the one with the same key."""
    changed = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in values if name not in keys)
    target = ", ".join(map(quoted, keys))
    connection.execute(
        insert_statement(table, tuple(values), f"ON CONFLICT ({target}) DO UPDATE SET {changed}"), values
    )
