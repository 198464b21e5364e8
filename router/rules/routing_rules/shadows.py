"""Effects that can never act: behind a rule that always matches, or for whom the same rule leaves nobody.

Only what is sure is said: a rule that matches whatever the study, and holds now and from now on, decides before all
later ones what only the first one decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from router.model.routing_rule import Effects, Rule, RuleBook
from router.rules.routing_rules.evaluation import SCALARS


def overruled_always(book: RuleBook, always: Sequence[int], now: datetime) -> Iterator[tuple[str, str]]:
    """(path, words) of each effect that a rule among `always` decides before; `always` are rules that always match."""
    decided: dict[str, str] = {}
    for number, rule in enumerate(book.rules):
        yield from _overruled(f"rules[{number}].effects", rule.effects, decided)
        if number in always and _holds_from(rule, now):
            decided = dict.fromkeys(_scalars(rule.effects), rule.name) | decided
    yield from _overruled("default", book.default, decided)


def leaves_nobody(effects: Effects) -> bool:
    """Whether all whom it requires are whom it excludes."""
    require, exclude = effects.require, effects.exclude
    if require is None or exclude is None:
        return False
    return set(require.readers) <= set(exclude.readers) and set(require.trusts) <= set(exclude.trusts)


def _overruled(path: str, effects: Effects, decided: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in _scalars(effects):
        if name in decided:
            yield f"{path}.{name}", f"never acts: rule {decided[name]!r} before it always matches and decides {name}"


def _scalars(effects: Effects) -> list[str]:
    return [name for name in SCALARS if getattr(effects, name) is not None]


def _holds_from(rule: Rule, now: datetime) -> bool:
    return rule.valid_until is None and (rule.valid_from is None or rule.valid_from <= now)
