"""One way to open SQLite or PostgreSQL: a write transaction owns the lock from its start, a read never blocks.

SQLite runs in WAL with `synchronous=FULL`, so a committed row survives a power cut.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, Engine, TypeDecorator, create_engine, event
from sqlalchemy.pool import StaticPool


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetime on every database; a naive one is a programming error."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """An engine with two kinds of transaction: `write()` and `read()`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Commit on leaving, roll back on an exception; on SQLite the write lock is taken at once."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view; takes no write lock."""
        with self.engine.connect().execution_options(readacross_read=True) as connection, connection.begin():
            yield connection

    def dispose(self) -> None:
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Open `sqlite:///FILE`, `sqlite://` (in memory) or `postgresql+psycopg://…`.

    Statement parameters are kept out of exception texts, because they hold patient data.
    """
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    options: dict[str, Any] = {"hide_parameters": True}
    if url in {"sqlite://", "sqlite:///:memory:"}:
        options |= {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    elif url.startswith("sqlite"):
        options |= {"pool_size": 20, "max_overflow": 20, "connect_args": {"check_same_thread": False, "timeout": 30}}
    else:
        options |= {"pool_size": 20, "max_overflow": 20, "pool_pre_ping": True}
    engine = create_engine(url, **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return Database(engine)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("readacross_read", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
