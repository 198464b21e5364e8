"""What one way of routing a study has that another has not: the rows of a diff."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from router.model.directives import Clause, Directives
from router.model.study import Study
from router.rules.study_routing import Routed

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs, in words for people."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RoutedStudy:
    """A study as it was routed, or would have been, at the time it settled."""

    at: datetime
    study: Study
    routed: Routed


@dataclass(frozen=True, slots=True)
class Difference:
    """A study that goes elsewhere, or otherwise."""

    at: datetime
    study: Study
    changes: tuple[Change, ...]
    rules: tuple[str, ...]


def changes_between(before: Routed, after: Routed) -> tuple[Change, ...]:
    """Everything that differs, in a fixed order."""
    pairs = zip(_words(before), _words(after), strict=True)
    return tuple(Change(what, old, new) for (what, old), (_, new) in pairs if old != new)


def differences(before: Iterable[RoutedStudy], after: Iterable[RoutedStudy]) -> list[Difference]:
    """Studies that differ, in the order of both (which must be the same studies)."""
    found = []
    for was, would in zip(before, after, strict=True):
        changes = changes_between(was.routed, would.routed)
        if changes:
            found.append(Difference(would.at, would.study, changes, would.routed.directives.rules))
    return found


def counted(found: Iterable[Difference]) -> list[tuple[Change, int]]:
    """How many studies have each change, most first. Due times are told apart only as sooner and later."""
    counts = Counter(_coarse(change) for difference in found for change in difference.changes)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0].what, item[0].before, item[0].after))


def _coarse(change: Change) -> Change:
    if change.what != "due":
        return change
    return Change("due", "as before", "sooner" if change.after < change.before else "later")


def _words(routed: Routed) -> list[tuple[str, str]]:
    said = routed.directives
    return [
        ("subspecialty", routed.subspecialty),
        ("priority", routed.priority),
        ("pathway", said.pathway or NOTHING),
        ("due", f"{routed.due_at:%Y-%m-%d %H:%M}"),
        ("hold", "; ".join(hold.rule for hold in said.holds) or NOTHING),
        ("required", _named(said.require)),
        ("excluded", _named(said.exclude)),
        ("preferred", _named(said.prefer)),
        ("second read", said.second_read or NOTHING),
        ("priors", _priors(said)),
    ]


def _named(clauses: tuple[Clause, ...]) -> str:
    return "; ".join(", ".join((*clause.trusts, *clause.readers)) for clause in clauses) or NOTHING


def _priors(said: Directives) -> str:
    priors = said.priors
    if priors is None:
        return NOTHING
    parts = [", ".join(priors.modalities)] if priors.modalities else []
    parts += ["same body part"] if priors.same_body_part else []
    parts += [f"within {priors.within_days} days"] if priors.within_days is not None else []
    parts += [f"at most {priors.most}"] if priors.most is not None else []
    return ", ".join(parts) or "all"
