"""Performed and scheduled procedure steps as rows; performing a step takes it off the worklist in the same commit."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from dicom_nodes.contract import ProcedureStepChanged
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.foundation.jobs import JobQueue
from dicom_nodes.model.attributes import Attributes, items_of, text_of
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import OperationRefused, OrderConflict, UnknownOrder
from dicom_nodes.model.procedure import (
    ImagingOrder,
    OrderControl,
    OrderNumber,
    PerformedStep,
    ScheduledStep,
    ScheduleState,
    StepState,
)
from dicom_nodes.rules.procedure_step import announcements_of, studies_of
from dicom_nodes.spool.announcements import announce
from dicom_nodes.spool.outbox import SqlOutbox
from dicom_nodes.spool.service_tables import procedure_step, procedure_step_study, scheduled_step

_SCHEDULE_STATE = {
    StepState.IN_PROGRESS: ScheduleState.STARTED,
    StepState.COMPLETED: ScheduleState.COMPLETED,
    StepState.DISCONTINUED: ScheduleState.DISCONTINUED,
}
_PAGE = 200


class SqlProcedureSteps:
    """Implements `ProcedureSteps`."""

    def __init__(self, database: Database, jobs: JobQueue, outbox: SqlOutbox, clock: Clock) -> None:
        self._database, self._jobs, self._outbox, self._clock = database, jobs, outbox, clock

    def create(self, step: PerformedStep) -> None:
        now, uid = self._clock(), step.sop_instance_uid
        try:
            with self._database.write() as connection:
                connection.execute(
                    insert(procedure_step).values(
                        sop_instance_uid=uid,
                        state=step.state.value,
                        performed_by=step.performed_by,
                        attributes=step.attributes,
                        lists_instances=False,
                        created_at=now,
                        changed_at=now,
                    )
                )
                rows = [{"study_instance_uid": study, "sop_instance_uid": uid} for study in studies_of(step)]
                connection.execute(insert(procedure_step_study), rows)
                self._tell(connection, step)
        except IntegrityError:
            raise OperationRefused(Status.DUPLICATE_SOP_INSTANCE, "a step with this UID is here already") from None

    def change(
        self, sop_instance_uid: str, change: Callable[[PerformedStep], PerformedStep], check_at: datetime
    ) -> PerformedStep:
        here = procedure_step.c.sop_instance_uid == sop_instance_uid
        with self._database.write() as connection:
            row = connection.execute(select(procedure_step).where(here).with_for_update()).one_or_none()
            if row is None:
                raise OperationRefused(Status.NO_SUCH_SOP_INSTANCE, "no such procedure step")
            known = PerformedStep(sop_instance_uid, StepState(row.state), row.performed_by, row.attributes)
            step = change(known)
            announcements = announcements_of(step)
            connection.execute(
                update(procedure_step)
                .where(here)
                .values(
                    state=step.state.value,
                    attributes=step.attributes,
                    lists_instances=bool(announcements),
                    changed_at=self._clock(),
                )
            )
            for announcement in announcements:
                announce(connection, self._jobs, announcement, self._clock(), check_at)
            self._tell(connection, step)
            return step

    def _tell(self, connection: Connection, step: PerformedStep) -> None:
        for item in items_of(step.attributes, "ScheduledStepAttributesSequence"):
            _take_off_the_worklist(connection, item, _SCHEDULE_STATE[step.state], self._clock())
        self._outbox.append(connection, _fact(step))


class SqlWorklist:
    """Implements `Worklist`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def scheduled(self, earliest: str | None, latest: str | None) -> Iterator[Attributes]:
        step = scheduled_step.c
        query = (
            select(step.attributes)
            .where(
                step.state == ScheduleState.SCHEDULED.value,
                step.start_date >= (earliest or ""),
                step.start_date <= (latest or "99999999"),
            )
            .order_by(step.start_date, step.order_key, step.step_id)
        )
        with self._database.read() as connection:
            yield from connection.execution_options(yield_per=_PAGE).execute(query).scalars()

    def take(self, orders: Sequence[ImagingOrder]) -> None:
        with self._database.write() as connection:
            for order in orders:
                self._take(connection, order)

    def _take(self, connection: Connection, order: ImagingOrder) -> None:
        here = _of_order(order)
        known = connection.execute(select(scheduled_step).where(here).with_for_update()).all()
        if order.control is OrderControl.NEW:
            self._add(connection, order, known)
            return
        if not known:
            raise UnknownOrder("no such order is known here")
        if order.control is OrderControl.STATUS:
            if order.state is not None:
                self._set_state(connection, here, order.state)
            return
        begun = [row for row in known if row.state in {ScheduleState.STARTED, ScheduleState.COMPLETED}]
        if begun:
            raise OrderConflict("the examination has begun")
        if order.control is OrderControl.CHANGE:
            self._set_state(connection, here, ScheduleState.CANCELLED)
            self._write(connection, order)
        else:
            self._set_state(connection, here, ScheduleState.CANCELLED)

    def _add(self, connection: Connection, order: ImagingOrder, known: Sequence[Any]) -> None:
        """The same order again changes nothing; another one under its number is for a person to sort out."""
        if not known:
            self._write(connection, order)
            return
        there = {row.step_id: row.attributes for row in known}
        if any(there.get(step.step_id) != step.attributes for step in order.steps):
            raise OrderConflict("an order of this number is known with other content")

    def _write(self, connection: Connection, order: ImagingOrder) -> None:
        for step in order.steps:
            values = _row(order, step) | {"changed_at": self._clock()}
            here = (scheduled_step.c.order_key == values["order_key"]) & (scheduled_step.c.step_id == step.step_id)
            if connection.execute(update(scheduled_step).where(here).values(**values)).rowcount == 0:
                connection.execute(insert(scheduled_step).values(**values))

    def _set_state(self, connection: Connection, here: ColumnElement[bool], state: ScheduleState) -> None:
        connection.execute(update(scheduled_step).where(here).values(state=state.value, changed_at=self._clock()))


