"""One commit over all tables, and the store that opens it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from sqlalchemy import Connection, text

from dicom_nodes.foundation.database import Database
from router.store.aid import SqlAid
from router.store.exams import SqlExams
from router.store.exchange import SqlFacts, SqlOrders
from router.store.failures import is_of_the_database
from router.store.manifests import KeptManifests, SqlManifests
from router.store.network import SqlNetwork
from router.store.readers import SqlReaders
from router.store.reads import SqlReads
from router.store.records import SqlHumanQueue, SqlLedger
from router.store.reports import SqlReports
from router.store.rota import SqlRota
from router.store.rule_sets import SqlRuleSets
from router.store.studies import SqlStudies
from router.store.write_turns import WriteTurns

_PLANNER_LOCK = 0x52656164
"""Key of PostgreSQL's advisory lock for planning."""

_EFFECTS_A_COMMIT = 8
"""Few enough that nobody waits long for the lock."""


class SqlTransaction:
    def __init__(self, connection: Connection, kept_manifests: KeptManifests) -> None:
        self.connection = connection
        manifests = SqlManifests(connection, kept_manifests)
        self.network = SqlNetwork(connection)
        self.readers = SqlReaders(connection)
        self.rota = SqlRota(connection)
        self.aid = SqlAid(connection)
        self.exams = SqlExams(connection)
        self.studies = SqlStudies(connection, manifests)
        self.reads = SqlReads(connection)
        self.reports = SqlReports(connection)
        self.facts = SqlFacts(connection)
        self.orders = SqlOrders(connection, manifests)
        self.ledger = SqlLedger(connection)
        self.queue = SqlHumanQueue(connection)
        self.rule_sets = SqlRuleSets(connection)

    def attempt(self, effect: Callable[[], None]) -> Exception | None:
        savepoint = self.connection.begin_nested()
        try:
            effect()
        except Exception as failure:  # the boundary at which a fact's failure is recorded
            if is_of_the_database(failure):
                raise
            savepoint.rollback()
            return failure
        savepoint.commit()
        return None


class SqlStore:
    """Opens transactions; `on_orders` is told, after the commit, which nodes got new orders."""

    def __init__(self, database: Database, on_orders: Callable[[set[str]], None]) -> None:
        self.database = database
        self._on_orders = on_orders
        self._planning = threading.Lock()
        self._manifests = KeptManifests()
        self._turns = WriteTurns() if database.engine.dialect.name == "sqlite" else None
        self._planner: int | None = None

    @property
    def effects_a_commit(self) -> int:
        return _EFFECTS_A_COMMIT if self.database.engine.dialect.name == "sqlite" else 1

    @contextmanager
    def write(self) -> Iterator[SqlTransaction]:
        with self._turn(), self.database.write() as connection:
            transaction = SqlTransaction(connection, self._manifests)
            yield transaction
        if transaction.orders.issued_to:
            self._on_orders(transaction.orders.issued_to)

    def _turn(self) -> AbstractContextManager[None]:
        """The planner goes first: what it writes is what everybody waits for."""
        if self._turns is None:
            return nullcontext()
        return self._turns.turn(first=threading.get_ident() == self._planner)

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        with self.database.read() as connection:
            yield SqlTransaction(connection, self._manifests)

    @contextmanager
    def planner_lock(self) -> Iterator[bool]:
        if not self._planning.acquire(blocking=False):
            yield False
            return
        self._planner = threading.get_ident()
        try:
            if self.database.engine.dialect.name == "postgresql":
                with self._advisory_lock() as mine:
                    yield mine
            else:
                yield True
        finally:
            self._planner = None
            self._planning.release()

    @contextmanager
    def _advisory_lock(self) -> Iterator[bool]:
        with self.database.engine.connect() as connection, connection.begin():
            key = {"key": _PLANNER_LOCK}
            yield bool(connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), key).scalar_one())
