"""How far each report's return has come: one job a channel, what each channel answered, and what it could not carry."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from dicom_nodes.contract import FactBody, RecallReport, ReportAcknowledged, ReturnReport
from dicom_nodes.flows.return_ports import ReturnedAnswer, ReturnPlace, Standing
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.foundation.jobs import Job, JobQueue, JobState
from dicom_nodes.foundation.shared_commits import SharedCommits
from dicom_nodes.rules.report_order import Filed
from dicom_nodes.spool import tables
from dicom_nodes.spool.outbox import SqlOutbox
from dicom_nodes.spool.returned_answers import (
    RECALLED,
    RETURN_JOB,
    answers_of,
    begun_of,
    filed_of,
    finish,
    keys_of,
    lock_orders,
    write_answers,
)

_STANDING_S = 1.0


@dataclass(slots=True)
class _Wanted:
    """An answer that is to be written down; whether it was its order's last is known then."""

    answer: ReturnedAnswer
    is_last: bool = False


class SqlReturns:
    """The part of `ReturnStore` that knows what the channels answered."""

    def __init__(
        self, database: Database, jobs: JobQueue, outbox: SqlOutbox, clock: Clock, channels: Sequence[str]
    ) -> None:
        """`channels` are those of the trust's file: by them a report goes whose order names none."""
        self._database, self._jobs, self._outbox, self._clock = database, jobs, outbox, clock
        self._channels = tuple(channels)
        self._recalls = 0
        self._recording = SharedCommits(self._write)

    def returned(self, order_id: str) -> frozenset[str]:
        with self._database.read() as connection:
            return frozenset(answers_of(connection, [order_id])[order_id])

    def record_returned(
        self,
        order_id: str,
        channel: str,
        code: str,
        reference: str,
        losses: Sequence[str] = (),
        job: Job | None = None,
    ) -> bool:
        (is_last,) = self.record_all([ReturnedAnswer(order_id, channel, code, reference, tuple(losses), job)])
        if isinstance(is_last, Exception):
            raise is_last
        return is_last

    def record_all(self, answers: Sequence[ReturnedAnswer]) -> list[bool | Exception]:
        """What another process has written down meanwhile is seen by the second try."""
        wanted = [_Wanted(answer) for answer in answers]
        failures = self._recording.all(wanted)
        beside = [number for number, failure in enumerate(failures) if isinstance(failure, IntegrityError)]
        for number in beside:
            (failures[number],) = self._recording.all([wanted[number]])
        return [failure or one.is_last for one, failure in zip(wanted, failures, strict=True)]

    def _write(self, wanted: Sequence[_Wanted]) -> None:
        """What several workers have to write down at once, in one commit.

        The orders' rows are locked first, in one order, and the outbox last, so that no two stop each other.
        """
        answers = [one.answer for one in wanted]
        with self._database.write() as connection:
            facts, last = write_answers(connection, self._jobs, answers, self._clock())
            self._outbox.append(connection, *facts)
        for one in wanted:
            one.is_last = one.answer.job is not None and one.answer.job.key in last

    def finish_return(self, job: Job) -> bool:
        order_id = job.key.partition("/")[0]
        with self._database.write() as connection:
            lock_orders(connection, [order_id])
            _, completed = finish(connection, self._jobs, [job], answers_of(connection, [order_id]))
            self._outbox.append(connection, *completed)
            return bool(completed)

    @property
    def standing_for_s(self) -> float:
        return _STANDING_S if self._database.has_one_writer else 0.0

    @property
    def recalls(self) -> int:
        return self._recalls

    def standings(self, places: Collection[ReturnPlace]) -> dict[ReturnPlace, Standing]:
        uids = {place.study_instance_uid for place in places}
        with self._database.read() as connection:
            answers = answers_of(connection, {place.order_id for place in places})
            filed, begun = filed_of(connection, uids), begun_of(connection, uids)
        found = {}
        for place in places:
            here = (place.study_instance_uid, place.channel)
            found[place] = Standing(place.channel in answers[place.order_id], filed.get(here), begun.get(here))
        return found

    def filed(self, study_instance_uid: str, channel: str) -> Filed | None:
        with self._database.read() as connection:
            return filed_of(connection, [study_instance_uid]).get((study_instance_uid, channel))

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

    def _queue_returns(self, connection: Connection, orders: Mapping[str, ReturnReport]) -> None:
        destinations = {
            f"{order_id}/{channel}": f"{RETURN_JOB}:{channel}"
            for order_id, body in orders.items()
            for channel in body.channels or self._channels
        }
        if destinations:
            self._jobs.enqueue_all(connection, kind=RETURN_JOB, destinations=destinations)

    def _resend_return(self, connection: Connection, key: str) -> bool:
        """Queue what is parked of an order (all of it where `key` names no channel); False where nothing is."""
        job = tables.job.c
        mine = (job.key == key) | job.key.in_(keys_of(key))
        parked = select(job.key).where(job.kind == RETURN_JOB, mine, job.state == JobState.PARKED)
        keys = connection.execute(parked).scalars().all()
        resent = [self._jobs.resend(connection, kind=RETURN_JOB, key=found) for found in keys]
        return any(resent)

    def _recall(self, connection: Connection, recall: RecallReport) -> Sequence[FactBody]:
        """Count what is not acknowledged as done, so that it is sent no more; a parked job ends by itself then."""
        if not lock_orders(connection, [recall.order_id]):
            return ()
        returned = tables.returned_report
        of_order = select(returned.c.channel).where(returned.c.order_id == recall.order_id)
        for channel in set(recall.channels) - set(connection.execute(of_order).scalars()):
            values = {"order_id": recall.order_id, "channel": channel, "code": RECALLED, "reference": ""}
            connection.execute(insert(returned).values(**values, at=self._clock()))
            self._resend_return(connection, f"{recall.order_id}/{channel}")
        return ()
