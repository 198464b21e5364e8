"""How far each report's return has come: one job a channel, what each channel answered, and what it could not carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from dicom_nodes.contract import (
    FactBody,
    OrderCompleted,
    RecallReport,
    ReportAcknowledged,
    ReturnChannel,
    ReturnReport,
)
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.foundation.jobs import Job, JobQueue, JobState
from dicom_nodes.foundation.shared_commits import SharedCommits
from dicom_nodes.rules.report_order import Filed
from dicom_nodes.spool import tables
from dicom_nodes.spool.outbox import SqlOutbox

RETURN_JOB = "return"
_CHANNELS = get_args(ReturnChannel)
"""Every channel that an order may name."""
_RECALLED = "OFF"
"""In place of a channel's answer: it is not to be sent any more."""

_ANSWER = tables.returned_report
_ANSWERS = select(_ANSWER.c.channel, _ANSWER.c.code).where(_ANSWER.c.order_id == bindparam("order_id"))
_ADD_ANSWER, _ADD_FILED = insert(_ANSWER), insert(tables.filed_report)
_LOCKED_ORDER = select(tables.order.c.body).where(tables.order.c.order_id == bindparam("order_id")).with_for_update()
_UNFINISHED = (
    select(tables.job.c.id)
    .where(
        tables.job.c.kind == RETURN_JOB,
        tables.job.c.key.in_(bindparam("keys", expanding=True)),
        tables.job.c.state != JobState.DONE,
    )
    .limit(1)
)
_FILED = select(tables.filed_report).where(
    tables.filed_report.c.study_instance_uid == bindparam("of_study"),
    tables.filed_report.c.channel == bindparam("of_channel"),
)


@dataclass(slots=True)
class _Answer:
    """A channel's answer that is to be written down; `is_last` is known then."""

    order_id: str
    channel: str
    code: str
    reference: str
    losses: tuple[str, ...]
    job: Job | None
    is_last: bool = False


