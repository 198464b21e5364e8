"""What rules say about who may have a read and what else must happen: stored on the read, honoured by the plan."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clause:
    """Readers, and everybody employed by some trusts, as one rule named them; `rule` is the rule's name."""

    rule: str
    readers: tuple[str, ...] = ()
    trusts: tuple[str, ...] = ()

    def covers(self, reader_id: str, employer: str) -> bool:
        return reader_id in self.readers or employer in self.trusts


@dataclass(frozen=True, slots=True)
class RuleHold:
    """Nobody gets the read until a person releases it."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class PriorSelection:
    """Which earlier studies are wanted with the images; empty or None means no limit of that kind."""

    rule: str
    modalities: tuple[str, ...] = ()
    same_body_part: bool = False
    within_days: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Directives:
    """`require` and `exclude` are hard, `prefer` is a wish; `rules` are those that matched, in order.

    A reader must be covered by every clause of `require` and by none of `exclude`.
    `second_read` names the rule that wants the study read by two people.
    """

    rule_set: int | None = None
    rules: tuple[str, ...] = ()
    pathway: str | None = None
    require: tuple[Clause, ...] = ()
    prefer: tuple[Clause, ...] = ()
    exclude: tuple[Clause, ...] = ()
    holds: tuple[RuleHold, ...] = ()
    second_read: str | None = None
    priors: PriorSelection | None = None

    @property
    def binds(self) -> bool:
        """Whether any reader can be kept from the read: a quick no for those who weigh many."""
        return bool(self.require or self.exclude or self.holds)

    def reasons_against(self, reader_id: str, employer: str) -> tuple[str, ...]:
        """Why this reader must not get the read; empty means that no rule forbids it."""
        held = [f"held by rule {hold.rule!r}: {hold.reason}" for hold in self.holds]
        outside = [
            f"rule {clause.rule!r} requires others" for clause in self.require if not clause.covers(reader_id, employer)
        ]
        shut_out = [
            f"rule {clause.rule!r} excludes the reader" for clause in self.exclude if clause.covers(reader_id, employer)
        ]
        return (*held, *outside, *shut_out)

    def wishes_for(self, reader_id: str, employer: str) -> int:
        """How many rules would rather have this reader."""
        return sum(clause.covers(reader_id, employer) for clause in self.prefer)


NO_DIRECTIVES = Directives()
