"""What an alert's ladder asks for: (alert, steps, notifications, now) → steps to begin, phone list or not.

The times of all steps are fixed when the ladder is begun and lie in the database: whoever looks later, after whatever
pause, sees the same. All times are aware UTC, so a change of the clocks moves nothing (HAZARDS 19).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from router.model.alert import Alert, AlertStep, Notification, NotificationState, Recipient

DUTY_MANAGER = "duty_manager"


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a trust's ladder; `minutes` is how long its recipients have before the next one."""

    who: str
    minutes: float
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps with their times, and when the phone list is due."""

    steps: tuple[AlertStep, ...]
    phone_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """`levels` are begun now, `phone` opens the phone-list item; `look_at` is when to decide again."""

    levels: tuple[int, ...]
    phone: bool
    look_at: datetime


def lay_ladder(
    alert_id: str, round_: int, rungs: Sequence[Rung], started_at: datetime, deadline_at: datetime
) -> Ladder:
    """Fix the time of every step. What would come after the deadline comes at the deadline: all of it, and the phone.

    Without rungs the phone list is due at once.
    """
    steps, at = [], started_at
    for level, rung in enumerate(rungs, 1):
        steps.append(AlertStep(alert_id, round_, level, rung.who, min(at, deadline_at), rung.recipients))
        at += timedelta(minutes=rung.minutes)
    return Ladder(tuple(steps), min(at, deadline_at))


def due(
    alert: Alert, steps: Sequence[AlertStep], notifications: Sequence[Notification], now: datetime, phone_again_s: float
) -> Due:
    """What is due of this round's `steps`, in order; a step is also due when nobody on those before could be told.

    Needs an alert whose ladder is laid (`phone_at`).
    """
    assert alert.phone_at is not None
    waiting = [step for step in steps if step.begun_at is None]
    begin = [step.level for step in waiting if step.due_at <= now]
    nobody_reached = bool(notifications) and all(n.state is NotificationState.FAILED for n in notifications)
    if nobody_reached and not begin and waiting:
        begin = [waiting[0].level]
    exhausted = nobody_reached and not waiting
    phone_due = alert.phone_at if alert.phoned_at is None else alert.phoned_at + timedelta(seconds=phone_again_s)
    phone = phone_due <= now or (exhausted and alert.phoned_at is None)
    later = [step.due_at for step in waiting if step.level not in begin]
    later.append(now + timedelta(seconds=phone_again_s) if phone else phone_due)
    return Due(tuple(begin), phone, min(later))
