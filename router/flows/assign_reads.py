"""Plan what is READY and carry the plan out, each decision in its own transaction and fenced by state and epoch."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from router.flows.human_queue import About, ask_a_person
from router.flows.images import send_images
from router.flows.ports import Store, Transaction
from router.flows.priors import send_priors
from router.flows.read_life import change_read
from router.flows.waits_told import WaitsTold
from router.model.errors import TransitionRefused
from router.model.pathway import Pathway
from router.model.read import Assignment, Lease, Read, ReadState
from router.model.reader import Reader
from router.rules.eligibility import Need
from router.rules.local_time import day_start
from router.rules.planning import (
    Ahead,
    Assign,
    InHand,
    ListLengths,
    PlannableRead,
    Snapshot,
    Wait,
    plan,
    weigh,
    weight_of,
)
from router.rules.planning.storing import explanation_json
from router.rules.read_states import Actor, Event

if TYPE_CHECKING:
    from router.flows.kept_snapshot import PlannerMemory

LAPSES_BEFORE_A_PERSON_LOOKS = 3

_DID_NOT_FINISH = {Event.LAPSE.value, Event.LOSE.value, Event.WITHDRAW.value}
STANDARD_LISTS = ListLengths()

OnFailure = Callable[[Exception], None]


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """How many reads were assigned and how many wait."""

    assigned: int = 0
    waiting: int = 0


def assign_ready_reads(
    store: Store,
    now: datetime,
    claim_timeout_s: float,
    on_failure: OnFailure,
    lists: ListLengths = STANDARD_LISTS,
    ahead: Ahead | None = None,
    memory: "PlannerMemory | None" = None,
    *,
    explain_anew: bool = True,
) -> PlanOutcome:
    """Plan once. Must run under the store's planner lock; a decision that comes too late is dropped.

    A decision that cannot be carried out is shown to a person and keeps no other one back. With a planner's `memory`
    only what changed is read and worked out again; without `explain_anew`, only reads that are new are told why they
    wait.
    """
    told = WaitsTold() if memory is None else memory.told
    with store.read() as tx:
        if memory is None:
            snapshot = take_snapshot(tx, tx.reads.listing(states={ReadState.READY}), now, lists)
        else:
            snapshot = memory.snapshot.take(tx, now, lists)
            told.forget(memory.snapshot.changed)
    if ahead is not None and now < ahead.until:
        snapshot = replace(snapshot, ahead=ahead)
    kept = None if memory is None else memory.kept
    decisions = plan(snapshot, kept=kept, explained=() if explain_anew else told.read_ids)
    given = [decision for decision in decisions if isinstance(decision, Assign)]
    waits = [decision for decision in decisions if isinstance(decision, Wait)]
    assigned = sum(
        _decided(store, given[start : start + store.effects_a_commit], now, claim_timeout_s, on_failure)
        for start in range(0, len(given), store.effects_a_commit)
    )
    if memory is not None:  # a decision that was refused was made of what is no longer so
        memory.snapshot.forget(decision.read_id for decision in given)
    told.tell(store, waits, len(snapshot.reads))
    return PlanOutcome(assigned, len(waits))


def take_snapshot(tx: Transaction, ready: Sequence[Read], now: datetime, lists: ListLengths) -> Snapshot:
    """These reads, what readers have in hand, and every reader, as the database has them now."""
    held = tx.reads.listing(states={ReadState.ASSIGNED, ReadState.READING})
    past: dict[str, list[tuple[str, str | None]]] = defaultdict(list)
    for read_id, reader_id, outcome in tx.reads.past_holders(ReadState.READY, ReadState.ASSIGNED):
        past[read_id].append((reader_id, outcome))
    pathways = pathways_of(tx)
    planned = [planned_as(read, past[read.id], pathways) for read in (*ready, *held)]
    return Snapshot(
        now=now,
        reads=tuple(read for read in planned if isinstance(read, PlannableRead)),
        readers=tuple(tx.readers.on_duty(now)),
        aid=tx.aid.book(day_start(now)),
        in_hand=tuple(read for read in planned if isinstance(read, InHand)),
        lists=lists,
    )


def planned_as(
    read: Read, past: Iterable[tuple[str, str | None]], pathways: Mapping[str, Pathway]
) -> PlannableRead | InHand | None:
    """What the planner makes of a read; None of one of which nobody has said what exam it is.

    A read on somebody's list may be moved only while its images have not arrived: afterwards it may be being read by
    somebody whose system does not say so.
    """
    need = need_of(read, past, pathways)
    holder = None if read.live_lease is None else read.live_lease.reader_id
    if holder is not None and (need is None or not _may_be_moved(read)):
        return InHand(holder, read.expected_minutes or 0.0, read.exam_group)
    return None if need is None else plannable(read, need, holder, pathways)


def plannable(read: Read, need: Need, holder: str | None, pathways: Mapping[str, Pathway]) -> PlannableRead:
    """The read as the planner sees it."""
    due = read.due_at or read.created_at
    pathway = pathways.get(read.pathway or "")
    weight = weight_of(due - read.created_at) if pathway is None else pathway.weight
    may_wait = pathway is not None and pathway.may_wait and not _is_hurried(due - read.created_at, pathway)
    return PlannableRead(need, due, read.epoch, weight, read.created_at, holder, may_wait)


def _is_hurried(allowed: timedelta, pathway: Pathway) -> bool:
    """A rule or an order gave it less than half of its pathway's time; images that come late leave less, too."""
    return allowed < timedelta(minutes=pathway.target_minutes) / 2


