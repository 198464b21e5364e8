"""A text of rules (TOML) becomes a `RuleBook`, or a list of problems with their places."""

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, ValidationError, model_validator

from dicom_nodes.foundation.settings_file import OdsCode, Settings, SettingsError
from router.model.directives import Clause, PriorSelection
from router.model.routing_rule import Effects, Problem, Rule, RuleBook
from router.rules.routing_rules.positions import Positions
from router.rules.routing_rules.salvage import is_told_already, without_faults
from router.rules.routing_rules.suggestions import closest

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
_LONGEST_TEXT = 1_000_000
_ROUNDS = 4


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"expected a time zone such as 'Europe/London', got {name!r}") from None
    return name


class Audience(Settings):
    """Readers by id, everybody employed by a trust, and pools defined in the same file."""

    readers: tuple[Words, ...] = ()
    trusts: tuple[OdsCode, ...] = ()
    pools: tuple[Words, ...] = ()

    @model_validator(mode="after")
    def _names_somebody(self) -> "Audience":
        if not (self.readers or self.trusts or self.pools):
            raise ValueError("expected at least one of readers, trusts and pools")
        return self


class Pool(Settings):
    """A named group for `require`, `prefer` and `exclude`."""

    readers: tuple[Words, ...] = ()
    trusts: tuple[OdsCode, ...] = ()


class Priors(Settings):
    modalities: tuple[Words, ...] = ()
    same_body_part: bool = False
    within_days: int | None = Field(default=None, ge=1, le=36_500)
    most: int | None = Field(default=None, ge=0, le=1000)


class EffectsTable(Settings):
    subspecialty: Words | None = None
    priority: Words | None = None
    pathway: Words | None = None
    due_minutes: int | None = Field(default=None, ge=1, le=1_000_000, description="from the examination")
    require: Audience | None = None
    prefer: Audience | None = None
    exclude: Audience | None = None
    hold: Words | None = Field(default=None, description="why; nobody gets the read until a person releases it")
    second_read: Literal[True] | None = None
    priors: Priors | None = None


class RuleTable(Settings):
    name: Words
    condition: str = Field(min_length=1, max_length=10_000)
    owner: Words
    comment: str = Field(default="", max_length=2000)
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None
    effects: EffectsTable

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "RuleTable":
        if self.valid_from is not None and self.valid_until is not None and self.valid_until <= self.valid_from:
            raise ValueError("valid_until: must be later than valid_from")
        return self


class RuleFile(Settings):
    """`default` is what holds where no rule decides; it must be written down, be it empty."""

    timezone: Annotated[str, AfterValidator(_zone)] = "Europe/London"
    bank_holidays: tuple[date, ...] = ()
    pools: dict[str, Pool] = Field(default_factory=dict)
    rules: tuple[RuleTable, ...] = ()
    default: EffectsTable


