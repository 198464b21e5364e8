"""Who gets what, and why: deterministic, within capacity, explained."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.model.reader import ReaderOnDuty
from router.rules.eligibility import Need
from router.rules.planning import Assign, PlannableRead, Snapshot, Wait, plan, replayed
from tests.unit.router.people import NOW, on_duty


def need(
    name: str, hours: float = 24, subspecialty: str = "neuro", declined: frozenset[str] = frozenset()
) -> PlannableRead:
    return PlannableRead(
        Need(name, "RXN", frozenset({"CT"}), subspecialty, 7.0, declined), NOW + timedelta(hours=hours), 0
    )


def had(name: str, *readers: str) -> PlannableRead:
    plannable = need(name)
    return replace(plannable, need=replace(plannable.need, had_by=frozenset(readers)))


def given_out(reads: list[PlannableRead], readers: list[ReaderOnDuty]) -> dict[str, str | None]:
    decisions = plan(Snapshot(NOW, tuple(reads), tuple(readers)))
    return {d.read_id: d.reader_id if isinstance(d, Assign) else None for d in decisions}


def test_the_reader_with_most_capacity_left_is_chosen() -> None:
    assert given_out([need("r")], [on_duty("a", used=3), on_duty("b", used=1), on_duty("c", used=2)]) == {"r": "b"}


def test_the_earliest_due_gets_the_last_place() -> None:
    assert given_out([need("late", 5), need("soon", 1)], [on_duty(used=9)]) == {"soon": "a", "late": None}


def test_each_decision_counts_for_the_next() -> None:
    reads = [need(f"r{number}") for number in range(4)]
    assert list(given_out(reads, [on_duty("a", used=5), on_duty("b", used=6)]).values()) == ["a", "b", "a", "b"]


def test_a_tie_is_broken_by_id_and_said_so() -> None:
    (decision,) = plan(Snapshot(NOW, (need("r"),), (on_duty("b"), on_duty("a"))))
    assert isinstance(decision, Assign)
    assert decision.reader_id == "a"
    assert decision.explanation.choice == "a suits as well as b; decided by id"


def test_a_read_nobody_can_take_waits_with_every_reason() -> None:
    (decision,) = plan(
        Snapshot(NOW, (need("r", subspecialty="msk", declined=frozenset({"b"})),), (on_duty("a"), on_duty("b")))
    )
    assert isinstance(decision, Wait)
    assert {e.reader_id: len(e.reasons) for e in decision.explanation.exclusions} == {"a": 1, "b": 2}
    assert decision.explanation.choice == "nobody is eligible; the read waits"


def test_the_explanation_names_candidates_exclusions_and_the_choice() -> None:
    readers = (on_duty("a", used=2), on_duty("b"), on_duty("c", active=False))
    (decision,) = plan(Snapshot(NOW, (need("r"),), readers))
    why = decision.explanation
    assert [(c.reader_id, c.minutes_left) for c in why.candidates] == [("b", 70.0), ("a", 56.0)]
    assert [(e.reader_id, e.reasons) for e in why.exclusions] == [("c", ("the reader is not active",))]
    assert why.choice == "b has more of the session left for it (2% better than a)"
    assert replayed(why) == "b"


def test_who_had_the_read_before_comes_after_everybody_else() -> None:
    readers = (on_duty("a"), on_duty("b", used=5), on_duty("c", used=6))
    (decision,) = plan(Snapshot(NOW, (had("r", "a"),), readers))
    assert isinstance(decision, Assign)
    assert [(c.reader_id, c.had_it) for c in decision.explanation.candidates] == [
        ("b", False),
        ("c", False),
        ("a", True),
    ]
    assert decision.explanation.choice == (
        "b has more of the session left for it (1% better than c); a had it before and did not finish it"
    )
    assert "comes last" in decision.explanation.rule


def test_who_had_it_before_gets_it_again_when_nobody_else_can() -> None:
    (decision,) = plan(Snapshot(NOW, (had("r", "a"),), (on_duty("a"), on_duty("b", active=False))))
    assert isinstance(decision, Assign)
    assert (decision.reader_id, decision.explanation.choice) == (
        "a",
        "a is the only eligible reader with room, and had it before",
    )


def test_the_choice_says_so_when_one_or_all_had_it_before() -> None:
    (one,) = plan(Snapshot(NOW, (had("r", "a"),), (on_duty("a"), on_duty("b", used=9))))
    assert one.explanation.choice == (
        "b is the only eligible reader who did not have it before; a had it before and did not finish it"
    )
    (all_had,) = plan(Snapshot(NOW, (had("r", "a", "b"),), (on_duty("a"), on_duty("b", used=9))))
    assert all_had.explanation.choice == (
        "a has more of the session left for it (9% better than b); all eligible readers had it before"
    )


@given(st.lists(st.integers(0, 30), max_size=12), st.lists(st.integers(0, 10), max_size=4), st.randoms())
def test_no_session_is_overbooked_and_order_of_input_does_not_matter(
    due: list[int], used: list[int], chance: object
) -> None:
    reads = [need(f"r{number:02}", hours) for number, hours in enumerate(due)]
    readers = [on_duty(f"p{number}", taken) for number, taken in enumerate(used)]
    first = given_out(reads, readers)
    chance.shuffle(reads)  # type: ignore[attr-defined]
    chance.shuffle(readers)  # type: ignore[attr-defined]
    assert given_out(reads, readers) == first
    for number, taken in enumerate(used):
        assert taken + sum(1 for who in first.values() if who == f"p{number}") <= 10
    free = sum(min(10 - taken, 3) for taken in used)
    assert sum(1 for who in first.values() if who is not None) == min(free, len(reads))
