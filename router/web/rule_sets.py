"""Rule sets: written, checked, tried on studies, activated and rolled back by administrators."""

from typing import Annotated

from fastapi import APIRouter, Path

from router.flows import rule_sets, try_rules
from router.flows.rule_sets import RuleSetRecord
from router.model.routing_rule import Problem
from router.rules.routing_rules.vocabulary import VOCABULARY
from router.web.errors import responses
from router.web.rule_messages import (
    ActivateBody,
    ApproveBody,
    DryRunBody,
    DryRunView,
    LeaveRuleSetBody,
    NameView,
    ReplayBody,
    ReplayView,
    RollBackView,
    RuleSetBody,
    RuleSetEntryView,
    RuleSetView,
    RuleTextBody,
    SwitchOffView,
    ValidationView,
    WholeRuleSetView,
)
from router.web.rule_views import (
    dry_run_view,
    entry_view,
    problem_view,
    replay_view,
    rule_set_view,
    whole_rule_set_view,
)
from router.web.security import Admin, Staff
from router.web.services import WithServices

router = APIRouter(prefix="/rule-sets", tags=["rule sets"])

Version = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", summary="All versions", responses=responses())
def get_rule_sets(services: WithServices, _caller: Staff) -> list[RuleSetView]:
    """Newest first, each with its state."""
    with services.store.read() as tx:
        return [rule_set_view(record) for record in rule_sets.records(tx)]


@router.post("", summary="Write a draft", status_code=201, responses=responses())
def post_rule_set(body: RuleSetBody, services: WithServices, caller: Admin) -> RuleSetView:
    """Keep a text as the next version. It routes nothing before it is validated and activated."""
    with services.store.write() as tx:
        return rule_set_view(rule_sets.create_draft(tx, body.text, body.comment, caller.name, services.now()))


@router.get("/vocabulary", summary="What conditions may name", responses=responses())
def get_vocabulary(_caller: Staff) -> list[NameView]:
    """The names of the closed vocabulary with their kinds."""
    return [NameView(name=name.name, kind=name.kind, means=name.means) for name in VOCABULARY]


@router.get("/audit", summary="Everything done with rule sets", responses=responses())
def get_audit(services: WithServices, _caller: Staff) -> list[RuleSetEntryView]:
    """Oldest first. The database refuses to change or remove a line."""
    with services.store.read() as tx:
        return [entry_view(entry) for entry in tx.rule_sets.history()]


@router.post("/check", summary="Check a text", responses=responses())
def post_check(body: RuleTextBody, services: WithServices, _caller: Staff) -> ValidationView:
    """What is wrong with a text, without keeping it: against the vocabulary, the network and the studies of late."""
    with services.store.read() as tx:
        return _validation(None, rule_sets.problems_of(tx, body.text, services.settings.routing, services.now()))


@router.post("/roll-back", summary="Back to the version before", responses=responses(409))
def post_roll_back(body: LeaveRuleSetBody, services: WithServices, caller: Admin) -> RollBackView:
    """In one step, and without a second person: what was active before was approved then.

    Refused (409) where another version than `expected_active` is active, and where none was active before it: rules end
    by being switched off only.
    """
    with services.store.write() as tx:
        before = rule_sets.roll_back(tx, caller.name, body.reason, services.now(), expected_active=body.expected_active)
        return RollBackView(active_version=before)


@router.post("/switch-off", summary="Route by no rules", responses=responses(409))
def post_switch_off(body: LeaveRuleSetBody, services: WithServices, caller: Admin) -> SwitchOffView:
    """The exam table alone routes; no hold or requirement of a rule applies. The audit keeps who and why."""
    with services.store.write() as tx:
        rule_sets.switch_off(
            tx,
            caller.name,
            body.reason,
            services.now(),
            expected_active=body.expected_active,
            needs_second_person=services.settings.router.rules_need_second_person,
        )
        return SwitchOffView()


@router.get("/{version}", summary="One version", responses=responses(404))
def get_rule_set(version: Version, services: WithServices, _caller: Staff) -> WholeRuleSetView:
    """Its text, its rules in order, and what was done with it."""
    with services.store.read() as tx:
        return whole_rule_set_view(rule_sets.record_of(tx, version))


@router.post("/{version}/validate", summary="Validate", responses=responses(404))
def post_validate(version: Version, services: WithServices, caller: Admin) -> ValidationView:
    """Every problem with line, column and what was expected. Without errors a draft becomes validated.

    Warned about: a rule that can never match or always does, texts that a name never has, and rules that matched none
    or all of the studies of late, or failed for some.
    """
    with services.store.write() as tx:
        return _validation(*rule_sets.validate(tx, version, caller.name, services.settings.routing, services.now()))


@router.post("/{version}/approve", summary="Approve as the second person", responses=responses(404, 409))
def post_approve(version: Version, body: ApproveBody, services: WithServices, caller: Admin) -> RuleSetView:
    """Say that a validated version may be activated. Its author cannot (403)."""
    with services.store.write() as tx:
        return rule_set_view(rule_sets.approve(tx, version, caller.name, body.comment, services.now()))


@router.post("/{version}/activate", summary="Activate", responses=responses(404, 409))
def post_activate(version: Version, body: ActivateBody, services: WithServices, caller: Admin) -> RuleSetView:
    """Route by this version from now on. Reads that are routed already stay as they are.

    With `rules_need_second_person`, somebody other than the author must have approved it (403).
    """
    with services.store.write() as tx:
        activated = rule_sets.activate(
            tx,
            version,
            caller.name,
            services.settings.routing,
            services.now(),
            needs_second_person=services.settings.router.rules_need_second_person,
            expected_active=body.expected_active,
        )
        return rule_set_view(activated)


@router.post("/{version}/dry-run", summary="Try it on one study", responses=responses(404))
def post_dry_run(version: Version, body: DryRunBody, services: WithServices, _caller: Staff) -> DryRunView:
    """Each rule's answer for the study and what would change against the active rules. Changes nothing."""
    with services.store.read() as tx:
        study = try_rules.find_study(tx, body.study_instance_uid, body.accession_number, body.accession_issuer)
        at = body.at or services.now()
        return dry_run_view(version, try_rules.dry_run(tx, version, study, services.settings.routing, at))


@router.post("/{version}/replay", summary="Try it on a past period", responses=responses(404))
def post_replay(version: Version, body: ReplayBody, services: WithServices, _caller: Staff) -> ReplayView:
    """Every study that first settled in the period, by this version and by the baseline: what would differ.

    Studies are taken as they are known now, at the time they settled. Changes nothing.
    """
    period, routing = (body.start, body.end), services.settings.routing
    replay = try_rules.replay(services.store, version, body.baseline, period, routing, body.limit)
    return replay_view(replay, body.show)


def _validation(record: RuleSetRecord | None, problems: tuple[Problem, ...]) -> ValidationView:
    return ValidationView(
        rule_set=None if record is None else rule_set_view(record),
        valid=all(problem.severity != "error" for problem in problems),
        problems=[problem_view(problem) for problem in problems],
    )