def _may_be_moved(read: Read) -> bool:
    return read.state is ReadState.ASSIGNED and read.images_delivered_at is None


def need_now(tx: Transaction, read: Read) -> Need | None:
    """What the read asks of a reader, as the database has it at this moment."""
    past = [(a.reader_id, a.outcome) for a in tx.reads.assignments(read.id)]
    return need_of(read, past, pathways_of(tx))


def pathways_of(tx: Transaction) -> Mapping[str, Pathway]:
    """The configured pathways by their ids."""
    return {pathway.id: pathway for pathway in tx.exams.pathways()}


def need_of(
    read: Read, past: Iterable[tuple[str, str | None]], pathways: Mapping[str, Pathway] = MappingProxyType({})
) -> Need | None:
    """What the read asks of a reader; None while nobody has said what exam it is. `past` are (reader id, outcome)."""
    pathway = pathways.get(read.pathway or "")
    if read.subspecialty is None or read.expected_minutes is None:
        return None
    ended = list(past)
    return Need(
        read_id=read.id,
        origin=read.origin,
        modalities=frozenset(read.modalities),
        subspecialty=read.subspecialty,
        expected_minutes=read.expected_minutes,
        declined_by=frozenset(reader for reader, outcome in ended if outcome == Event.DECLINE.value),
        had_by=frozenset(reader for reader, outcome in ended if outcome in _DID_NOT_FINISH),
        minimum_level=read.minimum_level,
        exam_code=read.exam_code,
        exam_group=read.exam_group,
        pathway=read.pathway,
        acute=pathway is not None and pathway.acute,
        session_kinds=frozenset() if pathway is None else pathway.session_kinds,
        directives=read.directives,
        read_by=frozenset(read.read_by),
    )


def new_lease(reader_id: str, session_id: str, now: datetime, timeout_s: float) -> Lease:
    """A lease with a fresh fencing token: a UID derived from a UUID (DICOM PS3.5 B.2)."""
    return Lease(
        reader_id=reader_id,
        session_id=session_id,
        transaction_uid=f"2.25.{uuid4().int}",
        assigned_at=now,
        until=now + timedelta(seconds=timeout_s),
    )


def grant(
    tx: Transaction,
    read: Read,
    reader: Reader,
    lease: Lease,
    event: Event,
    actor: Actor,
    now: datetime,
    explanation: dict[str, Any],
) -> Read:
    """Give the read to the reader under this lease, remember why, and order the images to where the reader sits."""
    leased = change_read(
        tx,
        read,
        event,
        actor,
        now,
        by="planner" if actor is Actor.PLANNER else f"reader {reader.id}",
        detail={"reader": reader.id, "session": lease.session_id, "choice": explanation["choice"]},
        changes={"epoch": read.epoch + 1, "lease": lease, "images_delivered_at": None, "waiting": None},
    )
    tx.reads.open_assignment(
        Assignment(
            read_id=read.id,
            epoch=leased.epoch,
            reader_id=reader.id,
            session_id=lease.session_id,
            transaction_uid=lease.transaction_uid,
            expected_minutes=reader.minutes_for(read.expected_minutes or 0.0, read.exam_group),
            assigned_at=now,
            explanation=explanation,
        )
    )
    send_images(tx, leased, reader, now)
    send_priors(tx, leased, reader, now)
    return leased


