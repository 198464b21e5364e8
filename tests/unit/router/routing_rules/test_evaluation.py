"""Rules in order, the explicit default, periods, and failures that stop nothing."""

from datetime import timedelta

import pytest

from router.model.directives import Clause, Directives, PriorSelection, RuleHold
from router.rules.routing_rules.compiled import UnusableRules, compile_text
from router.rules.study_routing import Routed
from tests.unit.router.people import NOW
from tests.unit.router.routing_rules.rule_texts import a_study, rule, ruled, text

STROKE = 'study.description.contains("STROKE")'


def routed(*rules: str, default: str = "", top: str = "") -> Routed:
    return ruled(text(*rules, default=default, top=top)).routed


def test_the_first_rule_that_sets_a_thing_decides_it_and_the_later_one_is_overruled() -> None:
    ruling = ruled(
        text(
            rule(STROKE, 'priority = "urgent"', "first"),
            rule("true", 'priority = "emergency"\nsubspecialty = "neuro"', "second"),
        )
    )
    assert (ruling.routed.priority, ruling.routed.subspecialty) == ("urgent", "neuro")
    assert [(asked.decided, asked.overruled) for asked in ruling.asked] == [
        (("priority",), ()),
        (("subspecialty",), ("priority",)),
    ]
    assert ruling.routed.directives.rules == ("first", "second")


def test_the_default_holds_only_where_no_rule_decides() -> None:
    default = 'priority = "emergency"\npathway = "urgent"'
    here = routed(rule(STROKE, 'pathway = "stroke"'), default=default)
    assert (here.priority, here.directives.pathway) == ("emergency", "stroke")
    elsewhere = routed(rule("false", 'pathway = "stroke"'), default=default)
    assert (elsewhere.priority, elsewhere.directives.pathway, elsewhere.directives.rules) == ("emergency", "urgent", ())


def test_without_a_matching_rule_and_with_an_empty_default_the_exam_table_decides() -> None:
    here = routed(rule("false"))
    assert (here.subspecialty, here.priority, here.due_at) == ("body", "routine", NOW + timedelta(hours=672))
    assert here.directives == Directives(rule_set=3)


def test_due_time_follows_the_priority_unless_a_rule_sets_it() -> None:
    assert routed(rule("true", 'priority = "emergency"')).due_at == NOW + timedelta(hours=1)
    assert routed(rule("true", 'priority = "emergency"\ndue_minutes = 20')).due_at == NOW + timedelta(minutes=20)
    assert routed(rule("true", 'priority = "routine"\npathway = "urgent"')).due_at == NOW + timedelta(hours=24)
    assert routed(rule("true", 'priority = "urgent"\npathway = "stroke"')).due_at == NOW + timedelta(hours=24)
    examined = NOW - timedelta(minutes=50)
    late = ruled(text(rule("true", "due_minutes = 20")), study_time=examined).routed
    assert late.due_at == examined + timedelta(minutes=20)


def test_clauses_holds_and_second_reads_add_up() -> None:
    said = routed(
        rule("true", 'require = { pools = ["hub"], readers = ["dr-b"] }\nhold = "a"', "first"),
        rule("true", 'require = { trusts = ["RXL"] }\nhold = "b"\nsecond_read = true', "second"),
        rule("true", 'exclude = { readers = ["dr-a"] }\nprefer = { trusts = ["RXN"] }\nsecond_read = true', "third"),
        top='[pools.hub]\nreaders = ["dr-a"]\ntrusts = ["RXN"]',
    ).directives
    assert said.require == (Clause("first", ("dr-a", "dr-b"), ("RXN",)), Clause("second", (), ("RXL",)))
    assert said.exclude == (Clause("third", ("dr-a",)),)
    assert said.prefer == (Clause("third", (), ("RXN",)),)
    assert said.holds == (RuleHold("first", "a"), RuleHold("second", "b"))
    assert said.second_read == "second"


def test_priors_are_selected_by_the_first_rule_that_says_which() -> None:
    said = routed(
        rule("true", 'priors = { modalities = ["CT"], within_days = 30, most = 2, same_body_part = true }', "first"),
        rule("true", "priors = { most = 9 }", "second"),
    ).directives
    assert said.priors == PriorSelection("first", ("CT",), True, 30, 2)


@pytest.mark.parametrize(
    ("at", "value"),
    [("2026-11-02T08:59:59Z", None), ("2026-11-02T09:00:00Z", True), ("2026-11-02T10:00:00Z", None)],
)
def test_a_rule_is_asked_from_its_beginning_to_just_before_its_end(at: str, value: bool | None) -> None:
    period = "valid_from = 2026-11-02T09:00:00Z\nvalid_until = 2026-11-02T10:00:00Z"
    (asked,) = ruled(text(rule("true", extra=period)), at=NOW.fromisoformat(at)).asked
    assert (asked.value, asked.failure) == (value, None)


def test_a_rule_that_fails_decides_nothing_and_stops_no_other() -> None:
    ruling = ruled(
        text(
            rule("study.age_years < 16", 'priority = "urgent"\nhold = "child?"', "child"),
            rule(STROKE, 'priority = "emergency"', "stroke"),
        ),
        birth_date=None,
    )
    assert (ruling.routed.priority, ruling.routed.directives.holds) == ("emergency", ())
    assert [(asked.rule, asked.failure) for asked in ruling.failures] == [
        ("child", "study.age_years has no value for this study")
    ]
    assert ruling.routed.directives.rules == ("stroke",)


def test_the_same_study_at_the_same_time_is_always_ruled_alike() -> None:
    rules = text(rule(STROKE, 'priority = "urgent"'), rule("now.hour > 3", 'hold = "x"', "two"))
    assert ruled(rules) == ruled(rules)


def test_a_text_with_errors_is_not_evaluated() -> None:
    with pytest.raises(UnusableRules, match=r"study\.modalty"):
        compile_text(text(rule('study.modalty == "x"')))


@pytest.mark.parametrize(
    ("directives", "reasons"),
    [
        (Directives(), ()),
        (Directives(require=(Clause("r", ("dr-a",)),)), ()),
        (Directives(require=(Clause("r", (), ("RXL",)),)), ()),
        (Directives(require=(Clause("r", ("dr-b",), ("RXN",)),)), ("rule 'r' requires others",)),
        (Directives(require=(Clause("r", ("dr-a",)), Clause("s", ("dr-b",)))), ("rule 's' requires others",)),
        (Directives(exclude=(Clause("r", (), ("RXL",)),)), ("rule 'r' excludes the reader",)),
        (Directives(holds=(RuleHold("r", "why"),)), ("held by rule 'r': why",)),
        (Directives(prefer=(Clause("r", ("dr-b",)),)), ()),
    ],
)
def test_what_rules_say_of_a_reader(directives: Directives, reasons: tuple[str, ...]) -> None:
    assert directives.reasons_against("dr-a", "RXL") == reasons
    assert directives.binds or not reasons


def test_the_rules_see_no_name_of_a_patient() -> None:
    from router.rules.routing_rules.vocabulary import facts_of
    from tests.unit.router.routing_rules.rule_texts import ROUTING, route

    made = a_study()
    outcome = route(made, ROUTING, NOW)
    assert isinstance(outcome, Routed)
    facts = facts_of(made, outcome, compile_text(text()).book, NOW)
    assert not {made.patient.patient_id, made.accession_number, made.study_instance_uid} & set(map(str, facts.values()))
