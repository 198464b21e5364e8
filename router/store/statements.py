"""The two statements that SQLite and PostgreSQL spell alike and SQLAlchemy Core does not.

They are written out here, once for each table and set of columns: what SQLAlchemy has for them is compiled anew at
every execution, which costs more than the statement itself.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, TextClause, bindparam, text


def insert_if_new(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless it breaks a unique constraint; whether it was inserted."""
    key = ", ".join(_quoted(column.name) for column in table.primary_key.columns)
    statement = _insert(table, tuple(values), f"ON CONFLICT DO NOTHING RETURNING {key}")
    return connection.execute(statement, values).first() is not None


def upsert(connection: Connection, table: Table, keys: Sequence[str], values: Mapping[str, Any]) -> None:
    """Insert the row, or overwrite the given columns of the one with the same key."""
    changed = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in values if name not in keys)
    target = ", ".join(map(_quoted, keys))
    connection.execute(_insert(table, tuple(values), f"ON CONFLICT ({target}) DO UPDATE SET {changed}"), values)


@lru_cache(maxsize=256)
def _insert(table: Table, names: tuple[str, ...], on_conflict: str) -> TextClause:
    columns, places = ", ".join(map(_quoted, names)), ", ".join(f":{name}" for name in names)
    statement = text(f"INSERT INTO {_quoted(table.name)} ({columns}) VALUES ({places}) {on_conflict}")
    return statement.bindparams(*(bindparam(name, type_=table.c[name].type) for name in names))


def _quoted(name: str) -> str:
    """A name of our own tables: none holds a quote."""
    return f'"{name}"'
