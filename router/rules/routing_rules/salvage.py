"""A rules file with mistakes in its form, less what is wrong: so that the rest of it is checked in the same run.

What comes out is for finding more mistakes only. It is never compiled, kept or evaluated: the text has errors.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

PLAIN_CONDITION = "study.age_known"
"""Stands in for one that is not there; nothing is remarked of it."""


def without_faults(document: Mapping[str, Any], faults: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A copy in which each faulty value is gone and each missing one has a stand-in; places of rules stay the same."""
    kept = copy.deepcopy(dict(document))
    for fault in sorted(faults, key=lambda one: [str(part).zfill(9) for part in one["loc"]], reverse=True):
        _take_out(kept, tuple(fault["loc"]), fault)
    return kept


def is_told_already(where: str, told: Iterable[str]) -> bool:
    """Whether a mistake was told of this place, of a part of it, or of what holds it."""
    return any(_holds(where, place) or _holds(place, where) for place in told)


def _holds(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith((f"{outer}.", f"{outer}["))


def _take_out(document: dict[str, Any], loc: tuple[str | int, ...], fault: Mapping[str, Any]) -> None:
    *way, last = loc
    holder: Any = document
    for part in way:
        holder = holder[part]
    if fault["type"] == "missing":
        holder[last] = _stand_in(loc)
    elif "valid_until: " in str(fault["msg"]):
        del holder[last]["valid_until"]
    elif way == ["rules"]:
        holder[last] = {key: _stand_in((*loc, key)) for key in ("name", "owner", "condition", "effects")}
    else:
        del holder[last]


def _stand_in(loc: tuple[str | int, ...]) -> Any:
    stands_in: dict[str | int, Any] = {"condition": PLAIN_CONDITION, "effects": {}, "default": {}}
    return stands_in.get(loc[-1], ".".join(map(str, loc)))
