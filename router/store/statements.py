"""Rows that may be there already, and are overwritten."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, TextClause

from dicom_nodes.foundation.inserts import insert_statement, quoted


@lru_cache(maxsize=256)
def upserting(table: Table, keys: tuple[str, ...], names: tuple[str, ...]) -> TextClause:
    """Inserts a row, or overwrites the other columns of the one with the same key."""
    changed = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in names if name not in keys)
    target = ", ".join(map(quoted, keys))
    return insert_statement(table, names, f"ON CONFLICT ({target}) DO UPDATE SET {changed}")


def upsert(connection: Connection, table: Table, keys: Sequence[str], values: Mapping[str, Any]) -> None:
    """Insert the row, or overwrite the given columns of the one with the same key."""
    connection.execute(upserting(table, tuple(keys), tuple(values)), values)
