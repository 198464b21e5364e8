"""From rule sets and their trials to the bodies of the API."""

from dataclasses import asdict
from typing import Any

from router.flows.rule_sets import RuleSetRecord
from router.flows.try_rules import DryRun, Replay
from router.model.routing_rule import Effects, Problem, Rule, RuleSetEntry
from router.rules.routing_rules.comparing import Change
from router.rules.routing_rules.expected_load import ReaderLoad
from router.rules.routing_rules.rule_file import parse
from router.rules.study_routing import Routed
from router.store.directives import directives_to_json
from router.web.rule_messages import (
    AidView,
    AskedView,
    ChangeView,
    CountedChangeView,
    DifferenceView,
    DryRunView,
    LateView,
    ProblemView,
    ReaderLoadView,
    ReplayView,
    RoutedView,
    RuleSetEntryView,
    RuleSetView,
    RuleView,
    WholeRuleSetView,
)


def problem_view(problem: Problem) -> ProblemView:
    return ProblemView(**asdict(problem))


def rule_set_view(record: RuleSetRecord) -> RuleSetView:
    return RuleSetView(**_of(record))


def whole_rule_set_view(record: RuleSetRecord) -> WholeRuleSetView:
    book, _ = parse(record.rule_set.text)
    return WholeRuleSetView(
        **_of(record),
        text=record.rule_set.text,
        rules=None if book is None else [_rule_view(rule) for rule in book.rules],
        default=None if book is None else effects_json(book.default),
        history=[entry_view(entry) for entry in record.history],
    )


def entry_view(entry: RuleSetEntry) -> RuleSetEntryView:
    return RuleSetEntryView(
        version=entry.version, event=entry.event, at=entry.at, actor=entry.actor, detail=entry.detail
    )


def effects_json(effects: Effects) -> dict[str, Any]:
    """Only what is set."""
    return {name: value for name, value in asdict(effects).items() if name in effects.named}


def dry_run_view(version: int, run: DryRun) -> DryRunView:
    return DryRunView(
        version=version,
        study_instance_uid=run.study.study_instance_uid,
        trust=run.study.origin,
        at=run.at,
        reason=run.reason,
        rules=[
            AskedView(
                rule=asked.rule,
                value=asked.value,
                failure=asked.failure,
                decided=list(asked.decided),
                overruled=list(asked.overruled),
            )
            for asked in (run.ruling.asked if run.ruling is not None else ())
        ],
        table=_routed_view(run.table),
        before=_routed_view(run.before),
        after=_routed_view(run.ruling.routed if run.ruling is not None else None),
        changes=[change_view(change) for change in run.changes],
        read_id=run.read.id if run.read is not None else None,
        read_state=run.read.state if run.read is not None else None,
    )


def replay_view(replay: Replay, show: int) -> ReplayView:
    before, after = replay.load_before, replay.load_after
    return ReplayView(
        version=replay.version,
        baseline=replay.baseline,
        considered=replay.considered,
        unmapped=replay.unmapped,
        cut=replay.is_cut,
        different=len(replay.differences),
        displaced=replay.displaced,
        matches=replay.matches,
        failures=replay.failures,
        counts=[CountedChangeView(**asdict(change), studies=studies) for change, studies in replay.counts],
        studies=[
            DifferenceView(
                at=difference.at,
                study_instance_uid=difference.study.study_instance_uid,
                trust=difference.study.origin,
                rules=list(difference.rules),
                changes=[change_view(change) for change in difference.changes],
                reader_before=before.read_by.get(difference.study.study_instance_uid),
                reader_after=after.read_by.get(difference.study.study_instance_uid),
            )
            for difference in replay.differences[:show]
        ],
        readers=_readers(before.readers, after.readers),
        late=[
            LateView(priority=priority, before=before.late.get(priority, 0), after=after.late.get(priority, 0))
            for priority in sorted(before.late.keys() | after.late.keys())
        ],
        aid=[
            AidView(
                reader_trust=pair[0],
                origin=pair[1],
                minutes_before=before.aid_minutes.get(pair, 0.0),
                minutes_after=after.aid_minutes.get(pair, 0.0),
            )
            for pair in sorted(before.aid_minutes.keys() | after.aid_minutes.keys())
        ],
        held_before=before.held,
        held_after=after.held,
        unread_before=before.unread,
        unread_after=after.unread,
    )


def change_view(change: Change) -> ChangeView:
    return ChangeView(what=change.what, before=change.before, after=change.after)


def _readers(before: dict[str, ReaderLoad], after: dict[str, ReaderLoad]) -> list[ReaderLoadView]:
    none = ReaderLoad(0, 0.0)
    pairs = [(reader, before.get(reader, none), after.get(reader, none)) for reader in sorted(before.keys() | after)]
    return [
        ReaderLoadView(
            reader_id=reader,
            reads_before=was.reads,
            reads_after=would.reads,
            minutes_before=was.minutes,
            minutes_after=would.minutes,
        )
        for reader, was, would in pairs
    ]


def _of(record: RuleSetRecord) -> dict[str, Any]:
    rule_set = record.rule_set
    return {
        "version": rule_set.version,
        "state": record.state,
        "comment": rule_set.comment,
        "author": rule_set.author,
        "created_at": rule_set.created_at,
        "digest": rule_set.digest,
    }


def _rule_view(rule: Rule) -> RuleView:
    return RuleView(
        name=rule.name,
        condition=rule.condition,
        effects=effects_json(rule.effects),
        owner=rule.owner,
        comment=rule.comment,
        valid_from=rule.valid_from,
        valid_until=rule.valid_until,
    )


def _routed_view(routed: Routed | None) -> RoutedView | None:
    if routed is None:
        return None
    return RoutedView(
        subspecialty=routed.subspecialty,
        priority=routed.priority,
        due_at=routed.due_at,
        expected_minutes=routed.expected_minutes,
        directives=directives_to_json(routed.directives),
    )
