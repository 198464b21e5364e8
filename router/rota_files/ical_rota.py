"""A rota as iCalendar (RFC 5545): events and their recurrences laid out as blocks of time.

An event's kind is one of its CATEGORIES (`elective`, `leave`, …), its reader X-READACROSS-READER; what an event lacks
may be given for the whole file. An occurrence ends at the same wall-clock time as the first one, so that a night shift
ends at 07:00 on the night the clocks change too. What daylight saving repeats is the first of both (RFC 5545 3.3.5).
"""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from dateutil.rrule import rrulestr
from icalendar import Calendar
from icalendar.timezone import tzp

from router.model.errors import Invalid
from router.model.rota import Remark, RotaBlock
from router.model.session import SessionKind
from router.rota_files.csv_rota import LEAVE, check_span
from router.rules.local_time import ZONE, RepeatedTime, utc_of

MAXIMUM_OCCURRENCES = 1000
_ONE_AT_A_TIME = threading.Lock()
"""The library keeps the zones that a calendar explains for all calendars after it: they are forgotten before each."""
_FREQUENCIES = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
_KINDS = {kind.value: kind for kind in SessionKind}


def read_ical_rota(
    text: str, now: datetime, until: datetime, reader_id: str | None = None, kind: str | None = None
) -> tuple[list[RotaBlock], list[Remark]]:
    """Blocks that end after `now` and start before `until`, with refusals and warnings.

    Raises:
        Invalid: the text is no calendar.
    """
    with _ONE_AT_A_TIME:
        tzp.use_default()
        return _read(text, (now, until), reader_id, kind)


def _read(
    text: str, window: tuple[datetime, datetime], reader_id: str | None, kind: str | None
) -> tuple[list[RotaBlock], list[Remark]]:
    try:
        calendar = Calendar.from_ical(text)
        events = list(calendar.walk("VEVENT"))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Invalid(f"the file is no iCalendar: {type(error).__name__}") from None
    moved = _moved(events)
    blocks: list[RotaBlock] = []
    remarks: list[Remark] = []
    for number, event in enumerate(events, start=1):
        row = _name(event, number)
        try:
            for block, remark in _occurrences(event, row, window, moved, reader_id, kind):
                blocks += [] if block is None else [block]
                remarks += [] if remark is None else [remark]
        except Invalid as problem:
            remarks.append(Remark(row, str(problem)))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            remarks.append(Remark(row, f"cannot be read: {type(error).__name__}"))
    return blocks, remarks


def _name(event: Any, number: int) -> str:
    """Which event of the file, without its summary, which may be anybody's."""
    return f"event {number} ({str(event.get('UID', 'no UID'))[:60]})"


def _moved(events: list[Any]) -> set[tuple[str, datetime]]:
    """Occurrences that have an event of their own."""
    ids = ((str(event.get("UID")), event.get("RECURRENCE-ID")) for event in events)
    return {(uid, _as_utc(at.dt)) for uid, at in ids if at is not None}


def _occurrences(
    event: Any,
    row: str,
    window: tuple[datetime, datetime],
    moved: set[tuple[str, datetime]],
    reader_id: str | None,
    default_kind: str | None,
) -> Iterator[tuple[RotaBlock | None, Remark | None]]:
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    kind = _kind(event, default_kind)
    reader = str(event.get("X-READACROSS-READER", reader_id or ""))
    if not reader:
        raise Invalid("names no reader: give X-READACROSS-READER, or the reader of the whole file")
    if reader_id is not None and reader != reader_id:
        raise Invalid(f"reader: this import is for {reader_id} only")
    _check_zones(event)
    start, zone = _local(event["DTSTART"].dt, is_leave=kind is None)
    length = _local(_end(event), is_leave=kind is None)[0] - start
    if length <= timedelta():
        raise Invalid("end: must be later than start")
    minutes = _minutes(event)
    uid = str(event.get("UID", ""))
    for local in _starts(event, start, zone, window):
        where = f"{row} on {local:%Y-%m-%d}"
        try:
            begins, repeated = _instant(local, zone)
            ends, repeated_end = _instant(local + length, zone)
            check_span(begins, ends, is_leave=kind is None)
        except Invalid as problem:
            yield None, Remark(where, str(problem))
            continue
        is_moved = "RECURRENCE-ID" not in event and (uid, begins) in moved
        if is_moved or ends <= window[0] or begins >= window[1]:
            continue
        capacity = (ends - begins).total_seconds() / 60 if minutes is None else minutes
        source = f"ical:{reader}:{uid}"[:200] if uid else None
        block = RotaBlock(where, reader, begins, ends, kind, capacity_minutes=capacity, source=source)
        twice = "a time that occurs twice, as the clocks go back, was taken as the first of both"
        yield block, Remark(where, twice, is_refusal=False) if repeated or repeated_end else None


