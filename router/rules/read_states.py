"""The life of a read as one table. Two rules: a read changes state only by a row of `TRANSITIONS`, and no state
that is not an end is without an owner and a timeout (`STATES`).

Maps to DICOM UPS, FHIR Task and IHE XRR-WD as STANDARDS.md "Life of a read" says (DICOM PS3.4 CC.1.1).
"""

import enum
from dataclasses import dataclass

from router.model.errors import TransitionRefused
from router.model.read import ReadState

RECEIVED, READY, ASSIGNED, READING = ReadState.RECEIVED, ReadState.READY, ReadState.ASSIGNED, ReadState.READING
ON_HOLD, PRELIMINARY, VERIFIED = ReadState.ON_HOLD, ReadState.PRELIMINARY, ReadState.VERIFIED
DELIVERED, CLOSED, DECLINED = ReadState.DELIVERED, ReadState.CLOSED, ReadState.DECLINED
SUPERSEDED, CANCELLED, FAILED = ReadState.SUPERSEDED, ReadState.CANCELLED, ReadState.FAILED


class Actor(enum.StrEnum):
    """Who may cause a change."""

    NODE = "node"
    ROUTER = "router"
    PLANNER = "planner"
    CLOCK = "clock"
    READER = "reader"
    COORDINATOR = "coordinator"
    ORIGIN = "origin"


class Event(enum.StrEnum):
    ROUTE = "route"
    UNROUTE = "unroute"
    REVISE = "revise"
    ASSIGN = "assign"
    CLAIM = "claim"
    HEARTBEAT = "heartbeat"
    HOLD = "hold"
    RESUME = "resume"
    DECLINE = "decline"
    OFFER_AGAIN = "offer_again"
    LAPSE = "lapse"
    LOSE = "lose"
    WITHDRAW = "withdraw"
    MOVE = "move"
    REPORT = "report"
    VERIFY = "verify"
    ACCEPT = "accept"
    ACKNOWLEDGE = "acknowledge"
    FILE = "file"
    CONCLUDE = "conclude"
    OVERTAKE = "overtake"
    AMEND = "amend"
    SUPERSEDE = "supersede"
    CANCEL = "cancel"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Transition:
    """`guard` says in words what must hold besides; `records` is the ledger event, None for a heartbeat."""

    event: Event
    sources: frozenset[ReadState]
    target: ReadState
    who: frozenset[Actor]
    guard: str
    records: str | None


@dataclass(frozen=True, slots=True)
class StatePolicy:
    """`timeout` names a setting of the router; `on_timeout` the change it causes (None: a human-queue item)."""

    owner: str
    timeout: str | None
    on_timeout: Event | None
    means: str


def _row(
    event: Event, sources: set[ReadState], target: ReadState, who: set[Actor], guard: str, records: str | None
) -> Transition:
    return Transition(event, frozenset(sources), target, frozenset(who), guard, records)


_HELD = {ASSIGNED, READING, ON_HOLD, PRELIMINARY}
_HOLDER = "the caller presents the live fencing token"

