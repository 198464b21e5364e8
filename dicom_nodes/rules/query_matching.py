"""Attribute matching of C-FIND (DICOM PS3.4 C.2.2.2): does a stored value meet the value of a key?"""

import re
from dataclasses import dataclass
from enum import Enum, auto

from dicom_nodes.model.errors import IdentifierMismatch
from dicom_nodes.rules.person_name import fold


class Matching(Enum):
    """How values of a key are compared."""

    UID = auto()
    """Exact, or one of a list (C.2.2.2.2)."""
    TEXT = auto()
    """Exact with case, or with the wildcards `*` and `?` (C.2.2.2.1, C.2.2.2.4)."""
    NAME = auto()
    """As text, but without regard to case and diacritics."""
    DATE = auto()
    TIME = auto()
    """Exact or a range (C.2.2.2.5)."""
    NUMBER = auto()
    """By numerical value."""
    RETURN_ONLY = auto()
    """Answered, never matched."""


@dataclass(frozen=True, slots=True)
class Range:
    """Inclusive bounds as comparable text; None is open."""

    low: str | None
    high: str | None

    def holds(self, value: str) -> bool:
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)


_DATE = re.compile(r"\d{8}|\d{4}\.\d{2}\.\d{2}")
_TIME = re.compile(r"\d{2}(:?\d{2}(:?\d{2}(\.\d{1,6})?)?)?")


def is_universal(matching: Matching, wanted: str) -> bool:
    """Whether the key matches everything: it is empty, or only asterisks where wildcards are allowed."""
    text = wanted.strip()
    return not text or (matching in {Matching.TEXT, Matching.NAME} and not text.strip("*"))


def has_wildcard(wanted: str) -> bool:
    """Whether the text holds `*` or `?`; `_` and `%` are ordinary characters."""
    return "*" in wanted or "?" in wanted


def date_range(wanted: str) -> Range:
    """Bounds of a date key as YYYYMMDD.

    Raises:
        IdentifierMismatch: neither a date nor a range of dates.
    """
    low, high = _bounds(wanted, _DATE, "date")
    return Range(low and low.replace(".", ""), high and high.replace(".", ""))


def time_range(wanted: str) -> Range:
    """Bounds of a time key as HHMMSSFFFFFF; what a key leaves out is any (`10` is all of ten o'clock).

    Raises:
        IdentifierMismatch: neither a time nor a range of times.
    """
    low, high = _bounds(wanted, _TIME, "time")
    return Range(low and comparable_time(low, "0"), high and comparable_time(high, "9"))


def comparable_time(text: str, filler: str = "0") -> str:
    """A DICOM time as twelve digits, missing ones filled in."""
    return re.sub(r"[:. ]", "", text).ljust(12, filler)[:12]


def matches(matching: Matching, wanted: str, stored: str) -> bool:
    """Whether a stored value (several joined by backslashes) meets the key; any of several is enough.

    Raises:
        IdentifierMismatch: the key's own value is malformed.
    """
    if matching is Matching.RETURN_ONLY or is_universal(matching, wanted):
        return True
    return any(_meets(matching, wanted, value.strip()) for value in stored.split("\\"))


def _meets(matching: Matching, wanted: str, value: str) -> bool:
    match matching:
        case Matching.DATE:
            return bool(value) and date_range(wanted).holds(value.replace(".", ""))
        case Matching.TIME:
            return bool(value) and time_range(wanted).holds(comparable_time(value))
        case Matching.NUMBER:
            return any(_number(part) == _number(value) for part in wanted.split("\\"))
        case Matching.UID:
            return value in {part.strip("\0 ") for part in wanted.split("\\")}
        case Matching.NAME:
            groups = [fold(value), *fold(value).split("=")]
            return any(_fits(fold(part), group) for part in wanted.split("\\") for group in groups)
    return any(_fits(part.strip(), value) for part in wanted.split("\\"))


def _fits(pattern: str, value: str) -> bool:
    if not has_wildcard(pattern):
        return pattern == value
    translated = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(translated, value, re.DOTALL) is not None


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _bounds(wanted: str, form: re.Pattern[str], what: str) -> tuple[str | None, str | None]:
    text = wanted.strip()
    low, dash, high = text.partition("-")
    low, high = low.strip(), high.strip() if dash else low.strip()
    if any(bound and form.fullmatch(bound) is None for bound in (low, high)) or not (low or high):
        raise IdentifierMismatch(f"a {what} key is neither a {what} nor a range")
    return low or None, high or None
