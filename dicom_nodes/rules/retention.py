"""Which studies the spool lets go of: only what others have and nobody here needs; by age, sooner where room is short.

Nothing is lost by it: the catalogue goes on to know the instances, their archive goes on to have them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Retention:
    """What an administrator decided."""

    keep: timedelta
    """Studies are kept this long after their newest instance came, room permitting."""
    keep_at_least: timedelta
    """Nothing younger is let go of, however short room is."""
    make_room_below_bytes: int
    """With less room than this, what may go goes before its time: the oldest first."""
    make_room_until_bytes: int
    """Until there is this much."""


@dataclass(frozen=True, slots=True)
class StudyInSpool:
    """What is decided by; times are aware UTC."""

    study_instance_uid: str
    last_arrival: datetime
    settled_at: datetime | None
    """When its newest revision was made."""
    is_growing: bool
    unarchived: int
    """Instances of this trust's own that the archive has not acknowledged."""
    fetched: int
    """Instances that came from another trust to be read here."""
    is_delivered: bool
    """Every order to deliver it is completed, and there was one. Fetched studies that nobody ordered to be delivered go
    after twice the time: their origin has them, and an order that comes after all fetches them again."""
    is_in_use: bool
    """A job, or an order under way, names it."""
    in_open_segments: int
    """Instances in segments that are still written to: those are let go of as a whole, later."""
    size_bytes: int
    """What would be let go of."""


@dataclass(frozen=True, slots=True)
class Evict:
    """Let go of its bytes now."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Not now; the reason is for an administrator."""

    reason: str


def room_to_make(free_bytes: int, was_making_room: bool, policy: Retention) -> int:
    """How many bytes to let go of before their time; once begun it goes on until there is room enough."""
    begins_below = policy.make_room_until_bytes if was_making_room else policy.make_room_below_bytes
    return max(0, policy.make_room_until_bytes - free_bytes) if free_bytes < begins_below else 0


def may_evict(study: StudyInSpool, policy: Retention, now: datetime, lacks_room: bool) -> Evict | Keep:
    """Whether the study's bytes may go; the first reason against it counts."""
    last = max(study.last_arrival, study.settled_at or study.last_arrival)
    if study.is_growing:
        return Keep("is growing")
    if study.is_in_use:
        return Keep("is in use")
    if study.unarchived:
        return Keep("is not wholly archived")
    if study.fetched and not study.is_delivered and now < last + 2 * policy.keep:
        return Keep("was fetched and is not delivered")
    if study.in_open_segments:
        return Keep("lies in segments that are written to")
    if now < last + policy.keep_at_least:
        return Keep("came or settled only now")
    is_due = now >= last + policy.keep
    if is_due or (lacks_room and not study.fetched):
        return Evict()
    return Keep("its time is not over")