TRANSITIONS: tuple[Transition, ...] = (
    _row(Event.ROUTE, {RECEIVED}, READY, {Actor.ROUTER, Actor.COORDINATOR}, "the exam is mapped", "read.ready"),
    _row(Event.ROUTE, {READY}, READY, {Actor.ROUTER, Actor.COORDINATOR}, "the exam is mapped", "read.ready"),
    _row(
        Event.UNROUTE,
        {READY, ASSIGNED},
        RECEIVED,
        {Actor.ROUTER},
        "a new revision changed what exam it is; an offer is taken back",
        "read.unrouted",
    ),
    _row(Event.REVISE, {RECEIVED}, RECEIVED, {Actor.NODE}, "a new revision settled", "read.revised"),
    _row(Event.REVISE, {READY}, READY, {Actor.NODE}, "a new revision settled", "read.revised"),
    _row(Event.REVISE, {ASSIGNED}, ASSIGNED, {Actor.NODE}, "a new revision settled", "read.revised"),
    _row(Event.ASSIGN, {READY}, ASSIGNED, {Actor.PLANNER}, "the reader is eligible", "read.assigned"),
    _row(Event.CLAIM, {ASSIGNED}, READING, {Actor.READER}, "it is assigned to the credentialed caller", "read.claimed"),
    _row(Event.CLAIM, {READY}, READING, {Actor.READER}, "the caller is eligible", "read.claimed"),
    _row(Event.HEARTBEAT, {READING}, READING, {Actor.READER}, _HOLDER, None),
    _row(Event.HOLD, {READING}, ON_HOLD, {Actor.READER}, _HOLDER, "read.held"),
    _row(Event.RESUME, {ON_HOLD}, READING, {Actor.READER}, _HOLDER, "read.resumed"),
    _row(Event.DECLINE, {ASSIGNED, READING, ON_HOLD}, DECLINED, {Actor.READER}, "a reason is given", "read.declined"),
    _row(Event.OFFER_AGAIN, {DECLINED}, READY, {Actor.ROUTER}, "that reader is excluded", "read.offered_again"),
    _row(Event.LAPSE, {ASSIGNED}, READY, {Actor.CLOCK}, "unclaimed past its timeout", "read.offer_lapsed"),
    _row(Event.LOSE, {READING}, READY, {Actor.CLOCK}, "no heartbeat within its timeout", "read.lease_lost"),
    _row(
        Event.WITHDRAW,
        _HELD,
        READY,
        {Actor.ROUTER, Actor.COORDINATOR},
        "the holder is no longer entitled, or a coordinator takes it back",
        "read.lease_withdrawn",
    ),
    _row(
        Event.MOVE,
        {ASSIGNED},
        READY,
        {Actor.PLANNER},
        "not opened, images not there yet, and another reader is better for it by a stated gain",
        "read.moved",
    ),
    _row(Event.REPORT, _HELD, PRELIMINARY, {Actor.READER}, "matched, by the holder, entitled now", "read.preliminary"),
    _row(Event.VERIFY, _HELD, VERIFIED, {Actor.READER}, "matched, by the holder, entitled now", "read.verified"),
    _row(
        Event.ACCEPT,
        {READY, *_HELD},
        VERIFIED,
        {Actor.COORDINATOR},
        "a named person accepts a held final report that contradicts nothing and whose author is entitled now",
        "read.verified",
    ),
    _row(
        Event.ACKNOWLEDGE,
        {VERIFIED},
        DELIVERED,
        {Actor.ORIGIN},
        "the origin's RIS took the newest version (AA)",
        "read.delivered",
    ),
    _row(
        Event.FILE,
        {DELIVERED},
        CLOSED,
        {Actor.ORIGIN},
        "filed on every closing channel",
        "read.closed",
    ),
    _row(
        Event.AMEND,
        {VERIFIED, DELIVERED, CLOSED},
        VERIFIED,
        {Actor.READER, Actor.COORDINATOR},
        "a correction, addendum or cancellation of the report that stands: it has to reach the origin like any version",
        "read.amended",
    ),
    _row(
        Event.CONCLUDE,
        {VERIFIED},
        CLOSED,
        {Actor.ROUTER, Actor.COORDINATOR},
        "a second read whose report does not go home: it agrees with the first, or a person decided so",
        "read.closed",
    ),
    _row(
        Event.OVERTAKE,
        {VERIFIED, DELIVERED},
        CLOSED,
        {Actor.ROUTER},
        "the report of another read of the study reached the origin in its place, and nothing of it is owed any more",
        "read.closed",
    ),
    _row(
        Event.SUPERSEDE,
        {RECEIVED, READY, ASSIGNED},
        SUPERSEDED,
        {Actor.NODE},
        "a second read of images that a new revision replaced",
        "read.superseded",
    ),
    _row(
        Event.SUPERSEDE,
        {READING, ON_HOLD, PRELIMINARY},
        SUPERSEDED,
        {Actor.NODE},
        "a new revision settled; a fresh read replaces this one",
        "read.superseded",
    ),
    _row(
        Event.CANCEL, {RECEIVED, READY, *_HELD}, CANCELLED, {Actor.COORDINATOR}, "a reason is given", "read.cancelled"
    ),
    _row(Event.FAIL, {RECEIVED, READY, *_HELD}, FAILED, {Actor.COORDINATOR}, "a reason is given", "read.failed"),
)

STATES: dict[ReadState, StatePolicy] = {
    RECEIVED: StatePolicy("coordinator", "routing_timeout_s", None, "settled, but not known what exam it is"),
    READY: StatePolicy("planner", "unassigned_timeout_s", None, "waits for an eligible reader"),
    ASSIGNED: StatePolicy("reader", "claim_timeout_s", Event.LAPSE, "offered to a reader, images on their way"),
    READING: StatePolicy("reader", "heartbeat_timeout_s", Event.LOSE, "a reader works on it"),
    ON_HOLD: StatePolicy("reader", "hold_timeout_s", None, "a reader waits for an answer"),
    PRELIMINARY: StatePolicy("reader", "final_timeout_s", None, "reported, not yet final"),
    VERIFIED: StatePolicy("origin", "acknowledge_timeout_s", None, "signed; on its way to the origin"),
    DELIVERED: StatePolicy("origin", "filing_timeout_s", None, "the origin's RIS has taken it"),
    CLOSED: StatePolicy("nobody", None, None, "filed on every closing channel"),
    DECLINED: StatePolicy("router", "plan_every_s", Event.OFFER_AGAIN, "handed back; offered again at once"),
    SUPERSEDED: StatePolicy("nobody", None, None, "a fresh read replaced it"),
    CANCELLED: StatePolicy("nobody", None, None, "a coordinator withdrew it"),
    FAILED: StatePolicy("nobody", None, None, "cannot be read here; a person dealt with it"),
}

ENDS = frozenset({CLOSED, SUPERSEDED, CANCELLED, FAILED})
"""Nothing leaves them but a further version of the report of a closed read (`Event.AMEND`)."""

_BY_SOURCE = {(row.event, source): row for row in TRANSITIONS for source in row.sources}


def transition(state: ReadState, event: Event, actor: Actor) -> Transition:
    """The row that `event` by `actor` takes from `state`.

    Raises:
        TransitionRefused: there is none; says what would be needed.
    """
    row = _BY_SOURCE.get((event, state))
    if row is None:
        sources = sorted({source.value for row in TRANSITIONS if row.event is event for source in row.sources})
        raise TransitionRefused(f"{event.value}: the read is {state.value}, expected {' or '.join(sources)}")
    if actor not in row.who:
        raise TransitionRefused(f"{event.value}: not for {actor.value}, only for {', '.join(sorted(row.who))}")
    return row
