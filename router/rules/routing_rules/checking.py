"""Whether a text of rules can be used: every problem with its place, what was expected and what was perhaps meant."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from router.model.routing_rule import Effects, Problem, Rule, RuleBook
from router.rules.routing_rules.bounds import constant_comparisons
from router.rules.routing_rules.compiled import CompiledBook, compile_book
from router.rules.routing_rules.conditions import Bound, Condition, Failed, Fault, NotACondition
from router.rules.routing_rules.known_names import KnownNames
from router.rules.routing_rules.literals import misspelt_literals, regular_expressions
from router.rules.routing_rules.positions import Place, Positions
from router.rules.routing_rules.reachability import Reach, reach
from router.rules.routing_rules.rule_file import parse_what_can_be
from router.rules.routing_rules.salvage import is_told_already
from router.rules.routing_rules.shadows import leaves_nobody, overruled_always
from router.rules.routing_rules.suggestions import closest
from router.rules.routing_rules.vocabulary import BY_NAME, VOCABULARY

_FUNCTIONS = (
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "size",
    "exists",
    "all",
    "filter",
    "map",
    "int",
    "string",
)
_CEL_TYPES = {
    "string": "text",
    "int": "a whole number",
    "double": "a number with a point",
    "bool": "true or false",
    "list(string)": "a list of texts",
    "google.protobuf.Timestamp": "a time",
    "timestamp": "a time",
}
_CATEGORIES = {
    "subspecialty": "subspecialties",
    "priority": "priorities",
    "pathway": "pathways",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """`compiled` is None where there is an error."""

    compiled: CompiledBook | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")


def check(text: str, known: KnownNames, now: datetime) -> Checked:
    """Everything that is wrong with the text, errors first in the file's order, then warnings."""
    book, misshapen = parse_what_can_be(text)
    if book is None:
        return Checked(None, tuple(misshapen))
    positions, told = Positions(text), [problem.where for problem in misshapen]
    found = [*misshapen, *(one for one in _meant(book, known, positions, now) if not is_told_already(one.where, told))]
    found.sort(key=lambda problem: (problem.severity, problem.line or 0, problem.column or 0))
    has_errors = any(problem.severity == "error" for problem in found)
    return Checked(None if has_errors else compile_book(book), tuple(found))


def _meant(book: RuleBook, known: KnownNames, positions: Positions, now: datetime) -> Iterator[Problem]:
    """What is wrong, or hardly meant, with rules that have the right form."""
    yield from _twice(book, positions)
    reached = [_reach_of(rule, known) for rule in book.rules]
    for number, rule in enumerate(book.rules):
        yield from _of_rule(number, rule, known, positions, now)
        in_words = _REACH_IN_WORDS.get(reached[number])
        if in_words is not None:
            yield positions.problem("warning", f"rules[{number}].condition", f"rule {rule.name!r} {in_words}")
    yield from _of_effects("default", book.default, known, positions)
    always = [number for number, one in enumerate(reached) if one is Reach.ALWAYS]
    for path, words in overruled_always(book, always, now):
        yield positions.problem("warning", path, words)
    if not book.rules:
        yield positions.problem("warning", "rules", "there are no rules: the default holds for every study")


def _twice(book: RuleBook, positions: Positions) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, rule in enumerate(book.rules):
        if rule.name in seen:
            yield positions.problem("error", f"rules[{number}].name", f"the name {rule.name!r} is used twice")
        seen.add(rule.name)


def _of_rule(number: int, rule: Rule, known: KnownNames, positions: Positions, now: datetime) -> Iterator[Problem]:
    path = f"rules[{number}]"
    if not rule.effects.named:
        yield positions.problem("error", f"{path}.effects", f"rule {rule.name!r} has no effect")
    if rule.valid_until is not None and rule.valid_until <= now:
        yield positions.problem("warning", f"{path}.valid_until", f"rule {rule.name!r} is over: it never matches")
    yield from _of_effects(f"{path}.effects", rule.effects, known, positions)
    yield from _of_condition(f"{path}.condition", rule, known, positions)


def _of_condition(path: str, rule: Rule, known: KnownNames, positions: Positions) -> Iterator[Problem]:
    try:
        Condition(rule.condition)
    except NotACondition as error:
        for fault in error.faults[: 1 if error.faults[0].message.startswith("Syntax") else None]:
            message, suggestion = _in_words(fault, rule.condition)
            yield _at(positions.within(path, fault.line, fault.column), path, message, suggestion)
        return
    for literal, line, column in regular_expressions(rule.condition):
        if isinstance(Condition(f"''.matches({literal})").evaluate(Bound({})), Failed):
            yield _at(positions.within(path, line, column), path, f"{literal} is no regular expression (RE2)")
    for misspelt in misspelt_literals(rule.condition, known):
        place = positions.within(path, misspelt.line, misspelt.column)
        yield _at(place, path, misspelt.message, misspelt.suggestion, severity="warning")
    for constant in constant_comparisons(rule.condition):
        place = positions.within(path, constant.line, constant.column)
        yield _at(place, path, constant.message, constant.suggestion, severity="warning")


