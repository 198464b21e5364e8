"""One way to open SQLite or PostgreSQL: a write transaction owns the lock from its start, a read never blocks.

SQLite runs in WAL with `synchronous=FULL`, so a committed row survives a power cut.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg
from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Engine,
    TypeDecorator,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError
from sqlalchemy.pool import StaticPool

from dicom_nodes.foundation.postgresql import connection_limits, end_silent_links
from dicom_nodes.foundation.turns import Turns

KeyT = TypeVar("KeyT")
_KEYS_AT_ONCE = 400


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
        self._turns = Turns() if engine.dialect.name == "sqlite" else None
        self._before_dispose: list[Callable[[], None]] = []

    @contextmanager
    def write(self, *, first: bool = False) -> Iterator[Connection]:
        """Commit on leaving, roll back on an exception; on SQLite the write lock is taken at once.

        There threads of this process take turns; who is to be `first` comes before all who wait.
        """
        with self._turn(first), self.engine.begin() as connection:
            yield connection

    def _turn(self, first: bool) -> AbstractContextManager[None]:
        return nullcontext() if self._turns is None else self._turns.turn(first=first)

    @property
    def has_one_writer(self) -> bool:
        """Whether nobody else can write while a write transaction is open."""
        return self._turns is not None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view; takes no write lock."""
        with self.engine.connect().execution_options(readacross_read=True) as connection, connection.begin():
            yield connection

    def before_dispose(self, let_go: Callable[[], None]) -> None:
        """Have `let_go` called first when the database is let go of: for whoever holds connections of its own."""
        self._before_dispose.append(let_go)

    def dispose(self) -> None:
        for let_go in self._before_dispose:
            let_go()
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Open `sqlite:///FILE`, `sqlite://` (in memory) or `postgresql+psycopg://…`.

    Statement parameters are kept out of exception texts, because they hold patient data.
    """
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    options: dict[str, Any] = {"hide_parameters": True}
    pool = {"pool_size": 20, "max_overflow": 20, "pool_use_lifo": True}  # the one used last has its pages still cached
    if url in {"sqlite://", "sqlite:///:memory:"}:
        options |= {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    elif url.startswith("sqlite"):
        options |= pool | {"connect_args": {"check_same_thread": False, "timeout": 30}}
    else:
        options |= pool | {"pool_pre_ping": True, "connect_args": connection_limits(make_url(url))}
    engine = create_engine(url, **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        end_silent_links(engine)
    return Database(engine)


def portions(keys: Sequence[KeyT]) -> Iterator[Sequence[KeyT]]:
    """The keys in portions that every database takes as parameters of one statement."""
    return (keys[at : at + _KEYS_AT_ONCE] for at in range(0, len(keys), _KEYS_AT_ONCE))


_PASSING_STATES = ("08", "25", "40", "53", "55", "57")
"""SQLSTATE classes that pass by themselves: connection, read-only standby, deadlock, resources, locks, operator."""
_PASSING_SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")


def is_temporary(error: BaseException) -> bool:
    """Whether the database is away, busy or full, so that the same statement may succeed later.

    False means that it will not take this statement's own content, however often it is asked. Errors of PostgreSQL's
    driver are judged as they are, too.
    """
    if isinstance(error, TimeoutError):  # no connection became free in time
        return True
    if isinstance(error, psycopg.Error):
        is_interface = isinstance(error, psycopg.InterfaceError)
        return is_interface or (isinstance(error, psycopg.OperationalError) and _passes(error))
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return True
    sqlite = getattr(error.orig, "sqlite_errorname", None)
    if sqlite is not None:
        return str(sqlite).startswith(_PASSING_SQLITE)
    return isinstance(error, OperationalError) and _passes(error.orig)


def _passes(error: BaseException | None) -> bool:
    state = getattr(error, "sqlstate", None)
    return state is None or str(state).startswith(_PASSING_STATES)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("readacross_read", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
