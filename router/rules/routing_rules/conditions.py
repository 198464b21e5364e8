"""Conditions in CEL: compiled against the vocabulary, and evaluated. The only module that knows the CEL library.

Its run-time errors are returned as values, not raised, and so they are here (`Failed`): none of them may stop a study.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cel_expr_python import cel

from router.rules.routing_rules.vocabulary import TEXT, TEXTS, TIME, VOCABULARY, WHOLE, YES_NO

_TYPES = {
    TEXT: cel.Type.STRING,
    WHOLE: cel.Type.INT,
    YES_NO: cel.Type.BOOL,
    TEXTS: cel.Type.List(cel.Type.STRING),
    TIME: cel.Type.TIMESTAMP,
}
_ENVIRONMENT = cel.NewEnv(variables={name.name: _TYPES[name.kind] for name in VOCABULARY})
_PLACE = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")


@dataclass(frozen=True, slots=True)
class Fault:
    """What the type check found; line and column count from 1 within the condition."""

    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A condition that has no value for this study, and why."""

    reason: str


class NotACondition(Exception):
    """The text cannot be used as a condition."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{fault.line}:{fault.column}: {fault.message}" for fault in faults))


class Condition:
    """A compiled condition; it may be evaluated in several threads."""

    __slots__ = ("_expression",)

    def __init__(self, text: str) -> None:
        """Raises NotACondition."""
        try:
            self._expression = _ENVIRONMENT.compile(text)
        except RuntimeError as error:
            raise NotACondition(_faults(str(error))) from None
        kind = self._expression.return_type()
        if kind != cel.Type.BOOL:
            raise NotACondition((Fault(1, 1, f"a condition must be true or false; this one is {_word(kind.name())}"),))

    def evaluate(self, bound: "Bound") -> bool | Failed:
        """Whether it holds; `Failed` where it has no value."""
        try:
            value = self._expression.eval(bound.activation)
            if value.type() == cel.Type.ERROR:
                return Failed(_reason(str(value.value())))
            return bool(value.value())
        except RuntimeError as error:
            return Failed(_reason(str(error)))


class Bound:
    """Values of the vocabulary made ready, once for all conditions that are asked about them."""

    __slots__ = ("activation",)

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.activation = _ENVIRONMENT.Activation(dict(facts))


def constant_value(condition: Condition) -> bool | None:
    """The value that the condition has whatever the study is; None where it depends on the study.

    CEL's && and || take no notice of what cannot be known where the other side decides: so a condition that has a
    value when nothing is known folds to that constant.
    """
    value = condition.evaluate(Bound({}))
    return value if isinstance(value, bool) else None


def _faults(text: str) -> tuple[Fault, ...]:
    found = [Fault(int(line), int(column), said) for line, column, said in _PLACE.findall(text)]
    return tuple(found) or (Fault(1, 1, text.removeprefix("INVALID_ARGUMENT: ").splitlines()[0]),)


def _reason(text: str) -> str:
    """CEL's words without its status. They name the vocabulary and the rule's own literals, never a study's values."""
    said = text.partition(": ")[2] or text
    missing = re.fullmatch(r'No value with name "([\w.]+)" found in Activation', said)
    if missing:
        return f"{missing[1]} has no value for this study"
    return re.sub(r":.*", "", said)[:80]


def _word(cel_type: str) -> str:
    return {"STRING": TEXT, "INT": f"a {WHOLE}", "LIST": f"a {TEXTS}", "TIMESTAMP": f"a {TIME}"}.get(cel_type, cel_type)
