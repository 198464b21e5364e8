"""A reader's booked block of reading time."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Session:
    """Open from `starts_at` to just before `ends_at`; exactly one of the capacities is given."""

    id: str
    reader_id: str
    starts_at: datetime
    ends_at: datetime
    capacity_reads: int | None = None
    capacity_minutes: float | None = None

    def is_open(self, now: datetime) -> bool:
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class SessionLoad:
    """A session with what has been given to it and not handed back."""

    session: Session
    used_reads: int
    used_minutes: float

    def minutes_left(self, expected_minutes: float) -> float:
        """Room left, in minutes of reading; negative or less than one read means none."""
        if self.session.capacity_minutes is not None:
            return self.session.capacity_minutes - self.used_minutes
        return ((self.session.capacity_reads or 0) - self.used_reads) * expected_minutes
