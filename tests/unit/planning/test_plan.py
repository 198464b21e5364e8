"""The plan over the domain's objects: eligibility holds, explanations replay, planning ahead only advises."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.flows.assign_reads import explanation_json
from router.model.aid import AidBook, AidLimits
from router.model.reader import DeliveryMode, Level, Profession, ReaderOnDuty
from router.rules.eligibility import Need, exclusions
from router.rules.planning import Assign, InHand, PlannableRead, Snapshot, Wait, plan, replayed
from router.rules.planning.ahead import Outlook, plan_ahead
from router.rules.planning.telling import tell_choice, tell_waiting
from tests.unit.router.people import NOW, credential, on_duty

_TRUSTS = ("RXL", "RXN")


def read(name: str, hours: float = 24.0, *, may_wait: bool = True, **changes: object) -> PlannableRead:
    need = Need(name, "RXN", frozenset({"CT"}), "neuro", 7.0, exam_code="CSKUH", exam_group="ct_head")
    need = replace(need, **changes)  # type: ignore[arg-type]
    return PlannableRead(need, NOW + timedelta(hours=hours), 0, 1.0, NOW, may_wait=may_wait)


@st.composite
def reads(draw: st.DrawFn) -> list[PlannableRead]:
    return [
        read(
            f"r{number}",
            draw(st.floats(-5, 50)),
            may_wait=draw(st.booleans()),
            origin=draw(st.sampled_from(_TRUSTS)),
            minimum_level=draw(st.sampled_from(Level)),
            acute=draw(st.booleans()),
            modalities=frozenset({draw(st.sampled_from(("CT", "MR")))}),
            declined_by=frozenset(draw(st.sets(st.sampled_from("abc"), max_size=1))),
            had_by=frozenset(draw(st.sets(st.sampled_from("abc"), max_size=1))),
        )
        for number in range(draw(st.integers(0, 8)))
    ]


@st.composite
def readers(draw: st.DrawFn) -> list[ReaderOnDuty]:
    return [
        on_duty(
            name,
            draw(st.integers(0, 10)),
            employer=draw(st.sampled_from(_TRUSTS)),
            credentials=tuple(credential(trust) for trust in draw(st.sets(st.sampled_from(_TRUSTS)))),
            levels={"neuro": draw(st.sampled_from(Level))},
            profession=draw(st.sampled_from(Profession)),
            exam_scope=draw(st.sampled_from((None, frozenset({"ct_head"}), frozenset({"mr"})))),
            speeds={"ct_head": draw(st.sampled_from((0.8, 1.0, 1.25)))},
            display_valid_until=draw(st.sampled_from((None, NOW - timedelta(1), NOW + timedelta(1)))),
            delivery=draw(st.sampled_from(DeliveryMode)),
        )
        for name in "abc"
    ]


BOOKS = st.sampled_from(
    (
        AidBook(),
        AidBook({"RXL": AidLimits("RXL", frozenset({"RXN"}), minutes_out_per_day=16.0)}),
        AidBook({"RXL": AidLimits("RXL", frozenset())}),
        AidBook({"RXN": AidLimits("RXN", minutes_in_per_day=16.0, group_minutes_in={"ct_head": 9.0})}),
    )
)


@given(reads(), readers(), BOOKS)
def test_arrays_and_rules_of_eligibility_agree_and_explanations_replay(
    waiting: list[PlannableRead], people: list[ReaderOnDuty], book: AidBook
) -> None:
    by_id = {duty.reader.id: duty for duty in people}
    for decision in plan(Snapshot(NOW, tuple(waiting), tuple(people), book)):
        if isinstance(decision, Assign):
            assert exclusions(decision.need, by_id[decision.reader_id], NOW, book) == ()
            assert replayed(decision.explanation) == decision.reader_id
            assert by_id[decision.reader_id].reader.delivery is DeliveryMode.PUSH
        else:
            could = {e.reader_id for e in decision.explanation.not_now}
            need = next(r.need for r in waiting if r.need.read_id == decision.read_id)
            assert all(exclusions(need, by_id[name], NOW, book) == () for name in could)


@given(reads(), readers())
def test_the_same_snapshot_gives_the_same_plan_and_digest(
    waiting: list[PlannableRead], people: list[ReaderOnDuty]
) -> None:
    once = plan(Snapshot(NOW, tuple(waiting), tuple(people)))
    assert plan(Snapshot(NOW, tuple(reversed(waiting)), tuple(reversed(people)))) == once


def test_whoever_pulls_is_given_reads_only_when_asking() -> None:
    snapshot = Snapshot(NOW, (read("r"),), (on_duty("a", delivery=DeliveryMode.PULL),))
    (waits,) = plan(snapshot)
    assert isinstance(waits, Wait)
    assert waits.explanation.not_now[0].reasons == ("asks for the next read when free",)
    (given_out,) = plan(snapshot, pulling="a")
    assert isinstance(given_out, Assign)


def test_a_full_list_takes_one_more_acute_read_and_no_other() -> None:
    full = tuple(InHand("a", 7.0) for _ in range(3))
    waiting = (read("acute", acute=True), read("other"))
    decisions = plan(Snapshot(NOW, waiting, (on_duty("a"),), in_hand=full))
    assert [(d.read_id, isinstance(d, Assign)) for d in decisions] == [("acute", True), ("other", False)]


def test_an_acute_read_on_a_busy_list_moves_to_whoever_is_idle() -> None:
    listed = replace(read("acute", acute=True), holder="a")
    busy = (InHand("a", 7.0), InHand("a", 7.0))
    (moved,) = plan(Snapshot(NOW, (listed,), (on_duty("a"), on_duty("b")), in_hand=busy))
    assert isinstance(moved, Assign)
    assert (moved.reader_id, moved.moved_from) == ("b", "a")
    assert moved.explanation.choice == (
        "b is the only reader it could move to; taken off a's list: it would have waited up to 14 min longer there "
        "(14 min of other reads on that list, 0 on this)"
    )
    assert moved.explanation.not_now.groups == ((("had it on the list until then",), ("a",)),)


def test_an_acute_read_taken_from_a_specialist_says_so_with_the_minutes_and_names_whoever_was_passed_over() -> None:
    listed = replace(read("acute", acute=True), holder="a")
    people = (on_duty("a", levels={"neuro": Level.SPECIALIST}), on_duty("b"), on_duty("c"))
    busy = (InHand("a", 7.0), InHand("a", 14.0), InHand("c", 7.0))
    (moved,) = plan(Snapshot(NOW, (listed,), people, in_hand=busy))
    assert moved.explanation.choice == (
        "b is the only reader it could move to; taken off a's list: it would have waited up to 21 min longer there "
        "(21 min of other reads on that list, 0 on this), and b is general and a specialist in neuro; an acute read "
        "goes to whoever can begin it first"
    )
    others = ("has reads on the list, and a read moves only to whoever has none",)
    assert dict(moved.explanation.not_now.groups)[others] == ("c",)


def test_an_acute_read_that_waits_for_nothing_stays_with_a_slow_reader() -> None:
    listed = replace(read("acute", acute=True), holder="a")
    slow = {"ct_head": 0.8}
    assert plan(Snapshot(NOW, (listed,), (on_duty("a", speeds=slow), on_duty("b", speeds=slow)))) == ()


def test_a_read_of_a_holder_who_may_no_longer_read_it_is_moved_for_that_reason() -> None:
    listed = replace(read("r"), holder="a")
    (moved,) = plan(Snapshot(NOW, (listed,), (on_duty("a", active=False), on_duty("b"))))
    assert "a's list, who cannot read it there (the reader is not active)" in moved.explanation.choice
    assert moved.explanation.exclusions.groups == ((("the reader is not active",), ("a",)),)


def test_a_read_stays_where_it_is_without_a_stated_gain() -> None:
    listed = replace(read("r", hours=600), holder="a")
    assert plan(Snapshot(NOW, (listed,), (on_duty("a"), on_duty("b")))) == ()


def test_what_was_found_ahead_is_advice_in_names_and_an_explanation_says_so() -> None:
    people = (on_duty("a"), on_duty("b", employer="RXL", credentials=(credential("RXN"),)))
    waiting = tuple(read(f"r{number}", hours=2.0) for number in range(40))
    snapshot = Snapshot(NOW, waiting, people)
    sessions = tuple(load.session for duty in people for load in duty.sessions)
    ahead = plan_ahead(snapshot, Outlook(sessions, waiting[:3]), timedelta(hours=1))
    assert ahead is not None
    assert ahead.until == NOW + timedelta(hours=1)
    assert 0 < len(ahead.given_up) < len(waiting)
    decisions = plan(replace(snapshot, ahead=ahead))
    given_up = {read_id for read_id, _, _ in ahead.given_up}
    assert {d.read_id for d in decisions if d.explanation.given_up} <= given_up
    waits = [d.explanation for d in decisions if isinstance(d, Wait) and d.read_id in given_up]
    assert waits
    assert any("makes room" in sentence for sentence in tell_waiting(explanation_json(waits[0])))


@pytest.mark.parametrize("raised", [{"hours": 1.0}, {"weight": 100.0}, {"acute": True}])
def test_a_read_that_was_raised_since_it_was_given_up_makes_room_no_more(raised: dict[str, Any]) -> None:
    waiting = tuple(read(f"r{number}", hours=2.0) for number in range(40))
    people = (on_duty("a"),)
    sessions = tuple(load.session for duty in people for load in duty.sessions)
    ahead = plan_ahead(Snapshot(NOW, waiting, people), Outlook(sessions, ()), timedelta(hours=9))
    assert ahead is not None
    name = min(read_id for read_id, _, _ in ahead.given_up)
    others = tuple(one for one in waiting if one.need.read_id != name)
    weight = raised.pop("weight", None)
    hurried = read(name, **{"hours": 2.0, **raised})
    hurried = hurried if weight is None else replace(hurried, weight=weight)
    decisions = plan(Snapshot(NOW, (hurried, *others), people, ahead=ahead))
    (mine,) = [d for d in decisions if d.read_id == name]
    assert not mine.explanation.given_up
    assert isinstance(mine, Assign)


def test_a_sample_of_last_week_stands_for_all_of_it() -> None:
    people = (on_duty("a"),)
    snapshot = Snapshot(NOW, tuple(read(f"r{number}", hours=30.0) for number in range(9)), people)
    sessions = tuple(load.session for load in people[0].sessions)
    urgent = tuple(
        replace(read(f"w{n}", hours=-7 * 24 + 6.0), weight=50.0, arrived_at=NOW - timedelta(days=7)) for n in range(2)
    )
    whole = plan_ahead(snapshot, Outlook(sessions, urgent * 30), timedelta(hours=1))
    sample = plan_ahead(snapshot, Outlook(sessions, urgent, 30.0), timedelta(hours=1))
    assert whole is not None is not sample
    assert whole.given_up == sample.given_up != frozenset()


def test_advice_about_others_leaves_whoever_came_since_alone() -> None:
    before = Snapshot(NOW, tuple(read(f"r{n}", hours=2.0) for n in range(40)), (on_duty("a"),))
    ahead = plan_ahead(before, Outlook(tuple(load.session for load in on_duty("a").sessions), ()), timedelta(hours=1))
    since = Snapshot(NOW, (read("new", origin="RXL"),), (on_duty("z", credentials=(credential("RXL"),)),), ahead=ahead)
    (chosen,) = plan(since)
    assert isinstance(chosen, Assign)
    assert chosen.reader_id == "z"


def test_without_sessions_to_come_the_index_runs_alone() -> None:
    snapshot = Snapshot(NOW, (read("r"),), (on_duty("a"),))
    assert plan_ahead(snapshot, Outlook((), ()), timedelta(hours=1)) is None
    assert isinstance(plan(snapshot)[0], Assign)


def test_an_explanation_of_an_earlier_version_is_still_told() -> None:
    old = {"rule": "r", "considered_at": "then", "due_at": "later", "candidates": [], "exclusions": [], "choice": "c"}
    assert list(tell_choice(old, "a"))[1] == "0 readers could take it then. Chosen was a: c."
