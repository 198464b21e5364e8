"""The exam table, then the active rules: how a study is routed. No failure of a rule stands in a study's way."""

from dataclasses import dataclass, replace
from datetime import datetime

from router.config import RoutingFile
from router.flows.human_queue import About, ask_a_person, resolve_item
from router.flows.look_up_exam import route_by_tables
from router.flows.ports import Transaction
from router.model.directives import Directives
from router.model.read import Read
from router.model.routing_rule import RuleSet
from router.model.study import Study
from router.rules.routing_rules.compiled import UnusableRules, compile_text
from router.rules.routing_rules.evaluation import Ruling, evaluate
from router.rules.study_routing import NotForReading, Routed, Unmapped


@dataclass(frozen=True, slots=True)
class RuleFailure:
    """A rule, or a whole version, that could not be evaluated for a study."""

    version: int
    rule: str | None
    reason: str

    def __str__(self) -> str:
        if self.rule is None:
            return f"the active rule set {self.version} cannot be used: {self.reason}"
        return f"rule {self.rule!r} of rule set {self.version} failed: {self.reason}"


@dataclass(frozen=True, slots=True)
class RuledRoute:
    """What becomes of a study, and which rules could not say."""

    outcome: Routed | NotForReading | Unmapped
    failures: tuple[RuleFailure, ...] = ()


def route_by_rules(tx: Transaction, study: Study, routing: RoutingFile, now: datetime) -> RuledRoute:
    """Look the study up, and let the active rules have their say about what the table found."""
    outcome = route_by_tables(tx, study, routing, now)
    active = tx.rule_sets.active() if isinstance(outcome, Routed) else None
    if active is None or not isinstance(outcome, Routed):
        return RuledRoute(outcome)
    try:
        ruling = ruling_of(active, study, outcome, routing, now)
    except UnusableRules:
        failure = RuleFailure(active.version, None, "the exam table alone routed this study; validate it again")
        return RuledRoute(outcome, (failure,))
    return RuledRoute(ruling.routed, failures_of(active.version, ruling))


def ruling_of(rule_set: RuleSet, study: Study, routed: Routed, routing: RoutingFile, now: datetime) -> Ruling:
    """What this version says of the study.

    Raises:
        UnusableRules: its text is no set of rules.
    """
    return evaluate(compile_text(rule_set.text), rule_set.version, study, routed, routing, now)


def failures_of(version: int, ruling: Ruling) -> tuple[RuleFailure, ...]:
    """The rules that failed, each with its reason."""
    return tuple(RuleFailure(version, asked.rule, asked.failure or "") for asked in ruling.failures)


def directives_after_a_person(
    tx: Transaction, study: Study, routed: Routed, routing: RoutingFile, now: datetime
) -> Directives:
    """What rules say about who may have a read that a person routed; the person's word ends every hold."""
    active = tx.rule_sets.active()
    if active is None:
        return routed.directives
    try:
        directives = ruling_of(active, study, routed, routing, now).routed.directives
    except UnusableRules:
        return routed.directives
    return replace(directives, holds=())


def tell_what_rules_did(tx: Transaction, read: Read, failures: tuple[RuleFailure, ...], now: datetime) -> None:
    """Show a person every hold, and every rule that failed, of a read that was just routed."""
    about = About(study_instance_uid=read.study_instance_uid, read_id=read.id, node=read.origin)
    for hold in read.directives.holds:
        reason = f"rule {hold.rule!r} holds this read back: {hold.reason}; release it, or route it by hand"
        ask_a_person(tx, "held_by_rule", reason, f"{read.id}:{read.revision}:{hold.rule}", now, about)
    for failure in failures:
        reason = f"{failure}; what no other rule decided was left to the default"
        ask_a_person(tx, "rule_failed", reason, f"{read.id}:{read.revision}:{failure.rule}", now, about)


def close_hold_items(tx: Transaction, read: Read, by: str, note: str, now: datetime) -> None:
    """Close what asks about holds of this read: they are over."""
    for item in tx.queue.listing(kind="held_by_rule", resolved=False):
        if item.read_id == read.id:
            resolve_item(tx, item.id, by, note, now)