def _reach_of(rule: Rule, known: KnownNames) -> Reach:
    try:
        return reach(Condition(rule.condition), rule.condition, known)
    except NotACondition:
        return Reach.SOMETIMES  # what is wrong with it is told as an error


def _at(
    place: Place | None, path: str, message: str, suggestion: str | None = None, severity: str = "error"
) -> Problem:
    line, column = (None, None) if place is None else (place.line, place.column)
    return Problem(severity, path, message, line, column, suggestion)


_REACH_IN_WORDS = {
    Reach.NEVER: "never matches, whatever the study",
    Reach.ALWAYS: "always matches, whatever the study",
    Reach.FAILS: "can never be evaluated: it fails whatever the study",
}


def _of_effects(path: str, effects: Effects, known: KnownNames, positions: Positions) -> Iterator[Problem]:
    for key, kind in _CATEGORIES.items():
        yield from _unknown(f"{path}.{key}", [getattr(effects, key)], kind, known, positions)
    for key in ("require", "prefer", "exclude"):
        clause = getattr(effects, key)
        if clause is not None:
            yield from _unknown(f"{path}.{key}", clause.readers, "readers", known, positions)
            yield from _unknown(f"{path}.{key}", clause.trusts, "trusts", known, positions)
            if not (clause.readers or clause.trusts):
                yield positions.problem("error", f"{path}.{key}", "names nobody: its pools are empty")
    if leaves_nobody(effects):
        yield positions.problem("warning", f"{path}.exclude", "excludes all whom `require` asks for: nobody is left")
    if effects.priors is not None:
        yield from _unknown(f"{path}.priors", effects.priors.modalities, "modalities", known, positions)


def _unknown(
    path: str, names: Iterable[str | None], kind: str, known: KnownNames, positions: Positions
) -> Iterator[Problem]:
    allowed = known.of(kind)
    for name in names:
        if allowed is not None and name is not None and name not in allowed:
            listed = ", ".join(sorted(allowed)) if len(allowed) <= 20 else f"one of {len(allowed)} {kind}"
            message = f"{name!r} is not among the {kind}; expected {listed or 'none: there are none'}"
            yield positions.problem("error", path, message, closest(name, allowed))


def _in_words(fault: Fault, condition: str) -> tuple[str, str | None]:
    """CEL's message for people who write rules, and what they may have meant."""
    if "cannot be the operand of a select operation" in fault.message:
        return _unknown_name(_name_at(condition, fault))
    unknown = re.match(r"undeclared reference to '([^']+)'", fault.message)
    if unknown:
        return _unknown_name(unknown[1])
    overload = re.match(r"found no matching overload for '([^']+)' applied to '\(?(.*?)\)?'", fault.message)
    if overload:
        operator = overload[1].strip("_").replace("@in", "in")
        kinds = [_CEL_TYPES.get(kind, kind) for kind in re.split(r", (?![^(]*\))", overload[2])]
        return f"{operator!r} cannot be used with {' and '.join(kinds)}; expected two of one kind", None
    if "token recognition error at: '= '" in fault.message or "token recognition error at: '='" in fault.message:
        return "one = compares nothing; expected ==", "=="
    syntax = re.match(r"Syntax error: (.*)", fault.message)
    if syntax:
        return f"cannot be read: {_shorter(syntax[1])}", None
    return fault.message, None


def _name_at(condition: str, fault: Fault) -> str:
    line, at = condition.splitlines()[fault.line - 1], fault.column - 1
    around = (match for match in re.finditer(r"[\w.]+", line) if match.start() <= at < match.end())
    found = next(around, None)
    return line[at:] if found is None else found[0]


def _shorter(said: str) -> str:
    end = re.sub(r"'?<EOF>'?", "the end of the condition", said)
    return re.sub(r"expecting \{.*\}", "expected a name, a value, ( or [", end)


def _unknown_name(name: str) -> tuple[str, str | None]:
    if "." not in name and name not in {entry.name.partition(".")[0] for entry in VOCABULARY}:
        suggestion = closest(name, [*BY_NAME, *_FUNCTIONS]) or closest(name, [n.rpartition(".")[2] for n in BY_NAME])
        return f"unknown name or function {name}", suggestion
    group = name.partition(".")[0]
    beside = sorted(entry for entry in BY_NAME if entry.startswith(f"{group}.")) or sorted(BY_NAME)
    return f"unknown name {name}; expected one of {', '.join(beside)}", closest(name, BY_NAME)