def _starts(event: Any, start: datetime, zone: tzinfo, window: tuple[datetime, datetime]) -> list[datetime]:
    if "RDATE" in event:
        raise Invalid("RDATE is not understood; write events of their own")
    rule = event.get("RRULE")
    if rule is None:
        return [start]
    if isinstance(rule, list):
        raise Invalid("expected one RRULE at most")
    if str(rule.get("FREQ", [""])[0]).upper() not in _FREQUENCIES or start.year < 2000:
        raise Invalid("RRULE: expected FREQ of DAILY, WEEKLY, MONTHLY or YEARLY, and a start since 2000")
    rule = rule.copy()
    for last in rule.pop("UNTIL", [])[:1]:
        rule["UNTIL"] = [_until(last, zone)]
    recurring = rrulestr(rule.to_ical().decode(), dtstart=start, ignoretz=True)
    first, last_day = (at.astimezone(zone).replace(tzinfo=None) for at in window)
    left_out = _left_out(event, zone)
    starts = recurring.xafter(first - timedelta(days=2), count=MAXIMUM_OCCURRENCES + 1, inc=True)
    found: list[datetime] = []
    for local in starts:
        if local > last_day:
            break
        found.append(local)
    if len(found) > MAXIMUM_OCCURRENCES:
        raise Invalid(f"RRULE: expected at most {MAXIMUM_OCCURRENCES} occurrences in the period")
    return [local for local in found if local not in left_out]


def _left_out(event: Any, zone: tzinfo) -> set[datetime]:
    given = event.get("EXDATE", [])
    lists = given if isinstance(given, list) else [given]
    return {_wall(item.dt, zone) for one in lists for item in one.dts}


def _until(last: Any, zone: tzinfo) -> datetime:
    return datetime.combine(last, time(23, 59, 59)) if not isinstance(last, datetime) else _wall(last, zone)


def _wall(value: Any, zone: tzinfo) -> datetime:
    """The local wall-clock time in the event's zone."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time())
    return value if value.tzinfo is None else value.astimezone(zone).replace(tzinfo=None)


def _check_zones(event: Any) -> None:
    """A time whose zone is not known names no instant: it is never taken for the network's own."""
    for name in ("DTSTART", "DTEND", "EXDATE", "RECURRENCE-ID"):
        given = event.get(name, [])
        for one in given if isinstance(given, list) else [given]:
            zone = getattr(one, "params", {}).get("TZID")
            times = [item.dt for item in one.dts] if hasattr(one, "dts") else [one.dt]
            if zone is not None and any(isinstance(at, datetime) and at.tzinfo is None for at in times):
                raise Invalid(f"{name}: expected a TZID that is known, such as Europe/London, got {str(zone)[:60]!r}")


def _local(value: Any, *, is_leave: bool) -> tuple[datetime, tzinfo]:
    """Wall-clock time and zone; a time without a zone, or a whole day, is in the network's own."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None), ZONE if value.tzinfo is None else value.tzinfo
    assert isinstance(value, date)
    if not is_leave:
        raise Invalid("a whole day says no hours: only leave may last whole days")
    return datetime.combine(value, time()), ZONE


def _instant(local: datetime, zone: tzinfo) -> tuple[datetime, bool]:
    try:
        return utc_of(local, zone), False
    except RepeatedTime:
        return local.replace(tzinfo=zone, fold=0).astimezone(UTC), True


def _as_utc(value: Any) -> datetime:
    local, zone = _local(value, is_leave=True)
    return local.replace(tzinfo=zone).astimezone(UTC)


def _end(event: Any) -> Any:
    if "DTEND" in event:
        return event["DTEND"].dt
    if "DURATION" in event:
        return event["DTSTART"].dt + event["DURATION"].dt
    if not isinstance(event["DTSTART"].dt, datetime):
        return event["DTSTART"].dt + timedelta(days=1)  # RFC 5545 3.6.1
    raise Invalid("has neither DTEND nor DURATION")


def _kind(event: Any, default: str | None) -> SessionKind | None:
    if str(event.get("X-MICROSOFT-CDO-BUSYSTATUS", "")).upper() == "OOF":
        return None
    given = event.get("CATEGORIES", [])
    lists = given if isinstance(given, list) else [given]
    words = [str(word).strip().lower() for one in lists for word in getattr(one, "cats", [one])]
    known = {word for word in words if word == LEAVE or word in _KINDS}
    if len(known) > 1:
        raise Invalid(f"CATEGORIES: expected one kind, got {', '.join(sorted(known))}")
    word = next(iter(known), default)
    if word is None:
        raise Invalid(f"CATEGORIES: expected one of {', '.join((*_KINDS, LEAVE))}, or a kind for the whole file")
    return None if word == LEAVE else _KINDS[word]


def _minutes(event: Any) -> float | None:
    given = event.get("X-READACROSS-MINUTES")
    if given is None:
        return None
    minutes = float(given)
    if not 0 < minutes <= 100_000:
        raise Invalid("X-READACROSS-MINUTES: expected a number above 0")
    return minutes
