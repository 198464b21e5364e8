"""Plan what is READY and carry the plan out, each decision in its own transaction and fenced by state and epoch."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from router.flows.human_queue import About, ask_a_person
from router.flows.images import send_images
from router.flows.ports import Store, Transaction
from router.flows.read_life import change_read
from router.model.errors import TransitionRefused
from router.model.read import Assignment, Lease, Read, ReadState
from router.model.reader import Reader
from router.rules.eligibility import Need, entitlement_problems
from router.rules.planning import Assign, Explanation, PlannableRead, Snapshot, Wait, plan
from router.rules.read_states import Actor, Event

LAPSES_BEFORE_A_PERSON_LOOKS = 3


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """How many reads were assigned and how many wait."""

    assigned: int = 0
    waiting: int = 0


def assign_ready_reads(store: Store, now: datetime, claim_timeout_s: float) -> PlanOutcome:
    """Plan once. Must run under the store's planner lock; a decision that comes too late is dropped."""
    with store.read() as tx:
        snapshot = take_snapshot(tx, now)
    assigned = waiting = 0
    for decision in plan(snapshot):
        with store.write() as tx:
            if isinstance(decision, Wait):
                tx.reads.explain_waiting(decision.read_id, explanation_json(decision.explanation))
                waiting += 1
            elif _carry_out(tx, decision, now, claim_timeout_s):
                assigned += 1
    return PlanOutcome(assigned, waiting)


def take_snapshot(tx: Transaction, now: datetime) -> Snapshot:
    """All READY reads and every reader, as the database has them now."""
    reads = []
    for read in tx.reads.listing(states={ReadState.READY}):
        need = need_of(tx, read)
        if need is not None:
            reads.append(PlannableRead(need, read.due_at or read.created_at, read.epoch))
    return Snapshot(now, tuple(reads), tuple(tx.readers.on_duty(now)))


def need_of(tx: Transaction, read: Read) -> Need | None:
    """What the read asks of a reader; None while nobody has said what exam it is."""
    if read.subspecialty is None or read.expected_minutes is None:
        return None
    declined = {a.reader_id for a in tx.reads.assignments(read.id) if a.outcome == Event.DECLINE.value}
    return Need(
        read_id=read.id,
        origin=read.origin,
        modalities=frozenset(read.modalities),
        subspecialty=read.subspecialty,
        expected_minutes=read.expected_minutes,
        declined_by=frozenset(declined),
    )


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """The explanation as it is stored and shown."""
    shown = asdict(explanation)
    for key in ("considered_at", "due_at"):
        shown[key] = shown[key].isoformat()
    return shown


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
            expected_minutes=read.expected_minutes or 0.0,
            assigned_at=now,
            explanation=explanation,
        )
    )
    send_images(tx, leased, reader, now)
    return leased


def _carry_out(tx: Transaction, decision: Assign, now: datetime, claim_timeout_s: float) -> bool:
    read = tx.reads.get(decision.read_id, lock=True)
    reader = tx.readers.get(decision.reader_id)
    if read is None or reader is None or read.state is not ReadState.READY or read.epoch != decision.epoch:
        return False
    if entitlement_problems(reader, read.origin, now):
        return False
    lease = new_lease(reader.id, decision.session_id, now, claim_timeout_s)
    explanation = explanation_json(decision.explanation)
    try:
        grant(tx, read, reader, lease, Event.ASSIGN, Actor.PLANNER, now, explanation)
    except TransitionRefused:
        return False
    return True


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
