"""The life of a rule set: written, validated, approved by a second person where that is asked, active, retired.

Every step is a line of a table that only grows. One lock serialises them, so that of two activations one comes second
and says so.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from router.config import RoutingFile
from router.flows.apply_rules import ruling_of
from router.flows.look_up_exam import route_by_tables
from router.flows.missing_rules import ask_for_rules, rules_are_back
from router.flows.ports import Transaction
from router.model.errors import Conflict, Invalid, NotAllowed, NotFound
from router.model.routing_rule import Problem, RuleSet, RuleSetEntry, RuleSetEvent, RuleSetState
from router.rules.routing_rules.checking import check
from router.rules.routing_rules.known_names import KnownNames, known_names
from router.rules.study_routing import Routed
from router.rules.two_persons import is_same_person

TRIED_STUDIES = 500
TRIED_DAYS = 28
_FEW = 20


@dataclass(frozen=True, slots=True)
class RuleSetRecord:
    """A version with its state and all that was done with it."""

    rule_set: RuleSet
    state: RuleSetState
    history: tuple[RuleSetEntry, ...]


def record_of(tx: Transaction, version: int) -> RuleSetRecord:
    """Raises NotFound."""
    rule_set = tx.rule_sets.get(version)
    if rule_set is None:
        raise NotFound(f"no rule set {version}")
    history = tuple(tx.rule_sets.history(version))
    return RuleSetRecord(rule_set, _state(version, history, tx.rule_sets.active_version()), history)


def records(tx: Transaction) -> list[RuleSetRecord]:
    """Every version, newest first."""
    active, histories = tx.rule_sets.active_version(), tx.rule_sets.history()
    found = []
    for rule_set in tx.rule_sets.listing():
        history = tuple(entry for entry in histories if entry.version == rule_set.version)
        found.append(RuleSetRecord(rule_set, _state(rule_set.version, history, active), history))
    return found


def create_draft(tx: Transaction, text: str, comment: str, author: str, now: datetime) -> RuleSetRecord:
    """Keep a text as the next version. It may hold mistakes: `validate` tells them."""
    tx.rule_sets.lock()
    digest = hashlib.sha256(text.encode()).hexdigest()
    rule_set = tx.rule_sets.add(text, digest, comment, author, now)
    tx.rule_sets.note(RuleSetEntry(rule_set.version, RuleSetEvent.CREATED, now, author, {"sha256": digest}))
    return record_of(tx, rule_set.version)


def problems_of(tx: Transaction, text: str, routing: RoutingFile, now: datetime) -> tuple[Problem, ...]:
    """What is wrong with a text, by itself, against the network's names, and against the studies of late."""
    known = _known_names(tx, routing)
    checked = check(text, known, now)
    if checked.compiled is None:
        return checked.problems
    silenced = {problem.where for problem in checked.problems}
    return checked.problems + tuple(_against_studies(tx, text, routing, now, silenced))


def validate(
    tx: Transaction, version: int, by: str, routing: RoutingFile, now: datetime
) -> tuple[RuleSetRecord, tuple[Problem, ...]]:
    """Check a draft; without errors it becomes validated. Warnings are written down with it."""
    tx.rule_sets.lock()
    record = record_of(tx, version)
    problems = problems_of(tx, record.rule_set.text, routing, now)
    if not _errors(problems) and record.state is RuleSetState.DRAFT:
        detail = {"warnings": [str(problem) for problem in problems]}
        tx.rule_sets.note(RuleSetEntry(version, RuleSetEvent.VALIDATED, now, by, detail))
        record = record_of(tx, version)
    return record, problems


def approve(tx: Transaction, version: int, by: str, comment: str, now: datetime) -> RuleSetRecord:
    """A second person says that it may be activated.

    Raises:
        NotAllowed: the author cannot be that person.
        Conflict: it is not validated, or past that.
    """
    tx.rule_sets.lock()
    record = record_of(tx, version)
    if is_same_person(by, record.rule_set.author):
        raise NotAllowed(f"rule set {version} was written by {record.rule_set.author}: somebody else must approve it")
    if record.state is not RuleSetState.VALIDATED:
        raise Conflict(f"rule set {version} is {record.state.value}, expected validated")
    tx.rule_sets.note(RuleSetEntry(version, RuleSetEvent.APPROVED, now, by, {"comment": comment}))
    return record_of(tx, version)


def activate(
    tx: Transaction,
    version: int,
    by: str,
    routing: RoutingFile,
    now: datetime,
    *,
    needs_second_person: bool,
    expected_active: int | None = None,
) -> RuleSetRecord:
    """Let this version route from now on; the one before is retired.

    `expected_active` is the version that the caller believes to be active; None does not compare.

    Raises:
        Conflict: not validated, active already, or another version than expected is active.
        NotAllowed: nobody but the author has approved it.
        Invalid: the network has changed so that the text cannot be used any more.
    """
    tx.rule_sets.lock()
    record = record_of(tx, version)
    active = tx.rule_sets.active_version()
    if active == version:
        raise Conflict(f"rule set {version} is active already")
    if expected_active is not None and active != expected_active:
        raise _unexpected(active, expected_active)
    done = {entry.event for entry in record.history}
    if RuleSetEvent.VALIDATED not in done:
        raise Conflict(f"rule set {version} is {record.state.value}: validate it first")
    if needs_second_person and not _approved_by_another(record):
        raise NotAllowed(f"rule set {version} needs the approval of somebody other than {record.rule_set.author}")
    known = _known_names(tx, routing)
    errors = check(record.rule_set.text, known, now).errors
    if errors:
        raise Invalid(f"rule set {version} cannot be used any more: {errors[0]}")
    _switch(tx, active, version, by, now, {"before": active})
    return record_of(tx, version)


