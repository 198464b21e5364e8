"""Where in a rules file a thing stands: TOML readers tell no places, and an administrator needs line and column."""

import re
from dataclasses import dataclass

from router.model.routing_rule import Problem

_HEADER = re.compile(r"^\s*\[+\s*([\w.\-\"' ]+?)\s*\]+\s*(#.*)?$")
_RULE = re.compile(r"^\s*\[\[\s*rules\s*\]\]\s*(#.*)?$")
_KEY = re.compile(r"^\s*([\w-]+)\s*=\s*")


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, both from 1."""

    line: int
    column: int = 1


class Positions:
    """Lines of headers and keys, by path: `rules[2].condition`, `rules[2].effects.hold`, `default.priority`."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._places: dict[str, Place] = {}
        self._values: dict[str, Place] = {}
        self._scan()

    def of(self, path: str) -> Place | None:
        """The place of the path, or of the nearest part of it that is known."""
        while path:
            if path in self._places:
                return self._places[path]
            path = re.sub(r"(\.[^.\[]+|\[\d+\]|^[^.\[]+)$", "", path)
        return None

    def within(self, path: str, line: int, column: int) -> Place | None:
        """The place of `line:column` of the text that is the value of `path`."""
        value = self._values.get(path)
        if value is None:
            return self.of(path)
        if line > 1:
            return Place(value.line + line - 1, column)
        raw = self._lines[value.line - 1]
        is_basic = raw[: value.column - 1].endswith('"')
        start = value.column - 1
        return Place(value.line, start + (_raw_length(raw[start:], column - 1) if is_basic else column - 1) + 1)

    def problem(self, severity: str, path: str, message: str, suggestion: str | None = None) -> Problem:
        """A problem of `path`, with its place."""
        place = self.of(path)
        line, column = (None, None) if place is None else (place.line, place.column)
        return Problem(severity, path, message, line, column, suggestion)

    def _scan(self) -> None:
        block, rules, inside = "", -1, ""
        for number, line in enumerate(self._lines, start=1):
            if inside:
                inside = "" if inside in line else inside
                continue
            if _RULE.match(line):
                rules += 1
                block = f"rules[{rules}]"
                self._places[block] = Place(number)
            elif header := _HEADER.match(line):
                block = re.sub(r"^rules(?=\.|$)", f"rules[{rules}]", header[1].replace('"', "").replace(" ", ""))
                self._places[block] = Place(number)
            elif key := _KEY.match(line):
                path = f"{block}.{key[1]}" if block else key[1]
                self._places[path] = Place(number, line.index(key[1]) + 1)
                inside = self._note_value(path, number, line, key.end())

    def _note_value(self, path: str, number: int, line: str, at: int) -> str:
        """Remember where a text begins; returns the quotes that still have to close on a later line."""
        for quotes in ("'''", '"""', "'", '"'):
            if line.startswith(quotes, at):
                start = at + len(quotes)
                if len(quotes) == 1:
                    self._values[path] = Place(number, start + 1)
                    return ""
                begins_below = not line[start:].strip()
                self._values[path] = Place(number + 1, 1) if begins_below else Place(number, start + 1)
                return "" if quotes in line[start:] else quotes
        return ""


def _raw_length(raw: str, characters: int) -> int:
    """How many characters of a TOML basic string stand for its first `characters`."""
    at = 0
    for _ in range(characters):
        if raw[at : at + 1] == "\\":
            at += {"u": 6, "U": 10}.get(raw[at + 1 : at + 2], 2)
        else:
            at += 1
    return at
