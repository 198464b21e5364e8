"""Whether a condition can hold at all: by folding constants, and by trying the values at which it can change.

A condition that only compares names with literals changes its value only at these literals. So it is tried on every
combination of them, of values just beside them, and of one that is none of them. Where a condition does more (regular
expressions, arithmetic, dates), or where there are too many combinations, nothing is said.
"""

import enum
import itertools
import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from router.rules.routing_rules.bounds import TIMES
from router.rules.routing_rules.conditions import Bound, Condition, Failed, constant_value
from router.rules.routing_rules.known_names import KnownNames
from router.rules.routing_rules.vocabulary import BY_NAME, TEXT, TEXTS, TIME, VOCABULARY, WHOLE, Name

_MOST_COMBINATIONS = 20_000
_NO_VALUE = object()
_MORE_THAN_COMPARING = re.compile(r"matches\(|size\(|[+*/%]|\d\s*-|-\s*[a-z(]|\bnow\b(?!\.)|\bint\(|\bstring\(|map\(")
_TEXT = re.compile(r""""((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'""")
_NUMBER = re.compile(r"(?<![\w.\"'])-?\d+(?![\w.])")


class Reach(enum.Enum):
    NEVER = "never"
    ALWAYS = "always"
    FAILS = "fails"
    SOMETIMES = "sometimes"


def reach(condition: Condition, text: str, known: KnownNames) -> Reach:
    """What can be said of the condition without any study."""
    constant = constant_value(condition)
    if constant is not None:
        return Reach.ALWAYS if constant else Reach.NEVER
    bare = _TEXT.sub("''", text)
    names = [name for name in VOCABULARY if re.search(rf"(?<![\w.]){re.escape(name.name)}(?![\w])", bare)]
    if _MORE_THAN_COMPARING.search(bare):
        return Reach.SOMETIMES
    combinations = list(itertools.islice(_combinations(names, text, known), _MOST_COMBINATIONS + 1))
    if len(combinations) > _MOST_COMBINATIONS:
        return Reach.SOMETIMES
    values = {_kind(condition.evaluate(Bound(facts))) for facts in combinations}
    if values == {Failed}:
        return Reach.FAILS
    if True not in values:
        return Reach.NEVER
    return Reach.ALWAYS if values == {True} else Reach.SOMETIMES


def _kind(value: bool | Failed) -> object:
    return Failed if isinstance(value, Failed) else value


def _combinations(names: list[Name], text: str, known: KnownNames) -> Iterator[dict[str, Any]]:
    choices = [_choices(name, text, known) for name in names]
    for values in itertools.product(*choices):
        facts = dict(zip((name.name for name in names), values, strict=True))
        if _can_be(facts):
            yield {name: value for name, value in facts.items() if value is not _NO_VALUE}


def _can_be(facts: dict[str, Any]) -> bool:
    """Whether the values go together: an age has a value exactly where it is known, and a weekend is two days."""
    has_age = facts.get("study.age_years", _NO_VALUE) is not _NO_VALUE
    if {"study.age_known", "study.age_years"} <= facts.keys() and facts["study.age_known"] is not has_age:
        return False
    both = {"now.weekend", "now.weekday"} <= facts.keys()
    return not both or facts["now.weekend"] is (facts["now.weekday"] >= 6)


def _choices(name: Name, text: str, known: KnownNames) -> list[Any]:
    texts = sorted({double or single for double, single in _TEXT.findall(text)})
    numbers = {int(number) for number in _NUMBER.findall(text)}
    if name.kind == TEXT:
        if name.name == "now.time":
            return _times(texts, text)
        possible = None if name.values == "exam_codes" else known.of(name.values)
        if possible is not None:
            return sorted(possible)
        beside = [other for literal in texts for other in (literal[:-1], literal + " ")]
        return sorted({*texts, *beside, " ".join(texts), "", "~"})
    if name.kind == TEXTS:
        possible = known.of(name.values)
        literals = texts if possible is None else [literal for literal in texts if literal in possible]
        return [[], ["~"], *([literal] for literal in literals), literals, [*literals, "~"]]
    if name.kind == WHOLE:
        numbers = {near for number in numbers for near in (number - 1, number, number + 1)} | {0}
        return _within_range(name.name, numbers)
    if name.kind == TIME:
        return [datetime(2026, 1, 1, tzinfo=UTC)]
    return [True, False]


def _times(texts: list[str], condition: str) -> list[Any]:
    """Times of day: the first, the last, and those on both sides of each literal; all where parts are asked for."""
    if re.search(r"now\.time\s*\.", condition):
        return list(TIMES)
    around = {near for text in texts for at in [bisect_left(TIMES, text)] for near in (at - 1, at, at + 1)}
    return [TIMES[at] for at in sorted({0, len(TIMES) - 1, *around}) if 0 <= at < len(TIMES)]


def _within_range(name: str, numbers: set[int]) -> list[Any]:
    """A name's values have limits: no month's 25th hour, nobody aged -1."""
    if name == "now.hour":
        return list(range(24))
    if name == "now.weekday":
        return list(range(1, 8))
    if name in {"study.age_years", "study.minutes_since_exam", "order.expected_minutes"}:
        positive: list[Any] = sorted(number for number in numbers if number >= 0)
        return [*positive, _NO_VALUE] if name == "study.age_years" else positive
    return sorted(number for number in numbers if name != "study.revision" or number >= 1) or [1]


assert all(name in BY_NAME for name in ("now.hour", "now.weekday", "study.age_years", "study.revision"))