def _decided(
    store: Store, decisions: Sequence[Assign], now: datetime, claim_timeout_s: float, on_failure: OnFailure
) -> int:
    """Carry them out in one commit, each by itself; how many could be."""
    outcomes: list[bool] = []
    with store.write() as tx:
        for decision in decisions:
            failure = tx.attempt(partial(_note, outcomes, tx, decision, now, claim_timeout_s))
            if failure is not None:
                on_failure(failure)
                _show_failure(tx, decision, failure, now)
    return outcomes.count(True)


def _note(outcomes: list[bool], tx: Transaction, decision: Assign, now: datetime, claim_timeout_s: float) -> None:
    outcomes.append(_carry_out(tx, decision, now, claim_timeout_s))


def _show_failure(tx: Transaction, decision: Assign, failure: Exception, now: datetime) -> None:
    read = tx.reads.get(decision.read_id)
    uid, origin = (None, None) if read is None else (read.study_instance_uid, read.origin)
    about = About(study_instance_uid=uid, read_id=decision.read_id, node=origin)
    reason = f"it could not be assigned to {decision.reader_id}: {type(failure).__name__}"
    key = f"{decision.read_id}:{decision.reader_id}:{type(failure).__name__}"
    ask_a_person(tx, "assignment_failed", reason, key, now, about)


def _carry_out(tx: Transaction, decision: Assign, now: datetime, claim_timeout_s: float) -> bool:
    read = tx.reads.get(decision.read_id, lock=True)
    if read is None or read.epoch != decision.epoch or not _is_still_free(read, decision):
        return False
    if need_now(tx, read) != decision.need:
        return False  # a revision or a person changed what it asks for since it was weighed
    reader = tx.readers.duty_of(decision.reader_id, now)
    still, _ = weigh(decision.need, [] if reader is None else [reader], now, tx.aid.book(day_start(now)))
    if reader is None or not still or still[0].session_id != decision.session_id:
        return False
    lease = new_lease(decision.reader_id, decision.session_id, now, claim_timeout_s)
    explanation = explanation_json(decision.explanation)
    try:
        ready = read if decision.moved_from is None else _taken_off(tx, read, decision, now)
        grant(tx, ready, reader.reader, lease, Event.ASSIGN, Actor.PLANNER, now, explanation)
    except TransitionRefused:
        return False
    return True


def _is_still_free(read: Read, decision: Assign) -> bool:
    if decision.moved_from is None:
        return read.state is ReadState.READY
    return _may_be_moved(read) and read.lease is not None and read.lease.reader_id == decision.moved_from


def _taken_off(tx: Transaction, read: Read, decision: Assign, now: datetime) -> Read:
    """Off the list it is on, with the gain as the reason."""
    detail = {"reader": decision.moved_from, "reason": decision.explanation.choice}
    changes = {"lease": None, "images_delivered_at": None}
    return change_read(tx, read, Event.MOVE, Actor.PLANNER, now, by="planner", detail=detail, changes=changes)


def offer_again_after_lapse(tx: Transaction, read: Read, event: Event, now: datetime) -> None:
    """Take a lease that ran out back to READY; a read that keeps lapsing is shown to a person."""
    holder = read.lease.reader_id if read.lease is not None else "nobody"
    reason = "unclaimed in time" if event is Event.LAPSE else "no heartbeat in time"
    detail = {"reader": holder, "reason": reason}
    changes = {"lease": None, "images_delivered_at": None}
    change_read(tx, read, event, Actor.CLOCK, now, by="clock", detail=detail, changes=changes)
    lapses = [a for a in tx.reads.assignments(read.id) if a.outcome in {Event.LAPSE.value, Event.LOSE.value}]
    if len(lapses) >= LAPSES_BEFORE_A_PERSON_LOOKS:
        about = About(study_instance_uid=read.study_instance_uid, read_id=read.id, node=read.origin)
        text = f"given out {len(lapses)} times and never finished, last to {holder}"
        ask_a_person(tx, "lapsing_read", text, f"{read.id}:{len(lapses)}", now, about)
