"""One commit over all tables, and the store that opens it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from sqlalchemy import Connection, text

from dicom_nodes.foundation.clock import Clock, utc_now
from dicom_nodes.foundation.database import Database
from dicom_nodes.foundation.jobs import JobQueue
from router.flows.ports import Named
from router.rules.alert_codes import AlertCodes
from router.store import alert_tables
from router.store.aid import SqlAid
from router.store.alerts import SqlAlerts
from router.store.deliveries import SqlDeliveries
from router.store.exams import SqlExams
from router.store.exchange import SqlFacts, SqlOrders
from router.store.failures import is_of_the_database
from router.store.jobs import SqlJobDesk, SqlJobs
from router.store.manifests import KeptManifests, SqlManifests
from router.store.memo import Memo
from router.store.network import SqlNetwork
from router.store.patient_conflicts import SqlPatientConflicts
from router.store.patients import SqlImagingOrders, SqlPatients
from router.store.readers import SqlReaders
from router.store.reads import SqlReads
from router.store.records import SqlHumanQueue, SqlLedger
from router.store.report_files import SqlHandMatches, SqlOriginals
from router.store.reports import SqlReports
from router.store.rota import SqlRota
from router.store.rule_sets import SqlRuleSets
from router.store.studies import SqlStudies
from router.store.unwritten import Unwritten

_PLANNER_LOCK = 0x52656164
"""Key of PostgreSQL's advisory lock for planning."""

_EFFECTS_A_COMMIT = 16
"""Few enough that nobody waits long for the lock."""


class SqlTransaction:
    def __init__(
        self,
        connection: Connection,
        jobs: JobQueue,
        alert_codes: AlertCodes,
        kept_manifests: KeptManifests,
        *,
        is_alone: bool = False,
    ) -> None:
        """`is_alone`: nobody else can write before this transaction ends."""
        memo = self._memo = Memo(is_kept=is_alone)
        unwritten = self._unwritten = Unwritten(connection, memo)
        connection = self.connection = cast(Connection, unwritten)
        manifests = SqlManifests(connection, kept_manifests)
        self.network = SqlNetwork(connection, memo)
        self.readers = SqlReaders(connection, memo)
        self.rota = SqlRota(connection)
        self.aid = SqlAid(unwritten, memo)
        self.exams = SqlExams(unwritten, memo)
        self.studies = SqlStudies(connection, manifests, memo)
        self.reads = SqlReads(unwritten, memo)
        self.reports = SqlReports(unwritten, memo)
        self.originals = SqlOriginals(connection)
        self.hand_matches = SqlHandMatches(connection)
        self.deliveries = SqlDeliveries(unwritten, memo)
        self.patients = SqlPatients(connection)
        self.patient_conflicts = SqlPatientConflicts(connection, memo)
        self.imaging_orders = SqlImagingOrders(connection, memo)
        self.facts = SqlFacts(connection)
        self.orders = SqlOrders(unwritten, manifests, memo)
        self.ledger = SqlLedger(unwritten)
        self.queue = SqlHumanQueue(connection, memo)
        self.rule_sets = SqlRuleSets(connection)
        self.alerts = SqlAlerts(connection, memo)
        self.alert_codes = alert_codes
        self.jobs = SqlJobs(connection, jobs)

    def attempt(self, effect: Callable[[], None]) -> Exception | None:
        self.flush()
        savepoint = self.connection.begin_nested()
        try:
            effect()
            self.flush()
        except Exception as failure:  # the boundary at which a fact's failure is recorded
            if is_of_the_database(failure):
                raise
            self.ledger.drop_unwritten()
            self._unwritten.drop()
            self._memo.forget()
            savepoint.rollback()
            return failure
        savepoint.commit()
        return None

    def foresee(self, named: Named) -> None:
        if not self._memo.is_kept:
            return
        orders = self.orders.foresee(named.orders)
        self.reports.foresee((), [*named.new_reports, *filter(None, (order.report_id for order in orders))])
        answered = filter(None, (self.reports.get(order.report_id) for order in orders if order.report_id))
        uids = [*named.studies, *(report.study_instance_uid for report in answered if report.study_instance_uid)]
        if not uids:
            return
        self.studies.foresee(uids, named.accessions)
        self.reads.foresee(uids)
        self.reports.foresee(uids, ())
        self.deliveries.foresee(uids)
        self.queue.foresee(named.items, uids if named.studies else ())
        if named.studies:
            self.patient_conflicts.foresee(uids)
            self.aid.foresee([read.id for uid in uids for read in self.reads.of_study(uid)])
        if named.orders:
            self.alerts.foresee(uids)

    def flush(self) -> None:
        self._unwritten.flush()
        self.ledger.flush()


class SqlStore:
    """Opens transactions; `on_orders` is told, after the commit, which nodes got new orders; jobs go by `clock`."""

    def __init__(
        self,
        database: Database,
        on_orders: Callable[[set[str]], None],
        clock: Clock = utc_now,
        alert_codes: AlertCodes = AlertCodes(),
    ) -> None:
        self.database = database
        self._alert_codes = alert_codes
        self._jobs = JobQueue(database, alert_tables.job, clock)
        self.job_desk = SqlJobDesk(database, self._jobs)
        self._on_orders = on_orders
        self._planning = threading.Lock()
        self._manifests = KeptManifests()
        self._planner: int | None = None

    @property
    def effects_a_commit(self) -> int:
        return _EFFECTS_A_COMMIT if self.database.has_one_writer else 1

    @contextmanager
    def write(self) -> Iterator[SqlTransaction]:
        """The planner goes first: what it writes is what everybody waits for."""
        with self.database.write(first=threading.get_ident() == self._planner) as connection:
            is_alone = self.database.has_one_writer
            transaction = SqlTransaction(connection, self._jobs, self._alert_codes, self._manifests, is_alone=is_alone)
            yield transaction
            transaction.flush()
        if transaction.orders.issued_to:
            self._on_orders(transaction.orders.issued_to)

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        with self.database.read() as connection:
            yield SqlTransaction(connection, self._jobs, self._alert_codes, self._manifests)

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
