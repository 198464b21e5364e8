"""Orders from the router, how far each has come, reports taken in, and work that was parked."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from dicom_nodes.contract import (
    DeliverStudy,
    FactBody,
    FetchStudy,
    JobParked,
    Order,
    OrderBatch,
    OrderBody,
    OrderCompleted,
    OrderParked,
    PatientIdentity,
    RecallReport,
    ReportAuthor,
    ReportReceived,
    ReportRefused,
    ResendJob,
    ReturnReport,
    TellRis,
)
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database, portions
from dicom_nodes.foundation.jobs import Job, JobQueue
from dicom_nodes.foundation.shared_commits import SharedCommits
from dicom_nodes.model.errors import CrashConsistency
from dicom_nodes.model.report import (
    ClaimedIdentity,
    IncomingReport,
    KeptRefusal,
    RefusedClaims,
    RefusedReport,
    ReportChannel,
)
from dicom_nodes.spool import tables
from dicom_nodes.spool.begun_returns import SqlBegunReturns
from dicom_nodes.spool.outbox import SqlOutbox
from dicom_nodes.spool.returned_answers import RETURN_JOB, lock_orders

ORDER_KINDS = ("fetch", "deliver", "tell_ris", RETURN_JOB)
_BODY: TypeAdapter[OrderBody] = TypeAdapter(OrderBody)
_ORDER = select(tables.order).where(tables.order.c.order_id == bindparam("order_id"))
_ORDERS = select(tables.order).where(tables.order.c.order_id.in_(bindparam("ids", expanding=True)))
_KNOWN_ORDERS = select(tables.order.c.order_id).where(tables.order.c.order_id.in_(bindparam("ids", expanding=True)))
_POSITION = select(tables.order_position)
_MOVE_ON = update(tables.order_position).values(after=bindparam("now_after"))
_KEEP_ORDER, _KEEP_REPORT = insert(tables.order), insert(tables.received_report)
_KNOWN_REPORTS = select(tables.received_report.c.report_id).where(
    tables.received_report.c.report_id.in_(bindparam("ids", expanding=True))
)


class SqlOrders(SqlBegunReturns):
    """Implements `OrderStore`, `ReturnStore`, `ReportStore` and `ParkingStore`."""

    def __init__(
        self, database: Database, jobs: JobQueue, outbox: SqlOutbox, clock: Clock, channels: Sequence[str]
    ) -> None:
        super().__init__(database, jobs, outbox, clock, channels)
        self._taking = SharedCommits(self._take_messages)

    def position(self) -> tuple[str | None, int]:
        with self._database.read() as connection:
            row = connection.execute(_POSITION).one_or_none()
        return (None, 0) if row is None else (row.log_id, row.after)

    def accept(self, batch: OrderBatch) -> None:
        """Orders' rows are locked first, in one order, and the outbox last: as by those who write answers down."""
        wanted = [order.order_id for order in batch.orders]
        recalled = {order.body.order_id for order in batch.orders if isinstance(order.body, RecallReport)}
        with self._database.write() as connection:
            if recalled:
                lock_orders(connection, recalled)
            known = set(connection.execute(_KNOWN_ORDERS, {"ids": wanted}).scalars()) if wanted else set()
            new: dict[str, Order] = {}
            for order in batch.orders:
                if order.order_id not in known:
                    new.setdefault(order.order_id, order)
            facts = self._keep(connection, list(new.values()))
            self._move_to(connection, batch)
            self._outbox.append(connection, *facts)
        self._recalls += sum(isinstance(order.body, RecallReport) for order in batch.orders)

    def kept_orders(self, order_ids: Collection[str]) -> dict[str, Order]:
        with self._database.read() as connection:
            rows = connection.execute(_ORDERS, {"ids": list(order_ids)}).all()
        return {row.order_id: _order(row) for row in rows}

    def order(self, order_id: str) -> Order:
        with self._database.read() as connection:
            row = connection.execute(_ORDER, {"order_id": order_id}).one_or_none()
        if row is None:
            raise CrashConsistency(f"order {order_id} has a job but was never kept")
        return _order(row)

    def delivered(self, order_id: str) -> dict[str, str]:
        proof = tables.delivered_instance.c
        with self._database.read() as connection:
            rows = connection.execute(
                select(proof.sop_instance_uid, proof.digest).where(proof.order_id == order_id)
            ).all()
        return {row.sop_instance_uid: row.digest for row in rows}

    def record_delivered(self, order_id: str, sop_instance_uid: str, digest: str, status: int) -> None:
        proof = tables.delivered_instance
        here = (proof.c.order_id == order_id) & (proof.c.sop_instance_uid == sop_instance_uid)
        values = {"digest": digest, "status": status, "at": self._clock()}
        with self._database.write() as connection:
            if connection.execute(update(proof).where(here).values(**values)).rowcount == 0:
                connection.execute(insert(proof).values(order_id=order_id, sop_instance_uid=sop_instance_uid, **values))

    def complete(self, job: Job, *facts: FactBody) -> None:
        with self._database.write() as connection:
            self._jobs.complete(connection, job)
            self._outbox.append(connection, *facts)

    def park_with_fact(self, job: Job, reason: str) -> None:
        fact: FactBody
        if job.kind in ORDER_KINDS:
            order_id, _, channel = job.key.partition("/")
            parked = {"order_id": order_id, "reason": reason, "attempts": job.attempt, "channel": channel or None}
            fact = OrderParked.model_validate(parked)
        else:
            fact = JobParked(job_kind=job.kind, job_key=job.key, reason=reason, attempts=job.attempt)
        with self._database.write() as connection:
            self._jobs.park(connection, job, reason=reason)
            self._outbox.append(connection, fact)

    def take(self, report_id: str, report: IncomingReport) -> None:
        self.take_all([(report_id, report)])

    def take_all(self, reports: Sequence[tuple[str, IncomingReport]]) -> None:
        """Those of several messages that come at once share a commit, which each waits for."""
        self._taking(tuple(reports))

    def _take_messages(self, messages: Sequence[Sequence[tuple[str, IncomingReport]]]) -> None:
        reports = {report_id: report for message in messages for report_id, report in message}
        facts = {}
        for report_id, report in reports.items():
            digest = hashlib.sha256(report.original).hexdigest()
            facts[report_id] = _received(report_id, report, digest)
        with self._database.write() as connection:
            known: set[str] = set()
            for some in portions(list(reports)):
                known.update(connection.execute(_KNOWN_REPORTS, {"ids": some}).scalars())
            new = [report_id for report_id in reports if report_id not in known]
            if new:
                now = self._clock()
                connection.execute(
                    _KEEP_REPORT,
                    [
                        {
                            "report_id": report_id,
                            "channel": reports[report_id].channel.value,
                            "original_reference": reports[report_id].original_reference,
                            "original_digest": facts[report_id].original_digest,
                            "original": reports[report_id].original,
                            "received_at": now,
                        }
                        for report_id in new
                    ],
                )
                self._outbox.append(connection, *(facts[report_id] for report_id in new))

    def refuse(self, refusal_id: str, refused: RefusedReport) -> None:
        digest = hashlib.sha256(refused.original).hexdigest()
        table = tables.refused_report
        values = {"channel": refused.channel.value, "answer": refused.answer, "reason": refused.reason}
        with self._database.write() as connection:
            known = connection.execute(select(table.c.refusal_id).where(table.c.refusal_id == refusal_id)).first()
            if known is not None:
                return
            kept = {"original_digest": digest, "original": refused.original, "received_at": self._clock()}
            connection.execute(insert(table).values(refusal_id=refusal_id, **values, **kept))
            fact = {"refusal_id": refusal_id, "original_digest": digest, **values, **_claimed(refused.claims)}
            self._outbox.append(connection, ReportRefused.model_validate(fact))

    def refused_reports(self) -> tuple[KeptRefusal, ...]:
        """What could not be read, oldest first."""
        column = tables.refused_report.c
        wanted = select(
            column.refusal_id, column.channel, column.answer, column.reason, column.received_at,
            func.length(column.original).label("size_bytes"),
        ).order_by(column.received_at)  # fmt: skip
        with self._database.read() as connection:
            return tuple(KeptRefusal(**row._mapping) for row in connection.execute(wanted))

    def refused_original(self, refusal_id: str) -> bytes | None:
        column = tables.refused_report.c
        with self._database.read() as connection:
            found = connection.execute(select(column.original).where(column.refusal_id == refusal_id))
            return found.scalar_one_or_none()

    def digests(self, channel: ReportChannel, original_reference: str) -> frozenset[str]:
        taken = tables.received_report.c
        here = (taken.original_reference == original_reference) & (taken.channel == channel.value)
        with self._database.read() as connection:
            return frozenset(connection.execute(select(taken.original_digest).where(here)).scalars())

    def _keep(self, connection: Connection, orders: Sequence[Order]) -> list[FactBody]:
        """Reports on their way home, which come by the hundred, together. What is to be told of the others at once."""
        if not orders:
            return []
        now = self._clock()
        kept = [
            {
                "order_id": order.order_id,
                "seq": order.seq,
                "issued_at": order.issued_at,
                "received_at": now,
                "study_instance_uid": _study_of(order.body),
                "body": order.body.model_dump(mode="json"),
            }
            for order in orders
        ]
        connection.execute(_KEEP_ORDER, kept)
        returns = {order.order_id: order.body for order in orders if isinstance(order.body, ReturnReport)}
        self._queue_returns(connection, returns)
        others = [order for order in orders if order.order_id not in returns]
        return [fact for order in others for fact in self._begin(connection, order)]

    def _begin(self, connection: Connection, order: Order) -> Sequence[FactBody]:
        if isinstance(order.body, ResendJob):
            return [self._resend(connection, order.order_id, order.body)]
        if isinstance(order.body, RecallReport):
            return [*self._recall(connection, order.body), OrderCompleted(order_id=order.order_id)]
        if isinstance(order.body, ReturnReport):
            raise TypeError("reports on their way home are queued together")
        self._jobs.enqueue(
            connection,
            kind=order.body.kind,
            key=order.order_id,
            destination=_destination(order.body),
            priority=int(isinstance(order.body, TellRis)),  # an alert waits behind nothing
        )
        return ()

    def _resend(self, connection: Connection, order_id: str, body: ResendJob) -> FactBody:
        """Queue the parked job again, and say truly whether there was one."""
        if body.job_kind == RETURN_JOB:
            found = self._resend_return(connection, body.job_key)
            if found:
                self._release(connection, body.job_key)
        else:
            found = self._jobs.resend(connection, kind=body.job_kind, key=body.job_key)
        if found:
            return OrderCompleted(order_id=order_id)
        return OrderParked(order_id=order_id, reason=f"no parked {body.job_kind} job of that key is here", attempts=1)

    def _move_to(self, connection: Connection, batch: OrderBatch) -> None:
        position = tables.order_position
        known = connection.execute(_POSITION).one_or_none()
        after = max((order.seq for order in batch.orders), default=0)
        if known is None:
            connection.execute(insert(position).values(id=1, log_id=batch.log_id, after=after))
        elif known.log_id != batch.log_id:
            connection.execute(update(position).values(log_id=batch.log_id, after=after))
        elif after > known.after:
            connection.execute(_MOVE_ON, {"now_after": after})


