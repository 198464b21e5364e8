"""Attribute matching of C-FIND (DICOM PS3.4 C.2.2.2): does a stored value meet the value of a key?"""

import re
from collections.abc import Callable
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


Test = Callable[[str], bool]
"""Whether a stored value meets a key."""


def matcher(matching: Matching, wanted: str, *, several: bool = True) -> Test | None:
    """A key read once, for as many stored values as there are; None where it matches everything.

    A stored value may be several joined by backslashes: any of them is enough, and so is the whole. Where the attribute
    has one value (not `several`), a backslash is part of it: nobody's Patient ID is half of another's.

    Raises:
        IdentifierMismatch: the key's value is malformed.
    """
    if matching is Matching.RETURN_ONLY or is_universal(matching, wanted):
        return None
    meets = _single_matcher(matching, wanted)
    if not several:
        return lambda stored: meets(stored.strip())
    return lambda stored: meets(stored.strip()) or ("\\" in stored and any(map(meets, _stripped(stored))))


def matches(matching: Matching, wanted: str, stored: str, *, several: bool = True) -> bool:
    """Whether a stored value meets the key; as `matcher`."""
    meets = matcher(matching, wanted, several=several)
    return meets is None or meets(stored)


def values_of(matching: Matching, wanted: str) -> tuple[str, ...]:
    """The alternatives a key names, as they are compared.

    A text with backslashes is a list and, for one who asks with what is stored, also a text with backslashes. Nothing
    between two of them is no alternative: it asks for nobody, least of all for everybody without a value.
    """
    parts = wanted.split("\\")
    if len(parts) > 1 and matching in {Matching.TEXT, Matching.NAME}:
        parts.append(wanted)
    match matching:
        case Matching.UID:
            values = [part.strip("\0 ") for part in parts]
        case Matching.NAME:
            values = [fold(part) for part in parts]
        case _:
            values = [part.strip() for part in parts]
    return tuple(dict.fromkeys(value for value in values if value))


def _stripped(stored: str) -> list[str]:
    return [value.strip() for value in stored.split("\\")]


def _single_matcher(matching: Matching, wanted: str) -> Test:
    match matching:
        case Matching.DATE:
            dates = date_range(wanted)
            return lambda value: bool(value) and dates.holds(value.replace(".", ""))
        case Matching.TIME:
            times = time_range(wanted)
            return lambda value: bool(value) and times.holds(comparable_time(value))
        case Matching.NUMBER:
            numbers = {_number(part) for part in values_of(matching, wanted)}
            return lambda value: _number(value) in numbers
        case Matching.UID:
            return frozenset(values_of(matching, wanted)).__contains__
        case Matching.NAME:
            fits = [(pattern.count("^"), _fitting((pattern,))) for pattern in values_of(matching, wanted)]
            return lambda value: any(fit(_padded(form, n)) for form in _name_forms(value) for n, fit in fits)
    return _fitting(values_of(matching, wanted))


def _name_forms(value: str) -> tuple[str, ...]:
    """A name as a whole, and each of its component groups (alphabetic, ideographic, phonetic)."""
    folded = fold(value)
    return (folded, *folded.split("=")) if "=" in folded else (folded,)


def _padded(name: str, carets: int) -> str:
    """With the empty trailing components that a key names: `Smith^*` is also a Smith without a given name."""
    return name + "^" * (carets - name.count("^"))


def _fitting(patterns: tuple[str, ...]) -> Test:
    exact = frozenset(pattern for pattern in patterns if not has_wildcard(pattern))
    wild = [_translated(pattern) for pattern in patterns if has_wildcard(pattern)]
    return lambda value: value in exact or any(pattern.fullmatch(value) for pattern in wild)


def _translated(pattern: str) -> re.Pattern[str]:
    """As a regular expression that takes linear time: what lies between two asterisks is matched at its first place."""
    first, *middle = (_without_asterisk(part) for part in re.split(r"\*+", pattern))
    if not middle:
        return re.compile(first, re.DOTALL)
    last = middle.pop()
    return re.compile(first + "".join(f"(?>.*?{part})" for part in middle) + f".*{last}", re.DOTALL)


def _without_asterisk(part: str) -> str:
    return "".join("." if character == "?" else re.escape(character) for character in part)


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
