"""A book of rules made ready for evaluation, once for each text."""

from dataclasses import dataclass
from functools import lru_cache

from router.model.routing_rule import Problem, Rule, RuleBook
from router.rules.routing_rules.conditions import Condition, NotACondition
from router.rules.routing_rules.rule_file import parse


class UnusableRules(Exception):
    """The text is no set of rules that can be evaluated."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True, slots=True)
class CompiledRule:
    rule: Rule
    condition: Condition


@dataclass(frozen=True, slots=True)
class CompiledBook:
    book: RuleBook
    rules: tuple[CompiledRule, ...]


def compile_book(book: RuleBook) -> CompiledBook:
    """Raises NotACondition."""
    return CompiledBook(book, tuple(CompiledRule(rule, Condition(rule.condition)) for rule in book.rules))


@lru_cache(maxsize=16)
def compile_text(text: str) -> CompiledBook:
    """The rules of a text that was validated before; kept, because the text of a version never changes.

    Raises:
        UnusableRules: it is no such text (any more).
    """
    book, problems = parse(text)
    if book is None:
        raise UnusableRules(_words(problems))
    try:
        return compile_book(book)
    except NotACondition as error:
        raise UnusableRules((str(error),)) from None


def _words(problems: list[Problem]) -> tuple[str, ...]:
    return tuple(str(problem) for problem in problems)
