"""What the flows of alerts ask of the database and of the channels."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dicom_nodes.foundation.jobs import Job
from router.model.alert import Alert, AlertMessage, AlertState, AlertStep, Link, Notification, NotificationState


@dataclass(frozen=True, slots=True)
class AlertCount:
    """Alerts of a trust in one state that is not the end, and when the oldest of them was raised."""

    trust: str
    state: AlertState
    count: int
    oldest_raised_at: datetime


class Alerts(Protocol):
    def add(self, alert: Alert) -> bool:
        """False when the same report or request raised this code before."""

    def get(self, alert_id: str, *, lock: bool = False) -> Alert | None: ...

    def raised_for(self, raised_for: str, code: str, scheme: str, *, lock: bool = False) -> Alert | None: ...

    def of_study(self, study_instance_uid: str) -> Sequence[Alert]:
        """Oldest first, in every state."""

    def put(self, alert: Alert) -> None:
        """Write what may change; needs the lock."""

    def due(self, now: datetime, limit: int) -> Sequence[str]:
        """Ids of alerts for which the clock has something to do, longest due first."""

    def oldest_due(self) -> datetime | None:
        """When the clock next has, or longest had, something to do."""

    def look_at(self, alert_id: str, at: datetime) -> None: ...

    def listing(
        self, states: Collection[AlertState], trust: str | None, raised_by: str | None, after: str | None, limit: int
    ) -> Sequence[Alert]:
        """Oldest first; `after` is the id of the last one of the page before. No states: all."""

    def add_steps(self, steps: Sequence[AlertStep]) -> None: ...

    def steps(self, alert_id: str) -> Sequence[AlertStep]:
        """Of every round, in order."""

    def begin_step(self, step: AlertStep, at: datetime) -> None: ...

    def add_notification(self, notification: Notification, place: int) -> bool:
        """`place` is the recipient's on its step; False when it is there already."""

    def notification(self, notification_id: str) -> Notification | None: ...

    def notifications(self, alert_id: str) -> Sequence[Notification]: ...

    def settle_notification(
        self, notification_id: str, state: NotificationState, at: datetime, reason: str | None, reference: str | None
    ) -> bool:
        """Say what became of a queued one; False when it is not queued any more."""

    def withdraw_notifications(self, alert_id: str, at: datetime) -> None:
        """Those still queued are not needed any more."""

    def add_link(self, link: Link) -> None: ...

    def link(self, digest: str) -> Link | None: ...

    def use_link(self, digest: str, at: datetime) -> None: ...

    def counts(self) -> Sequence[AlertCount]: ...

    def past_deadline(self, now: datetime) -> Mapping[str, int]:
        """How many of each trust are unanswered past their deadline."""

    def notification_counts(self) -> Mapping[tuple[str, str], int]:
        """By (channel, state)."""


class Jobs(Protocol):
    """Leased jobs, in the commit they belong to."""

    def enqueue(self, kind: str, key: str, destination: str, *, priority: int = 0) -> None: ...

    def complete(self, job: Job) -> None:
        """Raises LeaseLost: let the transaction roll back."""

    def park(self, job: Job, reason: str) -> None:
        """Raises LeaseLost: let the transaction roll back."""


class JobDesk(Protocol):
    """Leased jobs, each call a commit of its own."""

    def lease(
        self, kinds: Collection[str], lease_s: float, limit_per_destination: int, now: datetime
    ) -> Job | None: ...

    def heartbeat(self, job: Job, lease_s: float) -> None: ...

    def retry(self, job: Job, at: datetime, reason: str) -> None: ...

    def hand_back(self, job: Job) -> None: ...


class AlertChannel(Protocol):
    """A way to tell somebody; safe to use from several threads."""

    def send(self, message: AlertMessage) -> str:
        """Hand the message over; returns the other side's reference. Taken is not acknowledged.

        Raises:
            ChannelFailed: it was not taken; says whether trying again may help.
        """


Checkpoint = Callable[[str], None]
"""Told the name of each durable step as it is done; tests kill the process there."""


def no_checkpoint(step: str) -> None:
    """What stands there outside tests."""