def read_rules(file: Path) -> str:
    """The text of a rules file.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(file, [("(file)", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise SettingsError(file, [("(file)", "is not UTF-8 text")]) from None


def parse(text: str) -> tuple[RuleBook | None, list[Problem]]:
    """The rules of this text; None where anything is wrong with it, with the reasons why."""
    book, problems = parse_what_can_be(text)
    return (None if problems else book), problems


def parse_what_can_be(text: str) -> tuple[RuleBook | None, list[Problem]]:
    """The rules of this text less what is wrong with its form, for finding what else is wrong; and what is wrong.

    Only without problems the rules are those of the text.
    """
    if len(text) > _LONGEST_TEXT:
        return None, [Problem("error", "(file)", f"is longer than {_LONGEST_TEXT} characters")]
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [_syntax(str(error), text)]
    positions = Positions(text)
    file, problems = _shaped(document, positions)
    if file is None:
        return None, problems
    unknown = [one for one in _unknown_pools(file, positions) if not _is_told(one, problems)]
    return _book(file), [*problems, *unknown]


def _shaped(document: dict[str, Any], positions: Positions) -> tuple[RuleFile | None, list[Problem]]:
    """Takes mistakes out until the rest can be read: some show only when others are gone."""
    problems: list[Problem] = []
    for _ in range(_ROUNDS):
        try:
            return RuleFile.model_validate(document), problems
        except ValidationError as error:
            faults = error.errors()
            found = [_misshapen(detail, positions) for detail in faults]
            problems += [one for one in found if not _is_told(one, problems)]
            document = without_faults(document, faults)
    return None, problems


def _is_told(problem: Problem, problems: list[Problem]) -> bool:
    return is_told_already(problem.where, [one.where for one in problems])


def _syntax(said: str, text: str) -> Problem:
    place = re.search(r" \(at line (\d+), column (\d+)\)", said)
    if place is None:
        return Problem("error", "(syntax)", said, line=len(text.splitlines()) or 1, column=1)
    return Problem("error", "(syntax)", said.replace(place[0], ""), line=int(place[1]), column=int(place[2]))


def _misshapen(detail: Any, positions: Positions) -> Problem:
    path = ""
    for part in detail["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    message, suggestion = str(detail["msg"]).removeprefix("Value error, "), None
    if message.startswith("valid_until: "):  # a check across keys names its key itself
        path = f"{path}.valid_until"
    if detail["type"] == "extra_forbidden":
        name = str(detail["loc"][-1])
        suggestion = closest(name, _keys_beside(path))
        message = f"unknown key, expected one of {', '.join(_keys_beside(path))}"
    elif detail["type"] == "missing":
        message = "is missing and has no default"
        if path == "default":
            message = "is missing: write [default], be it empty, to say what holds where no rule decides"
    elif not isinstance(detail["input"], dict | list) and repr(detail["input"]) not in message:
        message = f"{message}, got {detail['input']!r}"
    return positions.problem("error", path, message, suggestion)


def _keys_beside(path: str) -> list[str]:
    table = re.sub(r"\[\d+\]", "", path).split(".")[:-1]
    shapes: dict[str, type[Settings]] = {"": RuleFile, "rules": RuleTable, "pools": Pool, "priors": Priors}
    shapes |= dict.fromkeys(("effects", "default"), EffectsTable)
    shapes |= dict.fromkeys(("require", "prefer", "exclude"), Audience)
    shape = shapes.get(table[-1] if table else "", Pool if table[:1] == ["pools"] else RuleFile)
    return list(shape.model_fields)


def _unknown_pools(file: RuleFile, positions: Positions) -> list[Problem]:
    tables = [(f"rules[{number}].effects", rule.effects) for number, rule in enumerate(file.rules)]
    problems = []
    for path, effects in [*tables, ("default", file.default)]:
        for key in ("require", "prefer", "exclude"):
            audience: Audience | None = getattr(effects, key)
            for pool in audience.pools if audience is not None else ():
                if pool not in file.pools:
                    known = ", ".join(sorted(file.pools)) or "none is defined"
                    message = f"no pool {pool!r} in [pools]; known: {known}"
                    problems.append(
                        positions.problem("error", f"{path}.{key}.pools", message, closest(pool, file.pools))
                    )
    return problems


def _book(file: RuleFile) -> RuleBook:
    rules = tuple(
        Rule(
            name=rule.name,
            condition=rule.condition,
            effects=_effects(rule.name, rule.effects, file.pools),
            owner=rule.owner,
            comment=rule.comment,
            valid_from=rule.valid_from,
            valid_until=rule.valid_until,
        )
        for rule in file.rules
    )
    default = _effects("(default)", file.default, file.pools)
    return RuleBook(rules, default, file.timezone, frozenset(file.bank_holidays))


def _effects(rule: str, table: EffectsTable, pools: dict[str, Pool]) -> Effects:
    priors = table.priors
    return Effects(
        subspecialty=table.subspecialty,
        priority=table.priority,
        pathway=table.pathway,
        due_minutes=table.due_minutes,
        require=_clause(rule, table.require, pools),
        prefer=_clause(rule, table.prefer, pools),
        exclude=_clause(rule, table.exclude, pools),
        hold=table.hold,
        second_read=table.second_read is True,
        priors=None
        if priors is None
        else PriorSelection(rule, priors.modalities, priors.same_body_part, priors.within_days, priors.most),
    )


def _clause(rule: str, audience: Audience | None, pools: dict[str, Pool]) -> Clause | None:
    if audience is None:
        return None
    groups = [pools[name] for name in audience.pools if name in pools]
    readers = {*audience.readers, *(reader for group in groups for reader in group.readers)}
    trusts = {*audience.trusts, *(trust for group in groups for trust in group.trusts)}
    return Clause(rule, tuple(sorted(readers)), tuple(sorted(trusts)))
