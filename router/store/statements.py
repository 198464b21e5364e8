"""The two statements that SQLite and PostgreSQL both know but SQLAlchemy Core does not spell alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_if_new(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless it breaks a unique constraint; whether it was inserted."""
    key = list(table.primary_key.columns)
    if connection.dialect.name == "postgresql":
        on_postgresql = postgresql.insert(table).values(**values).on_conflict_do_nothing().returning(*key)
        return connection.execute(on_postgresql).first() is not None
    on_sqlite = sqlite.insert(table).values(**values).on_conflict_do_nothing().returning(*key)
    return connection.execute(on_sqlite).first() is not None


def upsert(connection: Connection, table: Table, keys: Sequence[str], values: Mapping[str, Any]) -> None:
    """Insert the row, or overwrite the given columns of the one with the same key."""
    changed = {name: value for name, value in values.items() if name not in keys}
    if connection.dialect.name == "postgresql":
        on_postgresql = postgresql.insert(table).values(**values)
        connection.execute(on_postgresql.on_conflict_do_update(index_elements=list(keys), set_=changed))
    else:
        on_sqlite = sqlite.insert(table).values(**values)
        connection.execute(on_sqlite.on_conflict_do_update(index_elements=list(keys), set_=changed))