def _order(row: Row[Any]) -> Order:
    return Order(seq=row.seq, order_id=row.order_id, issued_at=row.issued_at, body=_BODY.validate_python(row.body))


def _study_of(body: OrderBody) -> str | None:
    return None if isinstance(body, ResendJob | RecallReport) else body.study.study_instance_uid


def _destination(body: FetchStudy | DeliverStudy | TellRis) -> str:
    """Whom the work depends on: each has its own limit, so that a slow one delays only itself."""
    match body:
        case FetchStudy():
            return f"node:{body.source.ods_code}"
        case DeliverStudy():
            return f"workstation:{body.workstation_ae_title}"
        case TellRis():
            return "alert"


def _received(report_id: str, report: IncomingReport, digest: str) -> ReportReceived:
    return ReportReceived.model_validate(
        {
            "report_id": report_id,
            "channel": report.channel.value,
            "study_instance_uid": report.study_instance_uid,
            "accession_number": report.accession_number,
            "accession_issuer": report.accession_issuer,
            "patient": _patient(report),
            "status": report.status,
            "text": report.text,
            "author": ReportAuthor(registration=report.author_registration, name=report.author_name),
            "authored_at": report.authored_at,
            "original_reference": report.original_reference,
            "original_digest": digest,
            "sections": tuple(asdict(section) for section in report.sections),
            "authors": tuple(asdict(author) for author in report.authors),
            "addendum": report.addendum,
            "alert_codes": tuple(asdict(code) for code in report.alert_codes),
        }
    )


def _claimed(claims: RefusedClaims) -> dict[str, object]:
    codes = tuple(asdict(code) for code in claims.alert_codes)
    said: dict[str, object] = {"alert_codes": codes, "looked_through": claims.looked_through}
    said["changes"] = claims.changes
    identity = claims.identity
    if identity is not None:
        said |= {
            "study_instance_uid": identity.study_instance_uid,
            "accession_number": identity.accession_number,
            "accession_issuer": identity.accession_issuer,
            "patient": _patient(identity),
        }
    return said


def _patient(said: IncomingReport | ClaimedIdentity) -> PatientIdentity:
    return PatientIdentity(
        issuer=said.patient_id_issuer,
        patient_id=said.patient_id,
        nhs_number=said.nhs_number,
        birth_date=said.birth_date,
    )
