"""Texts in a condition that the name beside them can never have: misspelt, gone, or in small letters."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from router.rules.routing_rules.known_names import KnownNames
from router.rules.routing_rules.suggestions import closest
from router.rules.routing_rules.vocabulary import BY_NAME, TEXTS, Name

_TEXT = r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
_NAME = r"((?:study|order|origin|now)\.\w+)"
_COMPARED = re.compile(rf"{_NAME}\s*(?:==|!=)\s*({_TEXT})")
_COMPARED_BACK = re.compile(rf"({_TEXT})\s*(?:==|!=|in)\s*{_NAME}")
_LISTED = re.compile(rf"{_NAME}\s+in\s+\[([^\]]*)\]")
_CALLED = re.compile(rf"{_NAME}\.(?:contains|startsWith|endsWith)\(\s*({_TEXT})\s*\)")

_PARTS_ARE_ASKED_FOR = frozenset({"order.exam_code"})
"""A part of a code is no code, and need not be one."""
_REGULAR = re.compile(rf"\.matches\(\s*(r?{_TEXT})\s*\)")


@dataclass(frozen=True, slots=True)
class Misspelt:
    """Line and column count from 1 within the condition."""

    line: int
    column: int
    message: str
    suggestion: str | None


def misspelt_literals(condition: str, known: KnownNames) -> list[Misspelt]:
    """Every literal that its name cannot equal or hold."""
    found: dict[int, Misspelt] = {}
    for name, literal, at in _pairs(condition):
        entry = BY_NAME.get(name)
        problem = None if entry is None else _why_not(entry, literal[1:-1], known)
        if problem is not None:
            found[at] = Misspelt(*line_and_column(condition, at), *problem)
    return [found[at] for at in sorted(found)]


def regular_expressions(condition: str) -> Iterator[tuple[str, int, int]]:
    """Every literal that is used as a regular expression, with its line and column from 1."""
    for match in _REGULAR.finditer(condition):
        yield match[1], *line_and_column(condition, match.start(1))


def without_texts(condition: str) -> str:
    """The condition with blanks in the place of its texts, so that nothing in them is taken for a part of it."""
    return re.sub(_TEXT, lambda match: match[0][0] + " " * (len(match[0]) - 2) + match[0][-1], condition)


def line_and_column(text: str, at: int) -> tuple[int, int]:
    """Both from 1, of a place in the text."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _pairs(condition: str) -> Iterator[tuple[str, str, int]]:
    for pattern in (_COMPARED, _CALLED):
        for match in pattern.finditer(condition):
            if pattern is not _CALLED or match[1] not in _PARTS_ARE_ASKED_FOR:
                yield match[1], match[2], match.start(2)
    for match in _COMPARED_BACK.finditer(condition):
        yield match[2], match[1], match.start(1)
    for match in _LISTED.finditer(condition):
        for literal in re.finditer(_TEXT, match[2]):
            yield match[1], literal[0], match.start(2) + literal.start()


def _why_not(name: Name, literal: str, known: KnownNames) -> tuple[str, str | None] | None:
    if name.capitals and literal != literal.upper():
        return f"{name.name} is in capitals, so {literal!r} is never found in it", literal.upper()
    kind = "modalities" if name.values == "joined_modalities" else name.values
    allowed = known.of(kind)
    parts = literal.split("+") if name.values == "joined_modalities" else [literal]
    if allowed is None or all(part in allowed for part in parts):
        return None
    if name.kind != TEXTS and not literal:
        return None
    if name.values == "exam_codes":
        return f"no code map and no exam table knows the exam code {literal!r}", closest(literal, allowed)
    return f"{name.name} is never {literal!r}: it is not among the {kind}", closest(literal, allowed)
