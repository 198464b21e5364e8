"""Orders from the router, how far each has come, reports taken in, and work that was parked."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, func, insert, select, update

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
    ReportAcknowledged,
    ReportAuthor,
    ReportReceived,
    ReportRefused,
    ResendJob,
    ReturnReport,
)
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.foundation.jobs import Job, JobQueue
from dicom_nodes.model.errors import CrashConsistency
from dicom_nodes.model.report import IncomingReport, KeptRefusal, RefusedReport, ReportChannel
from dicom_nodes.rules.report_order import Filed
from dicom_nodes.spool import tables
from dicom_nodes.spool.outbox import SqlOutbox

ORDER_KINDS = ("fetch", "deliver", "return")
_RECALLED = "OFF"
"""In place of a channel's answer: it is not to be sent any more."""
_BODY: TypeAdapter[OrderBody] = TypeAdapter(OrderBody)


class SqlOrders:
    """Implements `OrderStore`, `ReportStore` and `ParkingStore`."""

    def __init__(self, database: Database, jobs: JobQueue, outbox: SqlOutbox, clock: Clock) -> None:
        self._database, self._jobs, self._outbox, self._clock = database, jobs, outbox, clock

    def position(self) -> tuple[str | None, int]:
        with self._database.read() as connection:
            row = connection.execute(select(tables.order_position)).one_or_none()
        return (None, 0) if row is None else (row.log_id, row.after)

    def accept(self, batch: OrderBatch) -> None:
        with self._database.write() as connection:
            for order in batch.orders:
                self._accept_one(connection, order)
            self._move_to(connection, batch)

    def order(self, order_id: str) -> Order:
        with self._database.read() as connection:
            row = connection.execute(select(tables.order).where(tables.order.c.order_id == order_id)).one_or_none()
        if row is None:
            raise CrashConsistency(f"order {order_id} has a job but was never kept")
        return Order(seq=row.seq, order_id=row.order_id, issued_at=row.issued_at, body=_BODY.validate_python(row.body))

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

    def returned(self, order_id: str) -> frozenset[str]:
        column = tables.returned_report.c
        with self._database.read() as connection:
            return frozenset(connection.execute(select(column.channel).where(column.order_id == order_id)).scalars())

    def record_returned(self, order_id: str, channel: str, code: str, reference: str) -> None:
        fact = ReportAcknowledged.model_validate(
            {"order_id": order_id, "channel": channel, "code": code, "reference": reference}
        )
        returned = tables.returned_report
        with self._database.write() as connection:
            known = connection.execute(
                select(returned.c.code).where(returned.c.order_id == order_id, returned.c.channel == channel)
            ).first()
            if known is not None and known.code != _RECALLED:
                return
            values = {"code": code, "reference": reference, "at": self._clock()}
            if known is None:
                connection.execute(insert(returned).values(order_id=order_id, channel=channel, **values))
            else:  # it was on its way when it was recalled, and arrived all the same
                here = (returned.c.order_id == order_id) & (returned.c.channel == channel)
                connection.execute(update(returned).where(here).values(**values))
            self._file(connection, order_id, channel)
            self._outbox.append(connection, fact)

    def filed(self, study_instance_uid: str, channel: str) -> Filed | None:
        with self._database.read() as connection:
            return _filed(connection, study_instance_uid, channel)

    def record_refused(self, order_id: str, channel: str, code: str, words: str) -> None:
        refused = tables.refused_return
        here = (refused.c.order_id == order_id) & (refused.c.channel == channel)
        values = {"code": code, "words": words, "at": self._clock()}
        with self._database.write() as connection:
            if connection.execute(update(refused).where(here).values(**values)).rowcount == 0:
                connection.execute(insert(refused).values(order_id=order_id, channel=channel, **values))

    def refusals(self) -> dict[str, tuple[str, ...]]:
        """Order id → how its channels refused last, such as `ris AE: words`; they may name the patient."""
        told: dict[str, tuple[str, ...]] = {}
        with self._database.read() as connection:
            for row in connection.execute(select(tables.refused_return).order_by(tables.refused_return.c.channel)):
                told[row.order_id] = (*told.get(row.order_id, ()), f"{row.channel} {row.code}: {row.words}")
        return told

    def complete(self, job: Job, *facts: FactBody) -> None:
        with self._database.write() as connection:
            self._jobs.complete(connection, job)
            self._outbox.append(connection, *facts)

    def park_with_fact(self, job: Job, reason: str) -> None:
        fact: FactBody
        if job.kind in ORDER_KINDS:
            fact = OrderParked(order_id=job.key, reason=reason, attempts=job.attempt)
        else:
            fact = JobParked(job_kind=job.kind, job_key=job.key, reason=reason, attempts=job.attempt)
        with self._database.write() as connection:
            self._jobs.park(connection, job, reason=reason)
            self._outbox.append(connection, fact)

    def take(self, report_id: str, report: IncomingReport) -> None:
        self.take_all([(report_id, report)])

    def take_all(self, reports: Sequence[tuple[str, IncomingReport]]) -> None:
        with self._database.write() as connection:
            for report_id, report in reports:
                self._take(connection, report_id, report)

    def _take(self, connection: Connection, report_id: str, report: IncomingReport) -> None:
        digest = hashlib.sha256(report.original).hexdigest()
        taken = tables.received_report
        known = connection.execute(select(taken.c.report_id).where(taken.c.report_id == report_id)).first()
        if known is not None:
            return
        connection.execute(
            insert(taken).values(
                report_id=report_id,
                channel=report.channel.value,
                original_reference=report.original_reference,
                original_digest=digest,
                original=report.original,
                received_at=self._clock(),
            )
        )
        self._outbox.append(connection, _received(report_id, report, digest))

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
            fact = {"refusal_id": refusal_id, "original_digest": digest, **values}
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

    def _file(self, connection: Connection, order_id: str, channel: str) -> None:
        """Note the version and status that the channel has acknowledged now, unless it had gone further before."""
        order = connection.execute(select(tables.order.c.body).where(tables.order.c.order_id == order_id)).scalar_one()
        body = ReturnReport.model_validate(order)
        uid = body.study.study_instance_uid
        before = _filed(connection, uid, channel)
        now = Filed(body.version, body.status) if before is None else before.and_also(body.version, body.status)
        values = {"version": now.version, "status": now.status}
        if before is None:
            connection.execute(insert(tables.filed_report).values(study_instance_uid=uid, channel=channel, **values))
        else:
            connection.execute(update(tables.filed_report).where(_of(uid, channel)).values(**values))

    def _accept_one(self, connection: Connection, order: Order) -> None:
        known = connection.execute(
            select(tables.order.c.order_id).where(tables.order.c.order_id == order.order_id)
        ).first()
        if known is not None:
            return
        connection.execute(
            insert(tables.order).values(
                order_id=order.order_id,
                seq=order.seq,
                issued_at=order.issued_at,
                received_at=self._clock(),
                study_instance_uid=_study_of(order.body),
                body=order.body.model_dump(mode="json"),
            )
        )
        if isinstance(order.body, ResendJob):
            self._outbox.append(connection, self._resend(connection, order.order_id, order.body))
            return
        if isinstance(order.body, RecallReport):
            self._recall(connection, order.body)
            self._outbox.append(connection, OrderCompleted(order_id=order.order_id))
            return
        self._jobs.enqueue(connection, kind=order.body.kind, key=order.order_id, destination=_destination(order.body))

    def _recall(self, connection: Connection, recall: RecallReport) -> None:
        """Count what is not acknowledged as done, so that it is sent no more; a parked job ends by itself then."""
        known = connection.execute(select(tables.order.c.order_id).where(tables.order.c.order_id == recall.order_id))
        if known.first() is None:
            return
        returned = tables.returned_report
        of_order = select(returned.c.channel).where(returned.c.order_id == recall.order_id)
        for channel in set(recall.channels) - set(connection.execute(of_order).scalars()):
            values = {"order_id": recall.order_id, "channel": channel, "code": _RECALLED, "reference": ""}
            connection.execute(insert(returned).values(**values, at=self._clock()))
        self._jobs.resend(connection, kind="return", key=recall.order_id)

    def _resend(self, connection: Connection, order_id: str, body: ResendJob) -> FactBody:
        """Queue the parked job again, and say truly whether there was one."""
        if self._jobs.resend(connection, kind=body.job_kind, key=body.job_key):
            return OrderCompleted(order_id=order_id)
        return OrderParked(order_id=order_id, reason=f"no parked {body.job_kind} job of that key is here", attempts=1)

    def _move_to(self, connection: Connection, batch: OrderBatch) -> None:
        position = tables.order_position
        known = connection.execute(select(position)).one_or_none()
        after = max((order.seq for order in batch.orders), default=0)
        if known is None:
            connection.execute(insert(position).values(id=1, log_id=batch.log_id, after=after))
        elif known.log_id != batch.log_id:
            connection.execute(update(position).values(log_id=batch.log_id, after=after))
        elif after > known.after:
            connection.execute(update(position).values(after=after))


