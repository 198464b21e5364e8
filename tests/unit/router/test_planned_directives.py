"""What rules say of a read binds its plan: held, required, excluded and preferred readers."""

from dataclasses import replace
from datetime import timedelta

import pytest

from router.model.directives import Clause, Directives, RuleHold
from router.rules.eligibility import Need
from router.rules.planning import Assign, PlannableRead, Snapshot, Wait, plan, replayed
from tests.unit.router.people import NOW, on_duty

READERS = (on_duty("a"), on_duty("b", used=5), on_duty("c", used=6))
"""Without any rule the first of them is chosen."""


def ruled(**said: object) -> PlannableRead:
    need = Need("r", "RXN", frozenset({"CT"}), "neuro", 7.0)
    return PlannableRead(
        replace(need, directives=Directives(**said)),  # type: ignore[arg-type]
        NOW + timedelta(hours=24),
        0,
    )


@pytest.mark.parametrize(
    ("said", "chosen"),
    [
        ({}, "a"),
        ({"exclude": (Clause("r1", readers=("a",)),)}, "b"),
        ({"require": (Clause("r1", readers=("c",)),)}, "c"),
        ({"require": (Clause("r1", readers=("b", "c")), Clause("r2", readers=("a", "c")))}, "c"),
        ({"prefer": (Clause("r1", readers=("c",)),)}, "c"),
        ({"prefer": (Clause("r1", readers=("c",)),), "exclude": (Clause("r2", readers=("c",)),)}, "a"),
        ({"prefer": (Clause("r1", trusts=("NOBODYS",)),)}, "a"),
    ],
)
def test_the_reader_is_one_whom_the_rules_allow_and_rather_whom_they_prefer(
    said: dict[str, object], chosen: str
) -> None:
    (decision,) = plan(Snapshot(NOW, (ruled(**said),), READERS))
    assert isinstance(decision, Assign)
    assert decision.reader_id == chosen
    assert replayed(decision.explanation) == chosen
    assert "had it" not in decision.explanation.choice, decision.explanation.choice


def test_a_held_read_waits_and_every_reader_is_told_why() -> None:
    (decision,) = plan(Snapshot(NOW, (ruled(holds=(RuleHold("r1", "wait for the consultant"),)),), READERS))
    assert isinstance(decision, Wait)
    assert {exclusion.reasons for exclusion in decision.explanation.exclusions} == {
        ("held by rule 'r1': wait for the consultant",)
    }


def test_rules_of_one_read_bind_no_other() -> None:
    other = PlannableRead(Need("other", "RXN", frozenset({"CT"}), "neuro", 7.0), NOW + timedelta(hours=1), 0)
    held = ruled(exclude=(Clause("r1", readers=("a", "b", "c")),))
    decisions = plan(Snapshot(NOW, (held, other), READERS))
    assert {decision.read_id: type(decision) for decision in decisions} == {"r": Wait, "other": Assign}


def test_a_wish_is_what_the_choice_says() -> None:
    (decision,) = plan(Snapshot(NOW, (ruled(prefer=(Clause("r1", readers=("c",)),)),), READERS))
    assert decision.explanation.choice == "c is whom a rule prefers; a comes next"
