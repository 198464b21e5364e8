"""Comparisons that are the same whatever the study: a number beyond a name's range, a text that is no time or date.

Texts of times compare letter by letter: no time of day is later than "9:00".
"""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from router.rules.routing_rules.literals import line_and_column, without_texts

RANGES: dict[str, tuple[int, int | None]] = {
    "now.hour": (0, 23),
    "now.weekday": (1, 7),
    "study.minutes_since_exam": (0, None),
    "study.revision": (1, None),
    "order.expected_minutes": (0, None),
}
"""What a name's whole numbers can be; None: as many as one likes. No age: a wrong birth date makes any."""
TIMES = tuple(f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60))

_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPERATOR = r"(==|!=|<=|>=|<|>)"
_RANGED = r"(?<![\w.])(" + "|".join(map(re.escape, RANGES)) + r")(?![\w.])"
_NUMBER = r"(-?\d+)(?![\w.]|\s*[+*/%-])"
_COMPARED = re.compile(rf"{_RANGED}\s*{_OPERATOR}\s*{_NUMBER}")
_COMPARED_BACK = re.compile(rf"(?<![\w.)\"'])(-?\d+)\s*{_OPERATOR}\s*{_RANGED}(?!\s*[+*/%-])")
_BEFORE = re.compile(r"[+*/%-]\s*$")
_CLOCK = re.compile(rf"(now\.time|now\.date)\s*{_OPERATOR}\s*[\"']([^\"'\n]*)[\"']")
_CLOCK_BACK = re.compile(rf"[\"']([^\"'\n]*)[\"']\s*{_OPERATOR}\s*(now\.time|now\.date)(?![\w.])")


@dataclass(frozen=True, slots=True)
class Constant:
    """A comparison that tells nothing; line and column count from 1 within the condition."""

    line: int
    column: int
    message: str
    suggestion: str | None = None


def constant_comparisons(condition: str) -> Iterator[Constant]:
    """Every comparison of a name with a literal that is never, or always, true, or compares with no time or date."""
    bare = without_texts(condition)
    for match in _COMPARED.finditer(bare):
        yield from _of_number(condition, bare, match, match[1], match[2], int(match[3]))
    for match in _COMPARED_BACK.finditer(bare):
        yield from _of_number(condition, bare, match, match[3], _TURNED.get(match[2], match[2]), int(match[1]))
    for match in _CLOCK.finditer(condition):
        yield from _of_clock(condition, match.start(), match[1], match[3])
    for match in _CLOCK_BACK.finditer(condition):
        yield from _of_clock(condition, match.start(), match[3], match[1])


def _of_number(
    condition: str, bare: str, match: re.Match[str], name: str, compare: str, number: int
) -> Iterator[Constant]:
    if _BEFORE.search(bare[: match.start()]):
        return
    low, high = RANGES[name]
    most = max(low, number) + 1 if high is None else high
    answers = {_COMPARE[compare](value, number) for value in {low, most, *_near(number, low, most)}}
    if len(answers) == 1:
        span = f"{low} or more" if high is None else f"{low} to {high}"
        word = "always" if True in answers else "never"
        yield Constant(*line_and_column(condition, match.start()), f"{match[0]} is {word} true: {name} is {span}")


def _near(number: int, low: int, most: int) -> list[int]:
    return [value for value in (number - 1, number, number + 1) if low <= value <= most]


def _of_clock(condition: str, at: int, name: str, literal: str) -> Iterator[Constant]:
    if name == "now.time" and literal not in TIMES:
        padded = literal.zfill(5) if literal.zfill(5) in TIMES else None
        message = f"now.time is compared with {literal!r}, which is no time of day; expected HH:MM, 00:00 to 23:59"
        yield Constant(*line_and_column(condition, at), message, padded)
    if name == "now.date" and not _is_date(literal):
        message = f"now.date is compared with {literal!r}, which is no date; expected YYYY-MM-DD"
        yield Constant(*line_and_column(condition, at), message)


def _is_date(literal: str) -> bool:
    try:
        return date.fromisoformat(literal).isoformat() == literal
    except ValueError:
        return False