def _of(study_instance_uid: str, channel: str) -> ColumnElement[bool]:
    columns = tables.filed_report.c
    return (columns.study_instance_uid == study_instance_uid) & (columns.channel == channel)


def _filed(connection: Connection, study_instance_uid: str, channel: str) -> Filed | None:
    row = connection.execute(select(tables.filed_report).where(_of(study_instance_uid, channel))).one_or_none()
    return None if row is None else Filed(row.version, row.status)


def _study_of(body: OrderBody) -> str | None:
    return None if isinstance(body, ResendJob | RecallReport) else body.study.study_instance_uid


def _destination(body: FetchStudy | DeliverStudy | ReturnReport) -> str:
    """Whom the work depends on: each has its own limit, so that a slow one delays only itself."""
    match body:
        case FetchStudy():
            return f"node:{body.source.ods_code}"
        case DeliverStudy():
            return f"workstation:{body.workstation_ae_title}"
        case ReturnReport():
            return "return"


def _received(report_id: str, report: IncomingReport, digest: str) -> ReportReceived:
    return ReportReceived.model_validate(
        {
            "report_id": report_id,
            "channel": report.channel.value,
            "study_instance_uid": report.study_instance_uid,
            "accession_number": report.accession_number,
            "accession_issuer": report.accession_issuer,
            "patient": PatientIdentity(
                issuer=report.patient_id_issuer,
                patient_id=report.patient_id,
                nhs_number=report.nhs_number,
                birth_date=report.birth_date,
            ),
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
