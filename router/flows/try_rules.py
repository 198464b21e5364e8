"""What a rule set would do, without doing it: to one study, and to all studies of a past period."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from router.config import RoutingFile
from router.flows.apply_rules import ruling_of
from router.flows.look_up_exam import route_by_tables
from router.flows.ports import Store, Transaction
from router.model.errors import Invalid, NotFound
from router.model.read import Read
from router.model.routing_rule import RuleSet
from router.model.study import Study
from router.rules.routing_rules.comparing import (
    Change,
    Difference,
    RoutedStudy,
    changes_between,
    counted,
    differences,
)
from router.rules.routing_rules.compiled import UnusableRules
from router.rules.routing_rules.evaluation import Asked, Ruling
from router.rules.routing_rules.expected_load import ExpectedLoad, expected_load
from router.rules.study_routing import NotForReading, Routed, Unmapped


@dataclass(frozen=True, slots=True)
class DryRun:
    """`ruling` and `before` are None where the exam table itself does not route the study: `reason` says why.

    `before` is what the active rules (or the table alone) make of the study at the same moment; `read` is its present
    one, which nothing of this touches.
    """

    study: Study
    at: datetime
    reason: str | None
    table: Routed | None
    ruling: Ruling | None
    before: Routed | None
    changes: tuple[Change, ...]
    read: Read | None


@dataclass(frozen=True, slots=True)
class Replay:
    """`considered` studies settled in the period; those that the table does not route are left out, and counted."""

    version: int
    baseline: int | None
    considered: int
    unmapped: int
    is_cut: bool
    failures: dict[str, int]
    matches: dict[str, int]
    differences: tuple[Difference, ...]
    counts: tuple[tuple[Change, int], ...]
    load_before: ExpectedLoad
    load_after: ExpectedLoad

    @property
    def displaced(self) -> int:
        """Studies that are routed alike, and that another reader would have had: they give way to the others."""
        before, after = self.load_before.read_by, self.load_after.read_by
        otherwise = {difference.study.study_instance_uid for difference in self.differences}
        return sum(before.get(uid) != after.get(uid) for uid in (before.keys() | after.keys()) - otherwise)


def find_study(tx: Transaction, uid: str | None, accession: str | None, issuer: str | None) -> Study:
    """The one study that is meant.

    Raises:
        Invalid: neither or both ways of naming it, or an accession number without its issuer.
        NotFound: there is none.
    """
    if (uid is None) == (accession is None):
        raise Invalid("give either study_instance_uid, or accession_number with accession_issuer")
    if uid is not None:
        study = tx.studies.get(uid)
        found = [] if study is None else [study]
    elif issuer is None:
        raise Invalid("accession_issuer: an accession number means nothing without its issuer")
    else:
        found = list(tx.studies.by_accession(accession or "", issuer))
    if not found:
        raise NotFound("no such study")
    if len(found) > 1:
        raise Invalid(f"{len(found)} studies have this accession number of this issuer: give study_instance_uid")
    return found[0]


def dry_run(tx: Transaction, version: int, study: Study, routing: RoutingFile, at: datetime) -> DryRun:
    """What the version would make of the study at this moment.

    Raises:
        NotFound, Invalid: no such version, or it holds errors.
    """
    rule_set = _version(tx, version)
    outcome = route_by_tables(tx, study, routing, at)
    reads = tx.reads.of_study(study.study_instance_uid)
    present = reads[-1] if reads else None
    if isinstance(outcome, NotForReading | Unmapped):
        return DryRun(study, at, outcome.reason, None, None, None, (), present)
    ruling = _rule(rule_set, study, outcome, routing, at)
    active = tx.rule_sets.active()
    before = outcome if active is None else _rule(active, study, outcome, routing, at).routed
    changes = changes_between(before, ruling.routed)
    return DryRun(study, at, None, outcome, ruling, before, changes, present)


def replay(
    store: Store,
    version: int,
    baseline: int | None,
    period: tuple[datetime, datetime],
    routing: RoutingFile,
    limit: int,
) -> Replay:
    """Route every study of the period by this version and by `baseline` (None: by the active rules).

    Raises:
        NotFound, Invalid: no such version, or it holds errors; or the period is empty.
    """
    start, end = period
    if end <= start:
        raise Invalid("until: must be later than from")
    with store.read() as tx:
        rule_set = _version(tx, version)
        against = tx.rule_sets.active() if baseline is None else _version(tx, baseline)
        settled = tx.studies.settled_between(start, end, limit + 1)
        readers = tx.readers.all()
        sessions = [s for s in tx.readers.sessions() if s.starts_at < end and s.ends_at > start]
        is_cut, settled = len(settled) > limit, settled[-limit:]
        looked_up = [(at, study, route_by_tables(tx, study, routing, at)) for at, study in settled]
    mapped = [(at, study, outcome) for at, study, outcome in looked_up if isinstance(outcome, Routed)]
    rulings = [_rule(rule_set, study, outcome, routing, at) for at, study, outcome in mapped]
    after = [RoutedStudy(at, study, ruling.routed) for (at, study, _), ruling in zip(mapped, rulings, strict=True)]
    before = [
        RoutedStudy(at, study, outcome if against is None else _rule(against, study, outcome, routing, at).routed)
        for at, study, outcome in mapped
    ]
    found = differences(before, after)
    return Replay(
        version=version,
        baseline=None if against is None else against.version,
        considered=len(settled),
        unmapped=len(settled) - len(mapped),
        is_cut=is_cut,
        failures=_count(rulings, lambda asked: asked.failure is not None),
        matches=_count(rulings, lambda asked: asked.value is True),
        differences=tuple(found),
        counts=tuple(counted(found)),
        load_before=expected_load(before, readers, sessions, end),
        load_after=expected_load(after, readers, sessions, end),
    )


def _version(tx: Transaction, version: int) -> RuleSet:
    found = tx.rule_sets.get(version)
    if found is None:
        raise NotFound(f"no rule set {version}")
    return found


def _rule(rule_set: RuleSet, study: Study, routed: Routed, routing: RoutingFile, at: datetime) -> Ruling:
    try:
        return ruling_of(rule_set, study, routed, routing, at)
    except UnusableRules as error:
        raise Invalid(f"rule set {rule_set.version} holds errors: {error.problems[0]}") from None


def _count(rulings: Sequence[Ruling], of_interest: Callable[[Asked], bool]) -> dict[str, int]:
    """By rule, in the rules' order, every rule with its count, be it 0."""
    counts: dict[str, int] = {}
    for ruling in rulings:
        for asked in ruling.asked:
            counts[asked.rule] = counts.get(asked.rule, 0) + of_interest(asked)
    return counts
