"""Dates and times of HL7 v2 (TS/DTM `YYYYMMDDHHMM[SS[.S…]][+/-ZZZZ]`, HL7 v2.5.1 ch. 2.A.22).

A time without offset is Europe/London's, as in every UK system. In the hour that occurs twice in October such a time
cannot be told, so it counts as not said; an ISO offset such as `+11:00` is refused (HAZARDS 19, ADR 021).
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault
from dicom_nodes.hl7.message import Field

HOME = ZoneInfo("Europe/London")
_TIMESTAMP = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.\d{1,6})?)?)?)?)?)?([+-]\d{4})?")


def read_moment(field: Field) -> datetime | None:
    """Read a time as aware UTC; None when it is absent, has no hour and minute, or could be either of two.

    Raises:
        Hl7Fault: not an HL7 time, an offset with a colon, or a time that no clock showed.
    """
    text = field.component(1)
    if not text:
        return None
    match = _match(text, field)
    year, month, day, hour, minute, second, offset = match.groups()
    if minute is None:
        _day(year, month, day, field)
        return None
    try:
        local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=HOME)
        if offset:
            return local.replace(tzinfo=_zone(offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _fault(field, "no such date or time") from None
    return _of_home(local, field)


def read_date(field: Field) -> date | None:
    """Read a date; None when it is absent or less exact than a day.

    Raises:
        Hl7Fault: not an HL7 date.
    """
    text = field.component(1)
    if not text:
        return None
    year, month, day, *_ = _match(text, field).groups()
    return _day(year, month, day, field)


def write_moment(moment: datetime) -> str:
    """An aware time as `YYYYMMDDHHMMSS+ZZZZ` of Europe/London, to the second."""
    return moment.astimezone(HOME).strftime("%Y%m%d%H%M%S%z")


def _match(text: str, field: Field) -> re.Match[str]:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        hint = "; the offset is written +1100, not +11:00" if re.search(r"[+-]\d\d:\d\d$", text) else ""
        raise _fault(field, f"not an HL7 time; expected YYYYMMDDHHMMSS with an offset such as +0100{hint}")
    return match


def _day(year: str, month: str | None, day: str | None, field: Field) -> date | None:
    try:
        whole = date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        raise _fault(field, "no such date") from None
    return whole if day else None


def _zone(offset: str) -> timezone:
    hours, minutes = int(offset[1:3]), int(offset[3:5])
    if hours > 14 or minutes > 59:
        raise ValueError
    size = timedelta(hours=hours, minutes=minutes)
    return timezone(-size if offset[0] == "-" else size)


def _of_home(local: datetime, field: Field) -> datetime | None:
    earlier, later = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if earlier == later:
        return earlier
    if earlier.astimezone(HOME).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise _fault(field, "no clock in Europe/London showed this time; give the offset")
    return None


def _fault(field: Field, words: str) -> Hl7Fault:
    return Hl7Fault(field.place, words, ErrorCode.DATA_TYPE)
