"""A reader's wishes: another kind of exam after so many in a row, and breaks."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from router.model.reader import DeliveryMode, ReaderOnDuty
from router.model.session import RecentRead, SessionLoad
from router.rules.eligibility import Need
from router.rules.planning import Assign, PlannableRead, Snapshot, Wait, plan
from router.rules.reading_rhythm import is_break_due, minutes_for_breaks, run_of
from tests.unit.router.people import NOW, load, on_duty, reader

HEAD, SPINE, ON_LIST = RecentRead("head", NOW), RecentRead("spine", NOW), RecentRead("head")


@pytest.mark.parametrize(
    ("recent", "run"),
    [
        ((), None),
        ((HEAD,), ("head", 1)),
        ((SPINE, HEAD, HEAD), ("head", 0)),
        ((HEAD, ON_LIST, ON_LIST), ("head", -1)),
        ((HEAD, HEAD, SPINE), ("spine", 1)),
        ((HEAD, RecentRead(None, NOW)), None),
    ],
)
def test_the_run_is_what_came_last_of_one_group(recent: tuple[RecentRead, ...], run: tuple[str, int] | None) -> None:
    group, left = run_of(reader(max_run=2), recent)
    assert (None if group is None else (group, left)) == run


def test_who_set_no_longest_run_has_none() -> None:
    assert run_of(reader(), (HEAD,) * 50)[0] is None


def spell(start: float, end: float | None) -> RecentRead:
    """Read from so many to so many minutes ago; None: still being read."""
    return RecentRead("head", NOW - timedelta(minutes=start), None if end is None else NOW - timedelta(minutes=end))


@pytest.mark.parametrize(
    ("recent", "due"),
    [
        ((), False),
        ((spell(50, None),), True),
        ((spell(49, None),), False),
        ((spell(60, 40), spell(35, 5)), True),
        ((spell(60, 40), spell(30, 0)), False),  # ten minutes between them
        ((spell(70, 10),), False),  # the pause is now
        ((spell(60, 5), RecentRead("head")), True),  # what is only on the list is no reading
        ((spell(40, 10), spell(40, 5)), False),  # two open at once are not twice the time
    ],
)
def test_a_break_is_due_after_so_long_without_one(recent: tuple[RecentRead, ...], due: bool) -> None:
    assert is_break_due(reader(break_after_minutes=50), recent, NOW) is due
    assert not is_break_due(reader(), recent, NOW)


def test_a_session_as_long_as_its_capacity_keeps_time_for_breaks() -> None:
    tight = load(capacity_reads=None, capacity_minutes=120.0).session
    assert minutes_for_breaks(reader(break_after_minutes=50), tight) == pytest.approx(20.0)
    assert minutes_for_breaks(reader(), tight) == 0.0
    assert minutes_for_breaks(reader(break_after_minutes=50), replace(tight, capacity_minutes=90.0)) == 0.0
    assert SessionLoad(tight, 0, 95.0, 20.0).minutes_left(7.0) == 5.0


def waiting(name: str, group: str, hours: float = 24, **changes: Any) -> PlannableRead:
    need = Need(name, "RXN", frozenset({"CT"}), "neuro", 7.0, exam_group=group)
    return PlannableRead(replace(need, **changes), NOW + timedelta(hours=hours), 0)


def planned(duty: ReaderOnDuty, *reads: PlannableRead, pulling: str | None = None) -> dict[str, str | None]:
    decisions = plan(Snapshot(NOW, reads, (duty,)), pulling=pulling)
    return {d.read_id: d.reader_id if isinstance(d, Assign) else None for d in decisions}


def test_after_the_longest_run_another_kind_comes_first_but_nothing_is_left_lying() -> None:
    reads = waiting("h", "head", 23), waiting("s", "spine", 24)
    fresh = on_duty(max_run=2)
    assert list(planned(fresh, *reads)) == ["h", "s"]
    tired = replace(fresh, recent=(HEAD, HEAD))
    assert planned(tired, *reads) == {"s": "a", "h": None}
    assert planned(tired, reads[0]) == {"h": "a"}


def test_one_round_lists_no_longer_run_than_the_reader_wants() -> None:
    reads = [waiting(f"h{number}", "head", 20 + number) for number in range(3)]
    assert planned(on_duty(max_run=2), *reads) == {"h0": "a", "h1": "a", "h2": None}
    assert planned(replace(on_duty(max_run=2), recent=(ON_LIST,)), *reads) == {"h0": "a", "h1": None, "h2": None}
    acute = [waiting(f"e{number}", "head", acute=True) for number in range(3)]
    assert list(planned(on_duty(max_run=2), *acute).values()) == ["a", "a", "a"]


def test_who_is_due_a_break_is_pushed_only_acute_work_and_the_explanation_says_so() -> None:
    tired = replace(on_duty(break_after_minutes=50), recent=(spell(55, 1),))
    routine, acute = waiting("r", "head"), waiting("e", "head", acute=True)
    assert planned(tired, routine, acute) == {"e": "a", "r": None}
    (wait,) = plan(Snapshot(NOW, (routine,), (tired,)))
    assert isinstance(wait, Wait)
    assert [one.reasons for one in wait.explanation.not_now] == [("a break is due",)]
    assert planned(replace(tired, recent=(spell(60, 10),)), routine) == {"r": "a"}


def test_who_asks_gets_the_next_read_break_or_not() -> None:
    asks = replace(on_duty(break_after_minutes=50, delivery=DeliveryMode.PULL), recent=(spell(55, 1),))
    assert planned(asks, waiting("r", "head"), pulling="a") == {"r": "a"}
