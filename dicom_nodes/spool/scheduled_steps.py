"""The worklist as rows: which rows are an order's, and what an order message does to them in one commit.

The same commit tells the router what was ordered.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, insert, literal, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.model.attributes import Attributes, items_of, text_of
from dicom_nodes.model.errors import OrderConflict
from dicom_nodes.model.procedure import (
    ImagingOrder,
    KnownStep,
    OrderNumber,
    PatientNumber,
    ScheduledStep,
    ScheduleState,
    StepState,
)
from dicom_nodes.rules.order import decide
from dicom_nodes.spool.ordered import facts_of
from dicom_nodes.spool.outbox import SqlOutbox
from dicom_nodes.spool.service_tables import procedure_step, procedure_step_study, scheduled_step

_PAGE = 200
_ATTEMPTS = 3


class SqlWorklist:
    """Implements `Worklist`."""

    def __init__(
        self, database: Database, clock: Clock, outbox: SqlOutbox, keep: timedelta = timedelta(days=30)
    ) -> None:
        """`keep` is how long after its day of start a step is listed that nobody has begun or cancelled."""
        self._database, self._clock, self._outbox, self._keep = database, clock, outbox, keep

    def scheduled(self, earliest: str | None, latest: str | None) -> Iterator[Attributes]:
        step = scheduled_step.c
        key = tuple_(step.start_date, step.order_key, step.step_id)
        query = (
            select(step.attributes, step.start_date, step.order_key, step.step_id)
            .where(
                step.state == ScheduleState.SCHEDULED.value,
                step.start_date >= max(earliest or "", self._oldest_day()),
                step.start_date <= (latest or "99999999"),
            )
            .order_by(step.start_date, step.order_key, step.step_id)
            .limit(_PAGE)
        )
        page = self._page(query)
        while page:
            yield from (row.attributes for row in page)
            last = page[-1]
            after = tuple_(literal(last.start_date), literal(last.order_key), literal(last.step_id))
            page = self._page(query.where(key > after)) if len(page) == _PAGE else []

    def _page(self, query: Select[Any]) -> Sequence[Any]:
        """Whole before anything is answered: a slow asker holds no snapshot of the database open."""
        with self._database.read() as connection:
            return connection.execute(query).all()

    def overdue(self) -> int:
        step = scheduled_step.c
        query = select(func.count()).where(
            step.state == ScheduleState.SCHEDULED.value, step.start_date < self._oldest_day()
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def _oldest_day(self) -> str:
        return (self._clock() - self._keep).strftime("%Y%m%d")

    def take(self, orders: Sequence[ImagingOrder]) -> None:
        for _ in range(_ATTEMPTS):
            try:
                with self._database.write() as connection:
                    for order in orders:
                        self._take(connection, order)
                return
            except IntegrityError:
                continue  # another message has just written these rows: what they say now decides
        raise OrderConflict("an order of this number is known with other content")

    def _take(self, connection: Connection, order: ImagingOrder) -> None:
        rows = connection.execute(select(scheduled_step).where(_of_order(order)).with_for_update()).all()
        known = {_known(row): row for row in rows}
        decision = decide(order, list(known))
        for step, state in decision.states:
            self._update(connection, known[step], {"state": state.value})
        by_step_id = {row.step_id: row for row in rows}
        for scheduled in decision.schedule:
            if scheduled.start_date < self._oldest_day():
                raise OrderConflict("the day of the examination is too long past for the worklist")
            row = by_step_id.get(scheduled.step_id)
            if row is None:
                values = _values(order, scheduled) | {
                    "state": _performed_state(connection, scheduled).value,
                    "order_key": rows[0].order_key if rows else order.key,
                    "step_id": scheduled.step_id,
                    "changed_at": self._clock(),
                }
                connection.execute(insert(scheduled_step).values(**values))
            else:
                self._update(connection, row, _values(order, scheduled))

        self._outbox.append(connection, *facts_of(order, [row.attributes for row in rows]))

    def _update(self, connection: Connection, row: Any, values: Mapping[str, Any]) -> None:
        here = (scheduled_step.c.order_key == row.order_key) & (scheduled_step.c.step_id == row.step_id)
        connection.execute(update(scheduled_step).where(here).values(**values, changed_at=self._clock()))


def _values(order: ImagingOrder, step: ScheduledStep) -> dict[str, Any]:
    """What an order says of a step; a number that it does not repeat stays known."""
    numbers = {
        f"{kind}_{part}": getattr(number, part)
        for kind, number in (("placer", order.placer), ("filler", order.filler))
        if number is not None
        for part in ("number", "issuer")
    }
    return {
        **numbers,
        "state": ScheduleState.SCHEDULED.value,
        "study_instance_uid": step.study_instance_uid,
        "start_date": step.start_date,
        "attributes": step.attributes,
        "original": order.original,
    }


def _performed_state(connection: Connection, scheduled: ScheduledStep) -> ScheduleState:
    """Where a step stands that a modality may have performed before its order came (an emergency, a slow RIS).

    By study and, where the modality named it, step, as `_take_off_the_worklist` would have. What was discontinued is to
    be done again.
    """
    of_study, step = procedure_step_study.c, procedure_step.c
    performed = connection.execute(
        select(step.state, step.attributes)
        .join(procedure_step_study, step.sop_instance_uid == of_study.sop_instance_uid)
        .where(of_study.study_instance_uid == scheduled.study_instance_uid)
    ).all()
    states = {
        StepState(row.state)
        for row in performed
        for item in items_of(row.attributes, "ScheduledStepAttributesSequence")
        if text_of(item, "StudyInstanceUID") == scheduled.study_instance_uid
        and text_of(item, "ScheduledProcedureStepID") in {"", scheduled.step_id}
    }
    if StepState.COMPLETED in states:
        return ScheduleState.COMPLETED
    return ScheduleState.STARTED if StepState.IN_PROGRESS in states else ScheduleState.SCHEDULED


def _known(row: Any) -> KnownStep:
    return KnownStep(
        row.order_key,
        row.step_id,
        ScheduleState(row.state),
        OrderNumber(row.placer_number, row.placer_issuer) if row.placer_number else None,
        OrderNumber(row.filler_number, row.filler_issuer) if row.filler_number else None,
        PatientNumber(text_of(row.attributes, "PatientID"), text_of(row.attributes, "IssuerOfPatientID")),
        row.attributes,
    )


def _of_order(order: ImagingOrder) -> ColumnElement[bool]:
    step = scheduled_step.c
    by_filler = [_is(step.filler_number, step.filler_issuer, order.filler)] if order.filler else []
    by_placer = [_is(step.placer_number, step.placer_issuer, order.placer)] if order.placer else []
    return or_(*by_filler, *by_placer)


def _is(number: ColumnElement[Any], issuer: ColumnElement[Any], wanted: OrderNumber) -> ColumnElement[bool]:
    return and_(number == wanted.number, issuer == wanted.issuer)
