"""A reader's booked block of reading time, and the time away from it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SessionKind(StrEnum):
    """What a session is booked for; a pathway may ask for certain kinds."""

    ACUTE = "acute"
    ON_CALL = "on_call"
    INPATIENT = "inpatient"
    CANCER = "cancer"
    ELECTIVE = "elective"
    OUT_OF_HOURS = "out_of_hours"


@dataclass(frozen=True, slots=True)
class Workstation:
    """Where images are delivered, and which node delivers them."""

    node: str
    ae_title: str


@dataclass(frozen=True, slots=True)
class Session:
    """Open from `starts_at` to just before `ends_at`; exactly one of the capacities is given.

    `place` is where the reader sits in this session; None means at the reader's own workstation.
    `pattern_id` names the recurring pattern it was made of, if any.
    """

    id: str
    reader_id: str
    starts_at: datetime
    ends_at: datetime
    capacity_reads: int | None = None
    capacity_minutes: float | None = None
    kind: SessionKind = SessionKind.ELECTIVE
    place: Workstation | None = None
    pattern_id: str | None = None

    def is_open(self, now: datetime) -> bool:
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class Leave:
    """A reader is away from `starts_at` to just before `ends_at`, whatever sessions are booked."""

    id: str
    reader_id: str
    starts_at: datetime
    ends_at: datetime
    reason: str = ""

    def covers(self, now: datetime) -> bool:
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class RecentRead:
    """A read given to an open session and kept there; `began_at` None: on the list. `ended_at` None: not yet."""

    exam_group: str | None
    began_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SessionLoad:
    """A session with what has been given to it and not handed back; `break_minutes` of its capacity are for breaks."""

    session: Session
    used_reads: int
    used_minutes: float
    break_minutes: float = 0.0

    @property
    def capacity_minutes(self) -> float | None:
        """What can be read in it, breaks taken off; None where the session counts reads."""
        capacity = self.session.capacity_minutes
        return None if capacity is None else capacity - self.break_minutes

    def minutes_left(self, expected_minutes: float) -> float:
        """Room left, in minutes of reading; negative or less than one read means none."""
        if self.capacity_minutes is not None:
            return self.capacity_minutes - self.used_minutes
        return ((self.session.capacity_reads or 0) - self.used_reads) * expected_minutes