def roll_back(tx: Transaction, by: str, reason: str, now: datetime, *, expected_active: int) -> int:
    """Back to the version that was active before `expected_active`, in one step and without anybody's approval.

    Returns it.

    Raises:
        Conflict: another version than expected, or none, is active; or none was before it: that is `switch_off`.
    """
    tx.rule_sets.lock()
    active = _expected_one(tx, expected_active)
    before = _active_before(tx, active)
    if before is None:
        raise Conflict(
            f"no rule set was active before {active}: going back would leave no rules at all. Activate another one, or "
            "switch the rules off: the exam table alone (POST /rule-sets/switch-off, readacross rules switch-off)"
        )
    tx.rule_sets.note(RuleSetEntry(active, RuleSetEvent.ROLLED_BACK, now, by, {"reason": reason, "to": before}))
    detail = {"before": _active_before(tx, before), "rolled_back_from": active}
    _switch(tx, active, before, by, now, detail)
    return before


def switch_off(
    tx: Transaction, by: str, reason: str, now: datetime, *, expected_active: int, needs_second_person: bool
) -> None:
    """No rule set is active from now on: the exam table alone routes, and no hold or requirement applies.

    Where two persons let rules in, an item of the human queue stays open until a rule set is active again.

    Raises:
        Conflict: another version than expected, or none, is active.
    """
    tx.rule_sets.lock()
    active = _expected_one(tx, expected_active)
    tx.rule_sets.note(RuleSetEntry(active, RuleSetEvent.SWITCHED_OFF, now, by, {"reason": reason}))
    _switch(tx, active, None, by, now, {})
    if needs_second_person:
        ask_for_rules(tx, now, again_after_s=0.0)


def _switch(
    tx: Transaction, active: int | None, to: int | None, by: str, now: datetime, detail: dict[str, int | None]
) -> None:
    if active is not None:
        tx.rule_sets.note(RuleSetEntry(active, RuleSetEvent.RETIRED, now, by, {"replaced_by": to}))
    tx.rule_sets.set_active(to)
    if to is not None:
        tx.rule_sets.note(RuleSetEntry(to, RuleSetEvent.ACTIVATED, now, by, dict(detail)))
        rules_are_back(tx, to, by, now)


def _expected_one(tx: Transaction, expected: int) -> int:
    active = tx.rule_sets.active_version()
    if active is None or active != expected:
        raise _unexpected(active, expected)
    return active


def _unexpected(active: int | None, expected: int) -> Conflict:
    is_active = "no rule set is active" if active is None else f"rule set {active} is active"
    return Conflict(f"{is_active}, not {expected}: look at what changed first")


def _active_before(tx: Transaction, version: int) -> int | None:
    activations = [e for e in tx.rule_sets.history(version) if e.event is RuleSetEvent.ACTIVATED]
    before: int | None = activations[-1].detail.get("before") if activations else None
    return before


def _state(version: int, history: tuple[RuleSetEntry, ...], active: int | None) -> RuleSetState:
    if version == active:
        return RuleSetState.ACTIVE
    done = {entry.event for entry in history}
    if RuleSetEvent.ACTIVATED in done:
        return RuleSetState.RETIRED
    if RuleSetEvent.APPROVED in done:
        return RuleSetState.APPROVED
    return RuleSetState.VALIDATED if RuleSetEvent.VALIDATED in done else RuleSetState.DRAFT


def _approved_by_another(record: RuleSetRecord) -> bool:
    author = record.rule_set.author
    return any(e.event is RuleSetEvent.APPROVED and not is_same_person(e.actor, author) for e in record.history)


def _known_names(tx: Transaction, routing: RoutingFile) -> KnownNames:
    trusts = list(tx.network.trusts())
    exams = (exam for trust in trusts for exam in tx.exams.of_trust(trust.ods_code))
    codes = {code for exam in exams for code in (exam.local_code, exam.standard_code)}
    return known_names(routing, tx.readers.all(), trusts, tx.exams.pathways(), codes)


def _errors(problems: tuple[Problem, ...]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "error"]


def _against_studies(
    tx: Transaction, text: str, routing: RoutingFile, now: datetime, silenced: set[str]
) -> list[Problem]:
    """Rules that matched none, or all, of the studies of late, or failed for some; each as a warning."""
    trial = RuleSet(0, text, "", "", "", now)
    studies = tx.studies.settled_between(now - timedelta(days=TRIED_DAYS), now, TRIED_STUDIES)
    routed = [(at, study, route_by_tables(tx, study, routing, at)) for at, study in studies]
    rulings = [
        ruling_of(trial, study, outcome, routing, at) for at, study, outcome in routed if isinstance(outcome, Routed)
    ]
    if not rulings:
        return []
    many = f"{len(rulings)} studies of the last {TRIED_DAYS} days"
    found = []
    for number, answers in enumerate(zip(*(ruling.asked for ruling in rulings), strict=True)):
        where, name = f"rules[{number}].condition", answers[0].rule
        matched = sum(answer.value is True for answer in answers)
        failed = next((answer.failure for answer in answers if answer.failure is not None), None)
        asked = sum(answer.value is not None for answer in answers)
        if failed is not None:
            found.append(Problem("warning", where, f"rule {name!r} fails for some of the {many}: {failed}"))
        elif where in silenced or asked < len(rulings):
            continue
        elif not matched:
            found.append(Problem("warning", where, f"rule {name!r} matched none of the {many}"))
        elif matched == len(rulings) >= _FEW:
            found.append(Problem("warning", where, f"rule {name!r} matched all of the {many}"))
    return found
