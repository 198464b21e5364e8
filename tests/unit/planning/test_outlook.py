"""The region planned ahead: what makes room when not all can be in time, and whose minutes are not to be wasted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.rules.planning import (
    ForecastArrays,
    Guidance,
    PlanningProblem,
    SessionArrays,
    Tuning,
    fit_of,
    next_choices,
    plan_region,
)
from router.rules.planning.prices import prices_of
from router.rules.planning.triage import triage
from tests.unit.planning.problems import problem

ALL = replace(Tuning(), usable_share=1.0)
HOUR, DAY = 60.0, 1440.0
NEURO, CHEST = 0, 1


def region(
    reads: list[tuple[int, float, float, float, bool]], readers: list[tuple[int, int]], homes: list[int] | None = None
) -> PlanningProblem:
    """Reads that may wait are (class, weight, minutes, due, acute), readers (level in neuro, in chest)."""
    it = problem(1, reads=len(reads), readers=len(readers), classes=2)
    columns = list(zip(*reads, strict=True))
    none = np.zeros(len(readers), np.int64)
    classes = replace(
        it.classes,
        origin=np.zeros(2, np.int64),
        group=np.array([0, 1]),
        subspecialty=np.array([NEURO, CHEST]),
        minimum_level=np.ones(2, np.int64),
    )
    waiting = replace(
        it.waiting,
        exam_class=np.array(columns[0], np.int64),
        weight=np.array(columns[1]),
        expected_minutes=np.array(columns[2]),
        due_min=np.array(columns[3]),
        acute=np.array(columns[4], np.bool_),
        may_wait=np.ones(len(reads), np.bool_),
    )
    people = replace(
        it.readers,
        employer=none if homes is None else np.array(homes),
        level=np.array(readers),
        credential=np.ones_like(it.readers.credential),
        scope=np.ones_like(it.readers.scope),
        speed=np.ones_like(it.readers.speed),
    )
    duty = replace(
        it.duty,
        on_duty=np.ones(len(readers), np.bool_),
        session_kind=np.full(len(readers), 4),
        session_end_min=np.full(len(readers), DAY),
        minutes_left=np.full(len(readers), np.inf),
        free_in_min=np.zeros(len(readers)),
        listed=none,
        room=none + 1,
        acute_room=none + 1,
        load=np.zeros(len(readers)),
    )
    whole = replace(it, classes=classes, waiting=waiting, readers=people, duty=duty)
    free = replace(it.aid, out_left=it.aid.out_left + np.inf, in_left=it.aid.in_left + np.inf)
    return replace(whole, aid=free, fit=fit_of(people, classes, free, ALL))


def sessions(*hours: tuple[int, float, float]) -> SessionArrays:
    """(reader, from, until) in hours."""
    reader, start, end = (np.array(part) for part in zip(*hours, strict=True))
    return SessionArrays(reader, np.full(len(reader), 4), start * HOUR, end * HOUR, (end - start) * HOUR)


def expected(*work: tuple[int, float, float, float, float]) -> ForecastArrays:
    """(class, weight, minutes, comes at, target) in minutes; one read each."""
    exam_class, weight, minutes, comes, target = (
        (np.array(part) for part in zip(*work, strict=True)) if work else (np.zeros(0) for _ in range(5))
    )
    none = np.zeros(len(comes), np.int64)
    once, waits = np.ones(len(comes)), none == 0
    return ForecastArrays(exam_class.astype(np.int64), weight, none > 0, waits, comes, comes, target, minutes, once)


def test_what_is_lightest_for_its_minutes_makes_room() -> None:
    it = region([(0, 1.0, 40.0, 120.0, False), (0, 1.0, 10.0, 100.0, False), (0, 6.0, 40.0, 110.0, False)], [(3, 3)])
    found = triage(it, sessions((0, 0.0, 1.0)), expected(), ALL).given_up
    assert found.tolist() == [True, False, False]


def test_nothing_is_given_up_while_everything_fits() -> None:
    it = region([(0, 1.0, 30.0, 120.0, False), (0, 1.0, 30.0, 130.0, False)], [(3, 3)])
    assert not triage(it, sessions((0, 0.0, 1.0)), expected(), ALL).given_up.any()


def test_acute_work_is_never_given_up_and_the_rest_makes_room_for_it() -> None:
    it = region([(0, 1.0, 60.0, 50.0, True), (0, 50.0, 2.0, 110.0, False)], [(3, 3)])
    assert triage(it, sessions((0, 0.0, 1.0)), expected(), ALL).given_up.tolist() == [False, True]


def test_what_may_not_wait_is_never_given_up_and_late_it_still_takes_its_minutes() -> None:
    it = region([(0, 1.0, 40.0, -500.0, False), (0, 50.0, 25.0, 110.0, False)], [(3, 3)])
    firm = replace(it, waiting=replace(it.waiting, may_wait=np.array([False, True])))
    assert triage(firm, sessions((0, 0.0, 1.0)), expected(), ALL).given_up.tolist() == [False, True]
    assert not triage(firm, sessions((0, 0.0, 1.0)), expected(), ALL).short.any()
    assert triage(it, sessions((0, 0.0, 1.0)), expected(), ALL).given_up.tolist() == [False, False]


def test_what_may_not_wait_and_cannot_be_in_time_is_told_apart() -> None:
    it = region([(0, 9.0, 40.0, 110.0, False), (0, 9.0, 40.0, 100.0, False), (0, 1.0, 5.0, 90.0, False)], [(3, 3)])
    firm = replace(it, waiting=replace(it.waiting, may_wait=np.array([False, False, True])))
    found = triage(firm, sessions((0, 0.0, 1.0)), expected(), ALL)
    assert (found.given_up.tolist(), found.short.tolist()) == ([False, False, True], [True, False, False])


def test_work_that_nobody_may_read_makes_nothing_else_give_way_and_is_told() -> None:
    reads = [(NEURO, 9.0, 60.0, -60.0, False) for _ in range(9)]
    it = region([*reads, (NEURO, 9.0, 60.0, 600.0, False), (CHEST, 1.0, 30.0, 600.0, False)], [(0, 3)])
    firm = replace(it, waiting=replace(it.waiting, may_wait=np.array([False] * 10 + [True])))
    found = triage(firm, sessions((0, 0.0, 8.0)), expected(), ALL)
    assert not found.given_up.any()
    assert np.flatnonzero(found.short).tolist() == [9]


def test_what_was_given_up_is_never_raised_by_it() -> None:
    it = region([(NEURO, 1.0, 10.0, 40_000.0, False), (NEURO, 1.0, 10.0, 5_000.0, False)], [(3, 3)])
    advised = replace(it, guidance=Guidance(np.zeros((1, 2)), np.array([True, False])))
    assert next_choices(advised, ALL).read.tolist() == [1]


def test_work_that_is_still_to_come_takes_minutes_and_makes_room_itself() -> None:
    it = region([(0, 1.0, 40.0, 300.0, False)], [(3, 3)])
    heavy, light = (0, 6.0, 40.0, 30.0, 200.0), (0, 0.1, 40.0, 30.0, 200.0)
    assert triage(it, sessions((0, 0.0, 1.0)), expected(heavy), ALL).given_up.tolist() == [True]
    assert triage(it, sessions((0, 0.0, 1.0)), expected(light), ALL).given_up.tolist() == [False]


def test_a_session_that_begins_after_the_due_time_is_no_help() -> None:
    it = region([(0, 1.0, 30.0, 120.0, False)], [(3, 3)])
    assert triage(it, sessions((0, 3.0, 9.0)), expected(), ALL).given_up.tolist() == [True]
    assert triage(it, sessions((0, 1.0, 9.0)), expected(), ALL).given_up.tolist() == [False]


@given(st.integers(0, 10**6), st.floats(0.2, 20))
def test_what_is_kept_fits_and_no_lighter_work_was_kept_for_what_was_given_up(seed: int, hours: float) -> None:
    chance = np.random.default_rng(seed)
    reads = [
        (0, float(chance.choice([1, 4, 6])), float(chance.integers(2, 20)), float(chance.integers(60, 2880)), False)
        for _ in range(30)
    ]
    it = region(reads, [(3, 3)])
    found = triage(it, sessions((0, 0.0, hours)), expected(), ALL).given_up
    due, minutes = it.waiting.due_min, it.waiting.expected_minutes
    for moment in due:
        kept = minutes[(due <= moment) & ~found].sum()
        assert kept <= min(moment, hours * HOUR) + 31.0  # the grid of half hours
    worth = it.waiting.weight / minutes
    if found.any():  # whatever is due first of all and weighs most is kept while it fits by itself
        best = np.lexsort((due, -worth))[0]
        assert not found[best] or minutes[best] > min(due[best], hours * HOUR) - 31.0


def test_reading_outside_the_subspecialty_wastes_what_is_scarce() -> None:
    reads = [(row % 2, 1.0, 10.0, 5000.0, False) for row in range(40)]
    it = region(reads, [(3, 1), (1, 3)])
    prices = prices_of(it, sessions((0, 0.0, 3.0), (1, 0.0, 3.0)), expected(), ALL)
    assert prices is not None
    waste = prices.waste[prices.group]
    assert waste[0, NEURO] == pytest.approx(0) == waste[1, CHEST]
    assert min(waste[0, CHEST], waste[1, NEURO]) > 0.2


def test_where_specialists_cannot_do_it_all_nobody_wastes_anything_by_helping() -> None:
    reads = [(NEURO, 1.0, 10.0, 5000.0, False) for _ in range(40)]
    it = region(reads, [(3, 1), (1, 3)])
    prices = prices_of(it, sessions((0, 0.0, 2.0), (1, 0.0, 2.0)), expected(), ALL)
    assert prices is not None
    assert prices.waste[prices.group][:, NEURO] == pytest.approx([0, 0], abs=1e-9)


def test_minutes_that_nobody_needs_cost_nothing() -> None:
    it = region([(NEURO, 1.0, 10.0, 5000.0, False)], [(3, 1), (1, 3)])
    prices = prices_of(it, sessions((0, 0.0, 9.0), (1, 0.0, 9.0)), expected(), ALL)
    assert prices is not None
    assert prices.waste[np.isfinite(prices.waste)].max() == 0


def test_advice_tips_the_choice_and_bars_nobody() -> None:
    it = region([(NEURO, 1.0, 10.0, 5000.0, False)], [(3, 3), (3, 3)])
    pair = np.zeros((2, 2))
    pair[0, NEURO] = -5.0
    advised = replace(it, guidance=Guidance(pair, np.zeros(1, np.bool_)))
    assert next_choices(advised, ALL).reader.tolist() == [1]
    busy = replace(advised, duty=replace(advised.duty, on_duty=np.array([True, False])))
    assert next_choices(busy, ALL).reader.tolist() == [0]


def test_what_was_given_up_comes_after_what_can_be_in_time_and_is_still_read() -> None:
    it = region([(NEURO, 1.0, 10.0, 500.0, False), (NEURO, 1.0, 10.0, 900.0, False)], [(3, 3)])
    advised = replace(it, guidance=Guidance(np.zeros((1, 2)), np.array([True, False])))
    assert next_choices(it, ALL).read.tolist() == [0]
    assert next_choices(advised, ALL).read.tolist() == [1]
    both = replace(advised, duty=replace(advised.duty, room=np.array([2]), acute_room=np.array([2])))
    assert next_choices(both, ALL).read.tolist() == [1, 0]


def test_without_a_session_to_come_nothing_is_planned_ahead() -> None:
    it = region([(NEURO, 1.0, 10.0, 500.0, False)], [(3, 3)])
    rows, times = np.zeros(0, np.int64), np.zeros(0)
    none = SessionArrays(rows, rows, times, times, times)
    assert plan_region(it, none, expected(), ALL) is None
