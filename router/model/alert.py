"""An alert: a finding that somebody at a trust must know of by a certain time, and how far it has come.

Not to be mistaken for a suspected-cancer flag on an order, which raises a read's priority.
"""

import enum
from dataclasses import dataclass
from datetime import datetime

from router.model.report_place import Whereabouts


class AlertState(enum.StrEnum):
    """RAISED: nobody was told yet. NOTIFIED, ESCALATED: told, nobody answered; `Alert.level` is the step of the ladder.

    Only a named person makes an alert ACKNOWLEDGED or CLOSED.
    """

    RAISED = "RAISED"
    NOTIFIED = "NOTIFIED"
    ESCALATED = "ESCALATED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    CLOSED = "CLOSED"


UNANSWERED = frozenset({AlertState.RAISED, AlertState.NOTIFIED, AlertState.ESCALATED})
"""States in which the ladder goes on."""


class Urgency(enum.StrEnum):
    """How soon somebody must act; the deadline itself is configured by code."""

    CRITICAL = "critical"
    URGENT = "urgent"
    SIGNIFICANT = "significant"


class NotificationState(enum.StrEnum):
    """SENT: the channel took it, which is no acknowledgement. UNNEEDED: answered before it was sent."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"
    UNNEEDED = "UNNEEDED"


@dataclass(frozen=True, slots=True)
class Alert:
    """`raised_for` names what asked for it: with code and scheme it is unique, so that nothing raises twice.

    `trust` is whose ladder is climbed: the origin's, or the reading site's while `held_because` says why the report
    waits. `round` counts the ladders, from 1. `look_at` is when the clock next has something to do.
    Identifiers are as the report gives them until it is matched.
    """

    id: str
    raised_for: str
    code: str
    scheme: str
    code_text: str | None
    trust: str
    raised_by: str
    raised_at: datetime
    state: AlertState
    entered_at: datetime
    look_at: datetime | None
    report_id: str | None = None
    read_id: str | None = None
    study_instance_uid: str | None = None
    accession_number: str | None = None
    accession_issuer: str | None = None
    held_because: str | None = None
    category: str | None = None
    urgency: Urgency | None = None
    round: int = 0
    started_at: datetime | None = None
    level: int = 0
    deadline_at: datetime | None = None
    phone_at: datetime | None = None
    phoned_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    acknowledged_note: str | None = None
    closed_by: str | None = None
    closed_at: datetime | None = None
    closed_note: str | None = None

    @property
    def is_unanswered(self) -> bool:
        return self.state in UNANSWERED

    @property
    def is_open(self) -> bool:
        """Until a named person has closed it."""
        return self.state is not AlertState.CLOSED

    @property
    def is_on_phone_list(self) -> bool:
        return self.is_unanswered and self.phoned_at is not None

    def is_past_deadline(self, now: datetime) -> bool:
        return self.is_unanswered and self.deadline_at is not None and self.deadline_at <= now


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody on a step of the ladder, reached by a channel of alerts.toml; `address` as that channel needs it."""

    name: str
    channel: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class AlertStep:
    """A step of an alert's ladder with its time, stored when the ladder is begun: the clock goes on by itself."""

    alert_id: str
    round: int
    level: int
    who: str
    due_at: datetime
    recipients: tuple[Recipient, ...]
    begun_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """One recipient told of one step over one channel."""

    id: str
    alert_id: str
    round: int
    level: int
    recipient: Recipient
    state: NotificationState
    created_at: datetime
    updated_at: datetime
    reason: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link as it is stored: by the digest of its secret, for one alert and one notification."""

    digest: str
    alert_id: str
    notification_id: str
    recipient: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """What a recipient is told: enough to find the report, and nothing about the patient beyond that (ADR 116)."""

    notification_id: str
    alert_id: str
    recipient: Recipient
    trust: str
    accession_number: str | None
    code: str
    code_text: str | None
    category: str
    urgency: Urgency
    level: int
    raised_at: datetime
    deadline_at: datetime
    link: str
    whereabouts: Whereabouts
    accession_issuer: str | None = None
    held_because: str | None = None
