"""Rules an administrator writes, and the life of a set of them: draft, validated, approved, active, retired."""

import enum
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from router.model.directives import Clause, PriorSelection


@dataclass(frozen=True, slots=True)
class Effects:
    """What a rule does when its condition holds; None and empty mean that it leaves the thing to others.

    `due_minutes` counts from the examination.
    """

    subspecialty: str | None = None
    priority: str | None = None
    pathway: str | None = None
    due_minutes: int | None = None
    require: Clause | None = None
    prefer: Clause | None = None
    exclude: Clause | None = None
    hold: str | None = None
    second_read: bool = False
    priors: PriorSelection | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """Names of what it sets."""
        return tuple(name for name in self.__dataclass_fields__ if getattr(self, name) not in {None, False})


@dataclass(frozen=True, slots=True)
class Rule:
    """`valid_from` to just before `valid_until`; outside of it the rule is not asked."""

    name: str
    condition: str
    effects: Effects
    owner: str
    comment: str = ""
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def is_valid_at(self, now: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= now) and (
            self.valid_until is None or now < self.valid_until
        )


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Rules in order with their explicit default; `timezone` and `bank_holidays` say what `now` means to them."""

    rules: tuple[Rule, ...]
    default: Effects
    timezone: str
    bank_holidays: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a text of rules: where (line and column from 1, where they are known), and what was expected.

    `severity` is `error` (cannot be used) or `warning` (a person should look).
    """

    severity: str
    where: str
    message: str
    line: int | None = None
    column: int | None = None
    suggestion: str | None = None

    @property
    def in_words(self) -> str:
        """Where in the text, what is wrong, and what was perhaps meant."""
        place = "" if self.line is None else f"line {self.line}, column {self.column or 1}: "
        hint = "" if self.suggestion is None else f"; did you mean {self.suggestion}?"
        return f"{place}{self.message}{hint}"

    def __str__(self) -> str:
        place = "" if self.line is None else f"{self.line}:{self.column or 1}: "
        hint = "" if self.suggestion is None else f"; did you mean {self.suggestion}?"
        return f"{place}{self.severity}: {self.where}: {self.message}{hint}"


class RuleSetState(enum.StrEnum):
    DRAFT = "draft"
    VALIDATED = "validated"
    APPROVED = "approved"
    ACTIVE = "active"
    RETIRED = "retired"


class RuleSetEvent(enum.StrEnum):
    """What can happen to a rule set; the table of these only grows."""

    CREATED = "created"
    VALIDATED = "validated"
    APPROVED = "approved"
    ACTIVATED = "activated"
    RETIRED = "retired"
    ROLLED_BACK = "rolled_back"
    SWITCHED_OFF = "switched_off"


@dataclass(frozen=True, slots=True)
class RuleSetEntry:
    """One line of the audit of rule sets."""

    version: int
    event: RuleSetEvent
    at: datetime
    actor: str
    detail: dict[str, Any] = field(default_factory=dict)
    id: int | None = None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One version as it was written; its text never changes."""

    version: int
    text: str
    digest: str
    comment: str
    author: str
    created_at: datetime
