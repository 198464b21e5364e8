"""A reader's rhythm: when a change of exam is due, and when a break is (ADR 088).

Both are wishes of staff, not limits of safety: acute reads, and what a reader asks for, go before them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from router.model.reader import Reader
from router.model.session import RecentRead, Session

BREAK_MINUTES = 10.0
"""A pause as long as this is a break. British guidance on display screens asks for 5 to 10 minutes an hour."""
NO_LIMIT = 10_000
"""`run_of` a reader who has none."""


def run_of(reader: Reader, recent: Sequence[RecentRead]) -> tuple[str | None, int]:
    """(exam group of the last reads, how many more of it before a change is due); what is on the list counts."""
    if reader.max_run is None:
        return None, NO_LIMIT
    if not recent or recent[-1].exam_group is None:
        return None, reader.max_run
    group, length = recent[-1].exam_group, 0
    for read in reversed(recent):
        if read.exam_group != group:
            break
        length += 1
    return group, reader.max_run - length


def is_break_due(reader: Reader, recent: Sequence[RecentRead], now: datetime) -> bool:
    """Whether the reader has read as long as wished since the last pause that was a break."""
    if reader.break_after_minutes is None:
        return False
    read_for, since = timedelta(), now
    for read in reversed(recent):
        if read.began_at is None:
            continue
        ended = min(read.ended_at or now, since)
        if since - ended >= timedelta(minutes=BREAK_MINUTES):
            break
        read_for += max(ended - read.began_at, timedelta())
        since = min(read.began_at, since)
    return read_for >= timedelta(minutes=reader.break_after_minutes)


def minutes_for_breaks(reader: Reader, session: Session) -> float:
    """By how much the session's capacity in minutes exceeds what its length allows with the reader's breaks."""
    if reader.break_after_minutes is None or session.capacity_minutes is None:
        return 0.0
    length = (session.ends_at - session.starts_at).total_seconds() / 60.0
    reading = length * reader.break_after_minutes / (reader.break_after_minutes + BREAK_MINUTES)
    return max(session.capacity_minutes - reading, 0.0)
