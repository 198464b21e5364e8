"""What a set of rules decides of a study: every rule in order, then the explicit default.

Of subspecialty, priority, pathway, due time and priors the first matching rule that sets one decides it; a later one
is overruled, and said to be. `require`, `prefer`, `exclude`, holds and a second read add up. A rule that fails decides
nothing and keeps no other rule from deciding: its study is still routed, and a person is asked.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from router.config import RoutingFile
from router.model.directives import NO_DIRECTIVES, Clause, Directives, PriorSelection, RuleHold
from router.model.routing_rule import Effects
from router.model.study import Study
from router.rules.routing_rules.compiled import CompiledBook
from router.rules.routing_rules.conditions import Bound, Failed
from router.rules.routing_rules.vocabulary import facts_of
from router.rules.study_routing import Routed, due_at

SCALARS = ("subspecialty", "priority", "pathway", "due_minutes", "priors")
DEFAULT = "(default)"


@dataclass(frozen=True, slots=True)
class Asked:
    """One rule's answer: `value` is None outside of its period; `decided` and `overruled` name effects."""

    rule: str
    value: bool | None
    failure: str | None = None
    decided: tuple[str, ...] = ()
    overruled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ruling:
    """The study as the rules route it, and how every rule answered."""

    routed: Routed
    asked: tuple[Asked, ...]

    @property
    def failures(self) -> tuple[Asked, ...]:
        return tuple(asked for asked in self.asked if asked.failure is not None)


def evaluate(
    compiled: CompiledBook, version: int, study: Study, routed: Routed, routing: RoutingFile, now: datetime
) -> Ruling:
    """Ask every rule about the study that the exam table routed so."""
    bound = Bound(facts_of(study, routed, compiled.book, now))
    asked: list[Asked] = []
    taken = _Taken()
    for entry in compiled.rules:
        rule = entry.rule
        value = entry.condition.evaluate(bound) if rule.is_valid_at(now) else None
        if isinstance(value, Failed):
            asked.append(Asked(rule.name, None, failure=value.reason))
        elif value:
            asked.append(taken.take(rule.name, rule.effects))
        else:
            asked.append(Asked(rule.name, value))
    matched = tuple(answer.rule for answer in asked if answer.value)
    taken.take(DEFAULT, compiled.book.default)
    directives = replace(taken.directives(), rule_set=version, rules=matched)
    return Ruling(_rerouted(study, routed, taken, directives, routing, now), tuple(asked))


class _Taken:
    """Effects taken so far."""

    def __init__(self) -> None:
        self.scalars: dict[str, Any] = {}
        self.require: list[Clause] = []
        self.prefer: list[Clause] = []
        self.exclude: list[Clause] = []
        self.holds: list[RuleHold] = []
        self.second_read: str | None = None

    def take(self, rule: str, effects: Effects) -> Asked:
        set_here = [name for name in SCALARS if getattr(effects, name) is not None]
        decided = [name for name in set_here if name not in self.scalars]
        self.scalars |= {name: getattr(effects, name) for name in decided}
        for clause, into in (
            (effects.require, self.require),
            (effects.prefer, self.prefer),
            (effects.exclude, self.exclude),
        ):
            if clause is not None:
                into.append(clause)
        if effects.hold is not None:
            self.holds.append(RuleHold(rule, effects.hold))
        if effects.second_read:
            self.second_read = self.second_read or rule
        adds = [name for name in effects.named if name not in SCALARS]
        overruled = [name for name in set_here if name not in decided]
        return Asked(rule, True, None, tuple(decided + adds), tuple(overruled))

    def directives(self) -> Directives:
        priors: PriorSelection | None = self.scalars.get("priors")
        return replace(
            NO_DIRECTIVES,
            pathway=self.scalars.get("pathway"),
            require=tuple(self.require),
            prefer=tuple(self.prefer),
            exclude=tuple(self.exclude),
            holds=tuple(self.holds),
            second_read=self.second_read,
            priors=priors,
        )


def _rerouted(
    study: Study, routed: Routed, taken: _Taken, directives: Directives, routing: RoutingFile, now: datetime
) -> Routed:
    """Due time is what a rule sets, else that of the pathway where its target is known, else of the priority."""
    priority = taken.scalars.get("priority", routed.priority)
    due = routed.due_at
    if "due_minutes" in taken.scalars:
        examined = study.study_time if study.study_time is not None and study.study_time <= now else now
        due = examined + timedelta(minutes=taken.scalars["due_minutes"])
    elif directives.pathway in routing.priorities:
        due = due_at(study, directives.pathway, routing, now)
    elif priority != routed.priority:
        due = due_at(study, priority, routing, now)
    return replace(
        routed,
        subspecialty=taken.scalars.get("subspecialty", routed.subspecialty),
        priority=priority,
        due_at=due,
        pathway=directives.pathway or (routed.pathway if priority == routed.priority else priority),
        directives=directives,
    )
