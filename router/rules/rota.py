"""What a rota says: recurring patterns laid out in days, and which sessions would overlap. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from router.model.errors import Invalid
from router.model.reader import Reader
from router.model.rota import Pattern, Remark
from router.model.session import Leave, Session
from router.rules.local_time import ZONE, utc_of

LONGEST_PATTERN_DAYS = 366
LONGEST_SESSION = timedelta(hours=24)


def session_id(reader_id: str, starts_at: datetime, ends_at: datetime) -> str:
    """The same block of time of a reader always has the same id, so that an import can be repeated."""
    return str(uuid5(NAMESPACE_URL, f"{reader_id}/{starts_at.isoformat()}/{ends_at.isoformat()}"))


def lay_out(pattern: Pattern) -> tuple[tuple[Session, ...], tuple[Remark, ...]]:
    """The pattern's sessions, and the days on which daylight saving makes one of its times impossible or double.

    Raises:
        Invalid: the pattern never happens, or reaches too far.
    """
    days = list(_days(pattern))
    if pattern.last_day - pattern.first_day > timedelta(days=LONGEST_PATTERN_DAYS):
        raise Invalid(f"last_day: at most {LONGEST_PATTERN_DAYS} days after first_day")
    if not days:
        raise Invalid("weekdays: the pattern never happens between first_day and last_day")
    sessions: list[Session] = []
    remarks: list[Remark] = []
    for day in days:
        try:
            sessions.append(_session(pattern, day))
        except Invalid as problem:
            remarks.append(Remark(f"{day:%Y-%m-%d}", str(problem)))
    return tuple(sessions), tuple(remarks)


def without_overlaps(
    rows: Iterable[tuple[str, Session]], existing: Sequence[Session]
) -> tuple[list[Session], list[Remark]]:
    """The sessions that meet no other of their reader; of two that meet, the one of the earlier row stays.

    A session that exists already under the same id is not in its own way.
    """
    booked: dict[str, list[tuple[str, Session]]] = defaultdict(list)
    for session in existing:
        booked[session.reader_id].append(("a session that is booked", session))
    kept: list[Session] = []
    remarks: list[Remark] = []
    for row, session in rows:
        met = next((item for item in booked[session.reader_id] if _meet(item[1], session)), None)
        if met is not None:
            remarks.append(Remark(row, f"overlaps {met[0]} of the same reader, {span(met[1])}"))
            continue
        booked[session.reader_id].append((f"row {row}", session))
        kept.append(session)
    return kept, remarks


def entitlement_warnings(rows: Iterable[tuple[str, Session]], readers: Mapping[str, Reader]) -> Iterator[Remark]:
    """Sessions at whose start their reader is inactive, or has no valid credential: nothing will be given to them."""
    for row, session in rows:
        reader = readers[session.reader_id]
        if not reader.active:
            yield Remark(row, f"reader {reader.id} is not active", is_refusal=False)
        elif not any(reader.is_credentialed(c.trust, session.starts_at) for c in reader.credentials):
            last = max((c.valid_until for c in reader.credentials), default=None)
            when = (
                "has no credential at all"
                if last is None
                else f"has no valid credential then (last until {last:%Y-%m-%d})"
            )
            yield Remark(row, f"reader {reader.id} {when}", is_refusal=False)


def leave_warnings(rows: Iterable[tuple[str, Session]], leave: Sequence[Leave]) -> Iterator[Remark]:
    """Sessions that meet leave of their reader: nothing is given to them in that time."""
    for row, session in rows:
        for away in leave:
            if away.reader_id == session.reader_id and _overlap(away, session):
                yield Remark(row, f"reader {away.reader_id} is on leave {span(away)}", is_refusal=False)


def session_warnings(
    row: str, session: Session, reader: Reader, leave: Sequence[Leave], now: datetime
) -> Iterator[Remark]:
    """Why little or nothing will be given to this session."""
    if session.ends_at <= now:
        yield Remark(row, "is over already", is_refusal=False)
    yield from entitlement_warnings([(row, session)], {reader.id: reader})
    yield from leave_warnings([(row, session)], leave)


def capacity_problem(session: Session, reader: Reader) -> str | None:
    """Why the session cannot have so many minutes; an outsourcer's are those of several people."""
    asked, there = session.capacity_minutes, _length_minutes(session)
    if reader.outsourcer is not None or asked is None or asked <= there:
        return None
    return f"capacity_minutes: expected at most {there:g}, as long as the session lasts, got {asked:g}"


def _length_minutes(session: Session) -> float:
    """By the clock on the wall, if that is more: a night shift has its minutes when the clocks go forward too."""
    on_the_wall = session.ends_at.astimezone(ZONE).replace(tzinfo=None) - session.starts_at.astimezone(ZONE).replace(
        tzinfo=None
    )
    return max(session.ends_at - session.starts_at, on_the_wall).total_seconds() / 60


def span(block: Session | Leave) -> str:
    """From when to when, for people."""
    return f"{block.starts_at:%Y-%m-%d %H:%M} to {block.ends_at:%Y-%m-%d %H:%M} UTC"


def _meet(one: Session, other: Session) -> bool:
    return one.id != other.id and _overlap(one, other)


def _overlap(one: Session | Leave, other: Session | Leave) -> bool:
    return one.starts_at < other.ends_at and other.starts_at < one.ends_at


def _days(pattern: Pattern) -> Iterator[date]:
    monday = pattern.first_day - timedelta(days=pattern.first_day.weekday())
    for number in range(min((pattern.last_day - pattern.first_day).days, LONGEST_PATTERN_DAYS) + 1):
        day = pattern.first_day + timedelta(days=number)
        week = (day - monday).days // 7
        if day.weekday() in pattern.weekdays and week % pattern.every_weeks == 0 and day not in pattern.except_days:
            yield day


def _session(pattern: Pattern, day: date) -> Session:
    end_day = day if pattern.ends > pattern.starts else day + timedelta(days=1)
    starts_at = utc_of(datetime.combine(day, pattern.starts))
    ends_at = utc_of(datetime.combine(end_day, pattern.ends))
    minutes = pattern.capacity_minutes
    if minutes is None and pattern.capacity_reads is None:
        minutes = (ends_at - starts_at).total_seconds() / 60
    return Session(
        id=session_id(pattern.reader_id, starts_at, ends_at),
        reader_id=pattern.reader_id,
        starts_at=starts_at,
        ends_at=ends_at,
        capacity_reads=pattern.capacity_reads,
        capacity_minutes=minutes,
        kind=pattern.kind,
        place=pattern.place,
        pattern_id=pattern.id,
    )
