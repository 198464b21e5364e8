"""What SQL can rule out of a query; what it lets through is always a superset of what matches (ADR 031)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_

from dicom_nodes.rules.query_identifier import CheckedQuery
from dicom_nodes.rules.query_matching import Matching, date_range, has_wildcard, is_universal, values_of
from dicom_nodes.spool.query_columns import COLUMNS
from dicom_nodes.spool.tables import study

_FOLDED: Mapping[str, Any] = {
    "PatientName": study.c.patient_name_folded,
    "ReferringPhysicianName": study.c.referring_physician_name_folded,
}
MOST_ALTERNATIVES = 100
"""A longer list is left to the rules: SQLite takes no expression that is nested 1,000 deep."""
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def conditions(query: CheckedQuery, covered: frozenset[str]) -> list[ColumnElement[bool]]:
    """Conditions on the keys that are not `covered` otherwise."""
    found = [
        _condition(keyword, query.matching(keyword), text)
        for keyword, (_, text) in query.keys.items()
        if keyword not in covered and not is_universal(query.matching(keyword), text)
    ]
    return [condition for condition in found if condition is not None]


def literal_prefix(pattern: str) -> str:
    """What stands before the first wildcard."""
    return pattern.partition("*")[0].partition("?")[0]


def is_prefix_pattern(pattern: str) -> bool:
    """Whether nothing but asterisks follows the literal prefix."""
    return not pattern[len(literal_prefix(pattern)) :].strip("*")


def starts_with(column: Any, prefix: str) -> ColumnElement[bool]:
    """A prefix as a range of a column that compares byte by byte."""
    end = after_prefix(prefix)
    return and_(column >= prefix, column < end) if end else column >= prefix


def after_prefix(prefix: str) -> str | None:
    """The first text, by code points, that is behind every text with this prefix; None where there is none."""
    for length in range(len(prefix), 0, -1):
        code_point = ord(prefix[length - 1]) + 1
        if code_point in _SURROGATES:
            code_point = _SURROGATES.stop
        if code_point <= _LAST_CHARACTER:
            return prefix[: length - 1] + chr(code_point)
    return None


def in_range(column: Any, low: str | None, high: str | None) -> ColumnElement[bool]:
    """Inclusive bounds; None is open."""
    limits = [column >= low] if low else []
    return and_(True, *limits, *([column <= high] if high else []))


def _condition(keyword: str, matching: Matching, wanted: str) -> ColumnElement[bool] | None:
    column = COLUMNS.get(keyword)
    if column is None:
        return None
    if matching in {Matching.TEXT, Matching.NAME}:
        values = values_of(matching, wanted)
        if not values or len(values) > MOST_ALTERNATIVES:
            return None if values else false()
    match matching:
        case Matching.UID:
            return column.in_(values_of(matching, wanted))  # type: ignore[no-any-return]
        case Matching.NAME:
            return or_(*(_name_condition(_FOLDED[keyword], part) for part in values_of(matching, wanted)))
        case Matching.DATE:
            bounds = date_range(wanted)
            return in_range(column, bounds.low, bounds.high)
        case Matching.TEXT if keyword == "ModalitiesInStudy":
            parts = values_of(matching, wanted)
            return or_(*(column.like(f"%\\\\{_like(part)}\\\\%", escape="\\") for part in parts))
        case Matching.TEXT:
            return or_(*(_text_condition(column, part) for part in values_of(matching, wanted)))
    return None


def _text_condition(column: Any, part: str) -> ColumnElement[bool]:
    like: ColumnElement[bool] = column.like(_like(part), escape="\\")
    return like if has_wildcard(part) else column == part


def _name_condition(column: Any, part: str) -> ColumnElement[bool]:
    """A name, or a value or group of it, begins like this; components that the name leaves out are not asked for."""
    pattern = _like(part.rstrip("^*? "))
    return or_(*(column.like(f"{before}{pattern}%", escape="\\") for before in ("", "%=", "%\\\\")))


def _like(text: str) -> str:
    """A LIKE pattern in which only `*` and `?` are wildcards."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")
