"""What a reader, or a coordinator, does with a read: claim, heartbeat, hold, decline, take back, end.

Whoever loses a race, or comes with a stale token, gets a `RouterError` and changes nothing.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from router.config import RoutingFile
from router.flows.apply_rules import close_hold_items, directives_after_a_person
from router.flows.assign_reads import grant, need_now, new_lease
from router.flows.ports import Transaction
from router.flows.read_life import change_read
from router.model.errors import Invalid, NotAllowed, NotFound, StaleLease, TransitionRefused
from router.model.read import Lease, Read, ReadState
from router.model.reader import Level, Reader
from router.rules.eligibility import display_problems, entitlement_problems, history_problems, scope_problems
from router.rules.local_time import day_start
from router.rules.planning import RULE, Assign, Excluded, Explanation, weigh
from router.rules.planning.storing import explanation_json
from router.rules.read_states import Actor, Event
from router.rules.study_routing import Routed, due_at


def claim(tx: Transaction, read_id: str, reader_id: str, now: datetime, heartbeat_timeout_s: float) -> Read | str:
    """Claim an offered read, or pick a READY one; exactly one reader wins, and may ask again for its token.

    Returns the read, or the reason why the caller is no longer entitled: then the lease has been withdrawn, and the
    caller commits that before refusing.

    Raises:
        NotFound, NotAllowed, TransitionRefused.
    """
    read, reader = _read(tx, read_id), _reader(tx, reader_id)
    if read.state is ReadState.READY:
        return _pick(tx, read, reader, now, heartbeat_timeout_s)
    lease = read.live_lease
    if lease is not None and lease.reader_id != reader_id:
        raise NotAllowed("this read is assigned to another reader")
    problems = _not_entitled(tx, read, reader, now)
    if problems and read.state is ReadState.ASSIGNED:
        return withdraw(tx, read, Actor.ROUTER, "router", "; ".join(problems), now)
    if lease is not None and lease.claimed_at is not None:
        if problems:
            raise NotAllowed("; ".join(problems))
        return read  # the answer to the first claim was lost: the same token again
    claimed = None if lease is None else _extend(lease, now, heartbeat_timeout_s, claimed_at=now)
    changes = {"lease": claimed}
    return change_read(
        tx,
        read,
        Event.CLAIM,
        Actor.READER,
        now,
        by=f"reader {reader_id}",
        detail={"reader": reader_id},
        changes=changes,
    )


def heartbeat(
    tx: Transaction, read_id: str, reader_id: str, token: str, now: datetime, heartbeat_timeout_s: float
) -> Read:
    """Keep the lease of a read that is being read.

    Raises:
        StaleLease: the token is not the live one: stop working on it.
    """
    read, lease = _held(tx, read_id, reader_id, token)
    if read.state is ReadState.ON_HOLD or read.state is ReadState.PRELIMINARY:
        return read
    changes = {"lease": _extend(lease, now, heartbeat_timeout_s)}
    return change_read(tx, read, Event.HEARTBEAT, Actor.READER, now, by=f"reader {reader_id}", changes=changes)


def hold(tx: Transaction, read_id: str, reader_id: str, token: str, reason: str, now: datetime) -> Read:
    """Put the read aside while a question is open; heartbeats are not needed meanwhile."""
    read, _ = _held(tx, read_id, reader_id, token)
    return change_read(tx, read, Event.HOLD, Actor.READER, now, by=f"reader {reader_id}", detail={"reason": reason})


def resume(
    tx: Transaction, read_id: str, reader_id: str, token: str, now: datetime, heartbeat_timeout_s: float
) -> Read:
    """Go on reading."""
    read, lease = _held(tx, read_id, reader_id, token)
    changes = {"lease": _extend(lease, now, heartbeat_timeout_s)}
    return change_read(tx, read, Event.RESUME, Actor.READER, now, by=f"reader {reader_id}", changes=changes)


def decline(tx: Transaction, read_id: str, reader_id: str, token: str | None, reason: str, now: datetime) -> Read:
    """Hand the read back for good: this reader is not asked again. An unclaimed offer needs no token."""
    read = _read(tx, read_id)
    lease = read.live_lease
    if lease is None or lease.reader_id != reader_id:
        raise NotAllowed("this read is not yours")
    if read.state is not ReadState.ASSIGNED and token != lease.transaction_uid:
        raise StaleLease("the fencing token is not the live one")
    by = f"reader {reader_id}"
    detail = {"reader": reader_id, "reason": reason}
    handed_back = change_read(tx, read, Event.DECLINE, Actor.READER, now, by=by, detail=detail)
    changes = {"lease": None, "images_delivered_at": None}
    return change_read(
        tx,
        handed_back,
        Event.OFFER_AGAIN,
        Actor.ROUTER,
        now,
        by="router",
        detail={"excluded": reader_id},
        changes=changes,
    )


def withdraw(tx: Transaction, read: Read, actor: Actor, by: str, reason: str, now: datetime) -> str:
    """Take the read back from its holder and offer it again; returns the reason."""
    holder = read.lease.reader_id if read.lease is not None else "nobody"
    detail = {"reader": holder, "reason": reason}
    changes = {"lease": None, "images_delivered_at": None}
    change_read(tx, read, Event.WITHDRAW, actor, now, by=by, detail=detail, changes=changes)
    return reason


def end_read(tx: Transaction, read_id: str, event: Event, by: str, reason: str, now: datetime) -> Read:
    """Cancel or fail a read that is not signed yet."""
    detail = {"reason": reason}
    return change_read(tx, _read(tx, read_id), event, Actor.COORDINATOR, now, by=by, detail=detail)


def take_back(tx: Transaction, read_id: str, by: str, reason: str, now: datetime) -> Read:
    """A coordinator takes the read from its holder."""
    withdraw(tx, _read(tx, read_id), Actor.COORDINATOR, by, reason, now)
    return _read(tx, read_id)


def route_by_hand(
    tx: Transaction,
    read_id: str,
    by: str,
    subspecialty: str,
    expected_minutes: float,
    priority: str,
    routing: RoutingFile,
    now: datetime,
    exam_group: str | None = None,
    minimum_level: Level = Level.GENERAL,
) -> Read:
    """A coordinator says what an exam is that the table could not map, or mapped wrongly.

    Raises:
        Invalid: neither the exam table nor any reader knows this subspecialty, or the priority is none.
    """
    read = _read(tx, read_id)
    study = tx.studies.get(read.study_instance_uid)
    if study is None:
        raise NotFound("the read's study is gone")
    known = {rule.subspecialty for rule in routing.exams} | {s for r in tx.readers.all() for s in r.subspecialties}
    if subspecialty not in known:
        raise Invalid(f"subspecialty: expected one of {', '.join(sorted(known))}")
    if priority not in routing.priorities:
        raise Invalid(f"priority: expected one of {', '.join(sorted(routing.priorities))}")
    due = due_at(study, priority, routing, now)
    said = Routed(read.modalities, subspecialty, expected_minutes, priority, due)
    changes = {
        "subspecialty": subspecialty,
        "expected_minutes": expected_minutes,
        "priority": priority,
        "due_at": due,
        "exam_code": None,
        "exam_group": exam_group,
        "minimum_level": minimum_level,
        "pathway": priority if priority in {pathway.id for pathway in tx.exams.pathways()} else None,
        "directives": directives_after_a_person(tx, study, said, routing, now),
    }
    detail = {"subspecialty": subspecialty, "priority": priority, "due": due.isoformat()}
    close_hold_items(tx, read, by, "routed by hand", now)
    return change_read(tx, read, Event.ROUTE, Actor.COORDINATOR, now, by=by, detail=detail, changes=changes)


def release(tx: Transaction, read_id: str, by: str, reason: str, now: datetime) -> Read:
    """A coordinator ends every hold that a rule put on the read; the rest of what the rules said stays.

    Raises:
        NotFound, TransitionRefused: no such read, no rule holds it, or it waits for nobody.
    """
    read = _read(tx, read_id)
    holds = [hold.rule for hold in read.directives.holds]
    if not holds:
        raise TransitionRefused("release: no rule holds this read")
    changes = {"directives": replace(read.directives, holds=()), "waiting": None}
    detail = {"released": holds, "reason": reason}
    released = change_read(tx, read, Event.ROUTE, Actor.COORDINATOR, now, by=by, detail=detail, changes=changes)
    close_hold_items(tx, read, by, reason, now)
    return released


def claim_planned(tx: Transaction, decision: Assign, now: datetime, heartbeat_timeout_s: float) -> Read:
    """Claim what the plan has for a reader who asked for the next read, with the plan's explanation.

    Raises:
        NotFound, NotAllowed, TransitionRefused: somebody was first, or it no longer holds.
    """
    read, reader = _read(tx, decision.read_id), _reader(tx, decision.reader_id)
    if read.state is not ReadState.READY or read.epoch != decision.epoch:
        raise TransitionRefused("claim: somebody else changed the read first")
    return _pick(tx, read, reader, now, heartbeat_timeout_s, decision.explanation)


def _pick(
    tx: Transaction,
    read: Read,
    reader: Reader,
    now: datetime,
    heartbeat_timeout_s: float,
    planned: Explanation | None = None,
) -> Read:
    need = need_now(tx, read)
    if need is None:
        raise TransitionRefused("claim: nobody has said what exam it is")
    on_duty = tx.readers.duty_of(reader.id, now)
    candidates, excluded = weigh(need, [] if on_duty is None else [on_duty], now, tx.aid.book(day_start(now)))
    if not candidates:
        raise NotAllowed("; ".join(reason for exclusion in excluded for reason in exclusion.reasons))
    choice = f"{reader.id} picked it"
    due = read.due_at or read.created_at
    why = planned or Explanation(RULE, now, due, candidates, Excluded.of(excluded), choice)
    lease = new_lease(reader.id, candidates[0].session_id, now, heartbeat_timeout_s)
    lease = _extend(lease, now, heartbeat_timeout_s, claimed_at=now)
    return grant(tx, read, reader, lease, Event.CLAIM, Actor.READER, now, explanation_json(why))


def _not_entitled(tx: Transaction, read: Read, reader: Reader, now: datetime) -> tuple[str, ...]:
    """Credential, scope and workstation, as they are now; each may have changed since the read was offered."""
    need = need_now(tx, read)
    outside = () if need is None else (*scope_problems(need, reader), *history_problems(need, reader))
    return (*entitlement_problems(reader, read.origin, now), *outside, *display_problems(reader, now))


def _extend(lease: Lease, now: datetime, timeout_s: float, claimed_at: datetime | None = None) -> Lease:
    return replace(lease, until=now + timedelta(seconds=timeout_s), claimed_at=claimed_at or lease.claimed_at)


def _held(tx: Transaction, read_id: str, reader_id: str, token: str) -> tuple[Read, Lease]:
    read = _read(tx, read_id)
    lease = read.live_lease
    if lease is None or lease.reader_id != reader_id or lease.transaction_uid != token:
        raise StaleLease(f"the fencing token is not the live one (the read is {read.state.value})")
    return read, lease


def _read(tx: Transaction, read_id: str) -> Read:
    read = tx.reads.get(read_id, lock=True)
    if read is None:
        raise NotFound("no such read")
    return read


def _reader(tx: Transaction, reader_id: str) -> Reader:
    reader = tx.readers.get(reader_id)
    if reader is None:
        raise NotAllowed("the token is of a reader the network does not know")
    return reader
