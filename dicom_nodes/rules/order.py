"""What an order message may do to the steps known under its numbers (ADR 045).

Never to another patient's, never to an order that one of its numbers does not name, and never nothing behind an AA.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dicom_nodes.model.errors import OrderConflict, UnknownOrder
from dicom_nodes.model.procedure import ImagingOrder, KnownStep, OrderControl, ScheduledStep, ScheduleState

_BEGUN = frozenset({ScheduleState.STARTED, ScheduleState.COMPLETED})
_OVER = frozenset({ScheduleState.CANCELLED, ScheduleState.DISCONTINUED})
_MAY_BECOME: Mapping[ScheduleState, frozenset[ScheduleState]] = {
    ScheduleState.SCHEDULED: frozenset({ScheduleState.SCHEDULED}),
    ScheduleState.STARTED: frozenset({ScheduleState.SCHEDULED, ScheduleState.STARTED}),
    ScheduleState.COMPLETED: _BEGUN | {ScheduleState.SCHEDULED, ScheduleState.DISCONTINUED},
    ScheduleState.CANCELLED: _OVER | {ScheduleState.SCHEDULED},
    ScheduleState.DISCONTINUED: _OVER | {ScheduleState.SCHEDULED, ScheduleState.STARTED},
}
"""State that a status change (ORC-1 `SC`) asks for → states it may be reached from."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The known steps whose state changes, and the steps to put on the worklist as the order describes them."""

    states: tuple[tuple[KnownStep, ScheduleState], ...] = ()
    schedule: tuple[ScheduledStep, ...] = ()


def decide(order: ImagingOrder, found: Sequence[KnownStep]) -> Decision:
    """Decide about every step found under the order's placer or filler number.

    Raises:
        OrderConflict: says which rule forbids it.
    """
    known = _of_this_order(order, found)
    if order.control is OrderControl.NEW:
        return _new(order, known)
    if not known:
        raise UnknownOrder("no such order is known here")
    if order.control is OrderControl.STATUS:
        return _status(order.state, known)
    return _change(order, known) if order.control is OrderControl.CHANGE else _cancel(known)


def _of_this_order(order: ImagingOrder, found: Sequence[KnownStep]) -> Sequence[KnownStep]:
    """All that were found: with each of them both numbers must agree, as far as it has them, and the patient."""
    for step in found:
        for said, kept in ((order.filler, step.filler), (order.placer, step.placer)):
            if said is not None and kept is not None and said != kept:
                raise OrderConflict("the placer's and the filler's number name different orders here")
        if step.patient != order.patient:
            raise OrderConflict("the order of this number is another patient's (PID-3)")
    if len({step.order_key for step in found}) > 1:
        raise OrderConflict("the placer's and the filler's number name different orders here")
    return found


def _new(order: ImagingOrder, known: Sequence[KnownStep]) -> Decision:
    """The same order again changes nothing while it is on the worklist; one that is over is scheduled again."""
    if all(step.state in _OVER for step in known):
        return Decision(schedule=order.steps)
    listed = {step.step_id: step.attributes for step in known if step.state is ScheduleState.SCHEDULED}
    if all(listed.get(step.step_id) == step.attributes for step in order.steps):
        return Decision()
    _require_not_begun(known)
    raise OrderConflict("an order of this number is known with other content")


def _status(state: ScheduleState | None, known: Sequence[KnownStep]) -> Decision:
    if state is None:
        return Decision()
    live = [step for step in known if step.state is not ScheduleState.CANCELLED] or known
    for step in live:
        if step.state not in _MAY_BECOME[state]:
            raise OrderConflict(f"the examination is {step.state} here and does not become {state}")
    return Decision(tuple((step, state) for step in live))


def _change(order: ImagingOrder, known: Sequence[KnownStep]) -> Decision:
    _require_not_begun(known)
    wanted = {step.step_id for step in order.steps}
    stopped = {step.step_id for step in known if step.state is ScheduleState.DISCONTINUED}
    if wanted & stopped or all(step.state in _OVER for step in known):
        raise OrderConflict("the examination was cancelled or discontinued; cancel what is left and order it anew (NW)")
    return Decision(_cancel(known).states, order.steps)


def _cancel(known: Sequence[KnownStep]) -> Decision:
    _require_not_begun(known)
    listed = [step for step in known if step.state is ScheduleState.SCHEDULED]
    return Decision(tuple((step, ScheduleState.CANCELLED) for step in listed))


def _require_not_begun(known: Sequence[KnownStep]) -> None:
    if any(step.state in _BEGUN for step in known):
        raise OrderConflict("the examination has begun")
