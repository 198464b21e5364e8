"""INSERT with ON CONFLICT, which SQLite and PostgreSQL spell alike and SQLAlchemy Core does not.

Written out, once for each table and set of columns: what SQLAlchemy has for it is compiled anew at every execution,
which costs more than the statement itself. Defaults that Python would fill in are not: name every column.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, TextClause, bindparam, text


@lru_cache(maxsize=256)
def insert_statement(table: Table, names: tuple[str, ...], on_conflict: str) -> TextClause:
    """`INSERT` of the named columns; `on_conflict` is what follows the values."""
    columns, places = ", ".join(map(quoted, names)), ", ".join(f":{name}" for name in names)
    statement = text(f"INSERT INTO {quoted(table.name)} ({columns}) VALUES ({places}) {on_conflict}")
    return statement.bindparams(*(bindparam(name, type_=table.c[name].type) for name in names))


def unless_there(table: Table, names: tuple[str, ...]) -> TextClause:
    """Inserts a row unless one with its key is there."""
    return insert_statement(table, names, "ON CONFLICT DO NOTHING")


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those rows whose keys are not there, nor just committed by another transaction; all name the same."""
    if rows:
        connection.execute(unless_there(table, tuple(rows[0])), rows)


def inserted_unless_there(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """As `insert_missing` for one row; False where one with its key is there."""
    return connection.execute(unless_there(table, tuple(row)), row).rowcount == 1


def quoted(name: str) -> str:
    """A name of our own tables: none holds a quote."""
    return f'"{name}"'