def _row(order: ImagingOrder, step: ScheduledStep) -> dict[str, Any]:
    assert order.number is not None
    return {
        "order_key": f"{order.number.issuer} {order.number.number}",
        "step_id": step.step_id,
        "state": ScheduleState.SCHEDULED.value,
        "placer_number": order.placer.number if order.placer else None,
        "placer_issuer": order.placer.issuer if order.placer else None,
        "filler_number": order.filler.number if order.filler else None,
        "filler_issuer": order.filler.issuer if order.filler else None,
        "study_instance_uid": step.study_instance_uid,
        "start_date": step.start_date,
        "attributes": step.attributes,
        "original": order.original,
    }


def _of_order(order: ImagingOrder) -> ColumnElement[bool]:
    step = scheduled_step.c
    by_filler = [_is(step.filler_number, step.filler_issuer, order.filler)] if order.filler else []
    by_placer = [_is(step.placer_number, step.placer_issuer, order.placer)] if order.placer else []
    return or_(*by_filler, *by_placer)


def _is(number: ColumnElement[Any], issuer: ColumnElement[Any], wanted: OrderNumber) -> ColumnElement[bool]:
    return (number == wanted.number) & (issuer == wanted.issuer)


def _take_off_the_worklist(connection: Connection, item: Attributes, state: ScheduleState, now: datetime) -> None:
    """By study and, where the modality names it, step: a Study Instance UID is the world's, an id is not."""
    step, study, step_id = (
        scheduled_step.c,
        text_of(item, "StudyInstanceUID"),
        text_of(item, "ScheduledProcedureStepID"),
    )
    if not study:
        return
    here = (step.study_instance_uid == study) & (step.state != ScheduleState.CANCELLED.value)
    if step_id:
        here &= step.step_id == step_id
    connection.execute(update(scheduled_step).where(here).values(state=state.value, changed_at=now))


def _fact(step: PerformedStep) -> ProcedureStepChanged:
    series = items_of(step.attributes, "PerformedSeriesSequence")
    announced = announcements_of(step)
    return ProcedureStepChanged.model_validate(
        {
            "procedure_step_uid": step.sop_instance_uid,
            "state": step.state.value,
            "study_instance_uids": studies_of(step),
            "performed_by": step.performed_by,
            "modality": text_of(step.attributes, "Modality"),
            "series_count": len(series),
            "instance_count": sum(len(one.instances) for one in announced) if announced else None,
        }
    )
