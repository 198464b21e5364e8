"""The life of an alert as one table. Two rules: an alert changes state only by a row of `TRANSITIONS`, and no state
that is not the end is without an owner and a timeout (`STATES`). Delivery of a notification is never acknowledgement.
"""

import enum
from dataclasses import dataclass

from router.model.alert import AlertState
from router.model.errors import TransitionRefused

RAISED, NOTIFIED, ESCALATED = AlertState.RAISED, AlertState.NOTIFIED, AlertState.ESCALATED
ACKNOWLEDGED, CLOSED = AlertState.ACKNOWLEDGED, AlertState.CLOSED


class AlertActor(enum.StrEnum):
    """Who may cause a change."""

    CHANNEL = "channel"
    CLOCK = "clock"
    PERSON = "person"
    ROUTER = "router"


class AlertEvent(enum.StrEnum):
    NOTIFY = "notify"
    ESCALATE = "escalate"
    REDIRECT = "redirect"
    ACKNOWLEDGE = "acknowledge"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class AlertTransition:
    """`guard` says in words what must hold besides; `records` is the ledger event."""

    event: AlertEvent
    sources: frozenset[AlertState]
    target: AlertState
    who: AlertActor
    guard: str
    records: str


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """`timeout` says in words what ends the wait; `on_timeout` the change it causes (None: a human-queue item)."""

    owner: str
    timeout: str | None
    on_timeout: AlertEvent | None
    means: str


_UNANSWERED = frozenset({RAISED, NOTIFIED, ESCALATED})

ALERT_TRANSITIONS: tuple[AlertTransition, ...] = (
    AlertTransition(
        AlertEvent.NOTIFY,
        frozenset({RAISED}),
        NOTIFIED,
        AlertActor.CHANNEL,
        "a channel took a notification of the first step",
        "alert.notified",
    ),
    AlertTransition(
        AlertEvent.ESCALATE,
        _UNANSWERED,
        ESCALATED,
        AlertActor.CLOCK,
        "the next step is due, or every channel of the steps begun has failed",
        "alert.escalated",
    ),
    AlertTransition(
        AlertEvent.REDIRECT,
        _UNANSWERED | {ACKNOWLEDGED},
        RAISED,
        AlertActor.ROUTER,
        "the report was matched: the origin's ladder takes the place of the reading site's",
        "alert.redirected",
    ),
    AlertTransition(
        AlertEvent.ACKNOWLEDGE,
        _UNANSWERED,
        ACKNOWLEDGED,
        AlertActor.PERSON,
        "a person gives their name, by a one-time link or through the API",
        "alert.acknowledged",
    ),
    AlertTransition(
        AlertEvent.CLOSE,
        frozenset({ACKNOWLEDGED}),
        CLOSED,
        AlertActor.PERSON,
        "a person says what was done",
        "alert.closed",
    ),
)

_LADDER = "the next step of the trust's ladder; after the last one, or the code's deadline, the phone list"

ALERT_STATES: dict[AlertState, AlertPolicy] = {
    RAISED: AlertPolicy("router", _LADDER, AlertEvent.ESCALATE, "nobody could be told yet"),
    NOTIFIED: AlertPolicy("recipients of the first step", _LADDER, AlertEvent.ESCALATE, "told; nobody answered"),
    ESCALATED: AlertPolicy(
        "recipients of the steps begun", _LADDER, AlertEvent.ESCALATE, "told further up; nobody answered"
    ),
    ACKNOWLEDGED: AlertPolicy(
        "the person who acknowledged", "alerts.close_within_minutes", None, "a named person has taken it on"
    ),
    CLOSED: AlertPolicy("nobody", None, None, "a named person said what was done"),
}

ALERT_ENDS = frozenset({CLOSED})

_BY_SOURCE = {(row.event, source): row for row in ALERT_TRANSITIONS for source in row.sources}


def alert_transition(state: AlertState, event: AlertEvent, actor: AlertActor) -> AlertTransition:
    """The row that `event` by `actor` takes from `state`.

    Raises:
        TransitionRefused: there is none; says what would be needed.
    """
    row = _BY_SOURCE.get((event, state))
    if row is None:
        sources = sorted({source.value for row in ALERT_TRANSITIONS if row.event is event for source in row.sources})
        raise TransitionRefused(f"{event.value}: the alert is {state.value}, expected {' or '.join(sources)}")
    if actor is not row.who:
        raise TransitionRefused(f"{event.value}: not for {actor.value}, only for {row.who.value}")
    return row