class SqlReturns:
    """The part of `OrderStore` that reports on their way home need."""

    def __init__(
        self, database: Database, jobs: JobQueue, outbox: SqlOutbox, clock: Clock, channels: Sequence[str]
    ) -> None:
        """`channels` are those of the trust's file: by them a report goes whose order names none."""
        self._database, self._jobs, self._outbox, self._clock = database, jobs, outbox, clock
        self._channels = tuple(channels)
        self._recording = SharedCommits(self._record_all)

    def returned(self, order_id: str) -> frozenset[str]:
        with self._database.read() as connection:
            return frozenset(_answers(connection, order_id))

    def record_returned(
        self,
        order_id: str,
        channel: str,
        code: str,
        reference: str,
        losses: Sequence[str] = (),
        job: Job | None = None,
    ) -> bool:
        answer = _Answer(order_id, channel, code, reference, tuple(losses), job)
        self._recording(answer)
        return answer.is_last

    def _record_all(self, answers: Sequence[_Answer]) -> None:
        """What several workers have to write down at once, in one commit.

        The orders' rows are locked first, in one order, and the outbox last, so that no two stop each other.
        """
        with self._database.write() as connection:
            bodies: dict[str, Any] = {}
            for order_id in sorted({answer.order_id for answer in answers}):
                bodies[order_id] = connection.execute(_LOCKED_ORDER, {"order_id": order_id}).scalar_one()
            told: list[FactBody] = []
            for answer in answers:
                facts = self._record(connection, answer, bodies[answer.order_id])
                answer.is_last = bool(facts) and isinstance(facts[-1], OrderCompleted)
                told += facts
            self._outbox.append(connection, *told)

    def _record(self, connection: Connection, answer: _Answer, order: Any) -> list[FactBody]:
        order_id, channel, code, job = answer.order_id, answer.channel, answer.code, answer.job
        said = {"order_id": order_id, "channel": channel, "code": code, "reference": answer.reference}
        values = {**said, "at": self._clock()}
        facts: list[FactBody] = []
        answers = _answers(connection, order_id)
        known = answers.get(channel)
        if known is None:
            connection.execute(_ADD_ANSWER, values)
        elif known == _RECALLED:  # it was on its way when it was recalled, and arrived all the same
            here = (_ANSWER.c.order_id == order_id) & (_ANSWER.c.channel == channel)
            connection.execute(update(_ANSWER).where(here).values(**values))
        if known is None or known == _RECALLED:
            answers[channel] = code
            self._keep_losses(connection, order_id, channel, answer.losses)
            self._file(connection, ReturnReport.model_validate(order), channel)
            facts.append(ReportAcknowledged.model_validate({**said, "losses": answer.losses}))
        if job is not None:
            facts += self._finish(connection, job, answers)
        return facts

    def finish_return(self, job: Job) -> bool:
        order_id = job.key.partition("/")[0]
        with self._database.write() as connection:
            connection.execute(_LOCKED_ORDER, {"order_id": order_id})
            completed = self._finish(connection, job, _answers(connection, order_id))
            self._outbox.append(connection, *completed)
            return bool(completed)

    def filed(self, study_instance_uid: str, channel: str) -> Filed | None:
        with self._database.read() as connection:
            return _filed(connection, study_instance_uid, channel)

    def record_refused(self, order_id: str, channel: str, code: str, words: str, told: str | None = None) -> None:
        refused = tables.refused_return
        here = (refused.c.order_id == order_id) & (refused.c.channel == channel)
        values = {"code": code, "words": words, "at": self._clock()}
        with self._database.write() as connection:
            if connection.execute(update(refused).where(here).values(**values)).rowcount == 0:
                connection.execute(insert(refused).values(order_id=order_id, channel=channel, **values))
            if told is not None:
                answer = {"order_id": order_id, "channel": channel, "code": code, "reference": "", "words": told}
                self._outbox.append(connection, ReportAcknowledged.model_validate(answer))

    def refusals(self) -> dict[str, tuple[str, ...]]:
        """Order id → how its channels refused last, such as `ris AE: words`; they may name the patient."""
        told: dict[str, tuple[str, ...]] = {}
        with self._database.read() as connection:
            for row in connection.execute(select(tables.refused_return).order_by(tables.refused_return.c.channel)):
                told[row.order_id] = (*told.get(row.order_id, ()), f"{row.channel} {row.code}: {row.words}")
        return told

    def losses(self, order_id: str) -> dict[str, tuple[str, ...]]:
        """Channel → what it could not carry, though it was sent."""
        column = tables.report_loss.c
        with self._database.read() as connection:
            rows = connection.execute(select(column.channel, column.losses).where(column.order_id == order_id)).all()
        return {row.channel: tuple(row.losses) for row in rows}

    def _queue_return(self, connection: Connection, order_id: str, body: ReturnReport) -> None:
        for channel in body.channels or self._channels:
            self._jobs.enqueue(
                connection, kind=RETURN_JOB, key=f"{order_id}/{channel}", destination=f"{RETURN_JOB}:{channel}"
            )

    def _resend_return(self, connection: Connection, key: str) -> bool:
        """Queue what is parked of an order (all of it where `key` names no channel); False where nothing is."""
        job = tables.job.c
        mine = (job.key == key) | job.key.in_(_keys_of(key))
        parked = select(job.key).where(job.kind == RETURN_JOB, mine, job.state == JobState.PARKED)
        keys = connection.execute(parked).scalars().all()
        resent = [self._jobs.resend(connection, kind=RETURN_JOB, key=found) for found in keys]
        return any(resent)

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
            self._resend_return(connection, f"{recall.order_id}/{channel}")

    def _finish(self, connection: Connection, job: Job, answers: Mapping[str, str]) -> Sequence[OrderCompleted]:
        """Complete a channel's job; the last one of its order completes the order, whichever finishes last.

        The order's row is locked; `answers` are what its channels have answered, this one included.
        """
        order_id = job.key.partition("/")[0]
        self._jobs.complete(connection, job)
        if connection.execute(_UNFINISHED, {"keys": _keys_of(order_id)}).first() is not None:
            return ()
        channels = tuple(sorted(channel for channel, code in answers.items() if code != _RECALLED))
        return (OrderCompleted.model_validate({"order_id": order_id, "channels": channels}),)

    def _keep_losses(self, connection: Connection, order_id: str, channel: str, losses: Sequence[str]) -> None:
        if losses:
            values = {"order_id": order_id, "channel": channel, "losses": list(losses)}
            connection.execute(insert(tables.report_loss).values(**values, at=self._clock()))

    def _file(self, connection: Connection, body: ReturnReport, channel: str) -> None:
        """Note the version and status that the channel has acknowledged now, unless it had gone further before."""
        uid, status = body.study.study_instance_uid, "C" if body.addendum else body.status
        before = _filed(connection, uid, channel)
        now = Filed(body.version, status) if before is None else before.and_also(body.version, status)
        values = {"version": now.version, "status": now.status}
        if before is None:
            connection.execute(_ADD_FILED, {"study_instance_uid": uid, "channel": channel, **values})
        else:
            connection.execute(update(tables.filed_report).where(_of(uid, channel)).values(**values))


def _keys_of(order_id: str) -> list[str]:
    """Keys of the jobs of an order's channels; an index finds them, and a pattern would be compared with every job."""
    return [f"{order_id}/{channel}" for channel in _CHANNELS]


def _answers(connection: Connection, order_id: str) -> dict[str, str]:
    """Channel → what it answered, or that it was recalled."""
    return {row.channel: row.code for row in connection.execute(_ANSWERS, {"order_id": order_id})}


def _of(study_instance_uid: str, channel: str) -> ColumnElement[bool]:
    columns = tables.filed_report.c
    return (columns.study_instance_uid == study_instance_uid) & (columns.channel == channel)


def _filed(connection: Connection, study_instance_uid: str, channel: str) -> Filed | None:
    here = {"of_study": study_instance_uid, "of_channel": channel}
    row = connection.execute(_FILED, here).one_or_none()
    return None if row is None else Filed(row.version, row.status)
