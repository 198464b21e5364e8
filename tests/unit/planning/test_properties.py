"""What holds of every plan, whatever the problem."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.rules.planning import NO_READER, BarredPairs, PlanningProblem, WaitingArrays, next_choices, next_read
from tests.unit.planning.problems import GROUPS, TRUSTS, TUNING, problem, with_duty, with_waiting

SEEDS = st.integers(0, 10**6)


def pairs(given_problem: PlanningProblem) -> list[tuple[int, int]]:
    """(read's number, reader's number), in the order in which they were chosen."""
    chosen = next_choices(given_problem, TUNING)
    numbers = given_problem.waiting.number[chosen.read], given_problem.readers.number[chosen.reader]
    return list(zip(*(part.tolist() for part in numbers), strict=True))


@given(SEEDS)
def test_nobody_gets_a_read_that_is_not_for_them(seed: int) -> None:
    it = problem(seed)
    for read, reader in pairs(it):
        row = it.waiting.exam_class[read]
        assert it.duty.on_duty[reader]
        assert it.readers.credential[reader, it.classes.origin[row]]
        assert it.readers.scope[reader, it.classes.group[row]]
        assert it.readers.level[reader, it.classes.subspecialty[row]] >= it.classes.minimum_level[row]


@given(SEEDS)
def test_no_read_is_given_twice(seed: int) -> None:
    reads = [read for read, _ in pairs(problem(seed))]
    assert len(reads) == len(set(reads))


@given(SEEDS)
def test_no_session_list_or_aid_limit_is_exceeded(seed: int) -> None:
    it = problem(seed)
    used, routine = np.zeros(len(it.readers.number)), np.zeros(len(it.readers.number), np.int64)
    given_to, out, taken = routine.copy(), np.zeros(TRUSTS), np.zeros(TRUSTS)
    for read, reader in pairs(it):
        row, employer = it.waiting.exam_class[read], it.readers.employer[reader]
        minutes = it.waiting.expected_minutes[read] / it.readers.speed[reader, it.classes.group[row]]
        used[reader] += minutes
        given_to[reader] += 1
        routine[reader] += not it.waiting.acute[read]
        if employer != it.classes.origin[row]:
            out[employer] += minutes
            taken[it.classes.origin[row]] += minutes
            if not it.waiting.acute[read]:
                assert out[employer] <= it.aid.out_left[employer] - it.aid.out_reserve[employer] + 1e-5
    assert (used <= it.duty.minutes_left + 1e-5).all()
    assert (given_to <= it.duty.acute_room).all()
    assert (routine <= it.duty.room).all()
    assert (out <= it.aid.out_left + 1e-5).all()
    assert (taken <= it.aid.in_left + 1e-5).all()


@given(SEEDS, st.randoms())
def test_the_order_of_the_input_decides_nothing(seed: int, chance: object) -> None:
    it = problem(seed)
    first = pairs(it)
    assert pairs(it) == first
    order = np.random.default_rng(seed).permutation(len(it.waiting.number))
    shuffled = WaitingArrays(**{f.name: getattr(it.waiting, f.name)[order] for f in fields(it.waiting)})
    chosen = next_choices(replace(it, waiting=shuffled), TUNING)
    again = list(zip(shuffled.number[chosen.read].tolist(), chosen.reader.tolist(), strict=True))
    assert again == first


@given(SEEDS)
def test_an_acute_read_never_waits_while_an_eligible_reader_idles(seed: int) -> None:
    it = problem(seed)
    free = {"out_left": np.full(TRUSTS, np.inf), "in_left": np.full(TRUSTS, np.inf)}
    it = replace(with_duty(it, minutes_left=np.full(len(it.readers.number), np.inf)), aid=replace(it.aid, **free))
    given_out = pairs(it)
    waiting = set(np.flatnonzero(it.waiting.acute).tolist()) - {read for read, _ in given_out}
    busy = {reader for _, reader in given_out}
    for read in waiting:
        for reader in np.flatnonzero(it.duty.on_duty & (it.duty.listed == 0)).tolist():
            eligible = it.fit.eligible[reader, it.waiting.exam_class[read]]
            assert not eligible or reader in busy


@given(SEEDS, st.integers(0, 19))
def test_a_higher_priority_never_lowers_the_rank(seed: int, read: int) -> None:
    it = problem(seed)
    before = [number for number, _ in pairs(it)]
    weight, acute = it.waiting.weight.copy(), it.waiting.acute.copy()
    weight[read] *= 3
    heavier = [number for number, _ in pairs(with_waiting(it, weight=weight))]
    acute[read] = True
    first = [number for number, _ in pairs(with_waiting(it, weight=weight, acute=acute))]
    for after in (heavier, first):
        if read in before:
            assert read in after
            assert set(after[: after.index(read)]) <= set(before) | {read} or after.index(read) <= before.index(read)


@given(SEEDS, st.booleans())
def test_a_late_head_goes_before_one_like_it_that_can_still_be_in_time_unless_it_may_wait(
    seed: int, may_wait: bool
) -> None:
    it = problem(seed, reads=2, readers=1, classes=1)
    same = np.zeros(2, np.int64)
    it = with_waiting(
        it,
        exam_class=same,
        weight=np.ones(2),
        acute=np.zeros(2, np.bool_),
        may_wait=np.full(2, may_wait),
        due_min=np.array([-60.0, it.waiting.expected_minutes[0] + 10.0]),
    )
    one = np.ones(1, np.int64)
    it = with_duty(it, room=one, acute_room=one, listed=0 * one, free_in_min=np.zeros(1), on_duty=one == 1)
    assert [read for read, _ in pairs(it)][:1] in ([], [1 if may_wait else 0])


@given(SEEDS)
def test_who_declined_never_gets_it_and_who_had_it_comes_last(seed: int) -> None:
    it = problem(seed)
    first = next_choices(it, TUNING)
    if not len(first.read):
        return
    read, reader = first.read[:1], first.reader[:1]
    never = replace(it, barred=BarredPairs(read, reader, np.array([False])))
    assert (int(read[0]), int(reader[0])) not in pairs(never)
    last = dict(pairs(replace(it, barred=BarredPairs(read, reader, np.array([True])))))
    if last.get(int(read[0])) == int(reader[0]):
        others = it.fit.eligible[:, it.waiting.exam_class[read[0]]] & it.duty.on_duty
        others[reader[0]] = False
        idle = others & (it.duty.listed == 0) & (it.duty.minutes_left > 60)
        assert not idle.any() or len(last) > 1


@given(SEEDS)
def test_a_read_moves_only_to_an_idle_reader_and_never_back_at_once(seed: int) -> None:
    it = problem(seed)
    chosen = next_choices(it, TUNING)
    holder = np.full(len(it.waiting.number), NO_READER)
    holder[chosen.read] = chosen.reader
    listed = it.duty.listed + np.bincount(chosen.reader, minlength=len(it.duty.listed))
    room = np.clip(it.duty.room - np.bincount(chosen.reader, minlength=len(listed)), 0, None)
    later = with_duty(
        with_waiting(it, holder=holder), listed=listed, room=room, acute_room=room, free_in_min=8.0 * listed
    )
    again = next_choices(later, TUNING)
    moved = again.moved_from != NO_READER
    assert (listed[again.reader[moved]] == 0).all()
    assert (again.reader[moved] != again.moved_from[moved]).all()


@given(SEEDS)
def test_who_pulls_gets_what_the_plan_would_give(seed: int) -> None:
    it = problem(seed)
    for reader in range(len(it.readers.number)):
        read = next_read(it, TUNING, reader)
        if read is not None:
            assert it.fit.eligible[reader, it.waiting.exam_class[read]]
            assert it.waiting.acute[read] or not _could_take_acute(it, reader)


def _could_take_acute(it: PlanningProblem, reader: int) -> bool:
    row = it.waiting.exam_class
    minutes = it.waiting.expected_minutes / it.readers.speed[reader, it.classes.group[row]]
    home = it.classes.origin[row] == it.readers.employer[reader]
    fits = it.fit.eligible[reader, row] & it.waiting.acute & home & (minutes <= it.duty.minutes_left[reader])
    return bool(fits.any())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_routine_work_does_not_starve_when_there_is_capacity(seed: int) -> None:
    """One reader, work for 90 % of the time, most of it more important: every read is read within two weeks."""
    chance = np.random.default_rng(seed)
    base = one_reader_for_all()
    queue: list[tuple[float, float, float]] = []
    longest, now = 0.0, 0.0
    for step in range(800):
        now = step * 10.0
        if chance.random() < 0.9:
            routine = chance.random() < 0.2
            queue.append((now, now + (2000.0 if routine else 120.0), 1.0 if routine else 30.0))
        if queue:
            chosen = next_choices(replace(base, now_min=now, waiting=waiting_of(queue)), TUNING)
            longest = max(longest, now - queue.pop(int(chosen.read[0]))[0])
    assert longest < 5000
    assert all(now - arrived < 5000 for arrived, _, _ in queue)


def one_reader_for_all() -> PlanningProblem:
    it = problem(0, reads=1, readers=1, classes=1)
    yes, one = np.ones((1, 1), np.bool_), np.ones(1, np.int64)
    fit = replace(it.fit, eligible=yes, speed=np.ones((1, 1)), log_speed=np.zeros((1, 1)), share=np.ones((1, 1)))
    endless = np.array([np.inf])
    duty = replace(it.duty, on_duty=one == 1, room=one, acute_room=one, listed=0 * one, minutes_left=endless)
    return replace(it, fit=replace(fit, away=~yes), duty=duty)


def waiting_of(queue: list[tuple[float, float, float]]) -> WaitingArrays:
    """Of (arrived, due, weight), ten minutes each."""
    arrived, due, weight = (np.array(part) for part in zip(*queue, strict=True))
    none = np.zeros(len(queue), np.int64)
    number, minutes = np.arange(len(queue)), np.full(len(queue), 10.0)
    return WaitingArrays(number, none, weight, none == 1, weight == 1, arrived, due, minutes, none + NO_READER)


def test_the_groups_of_the_problem_are_all_used() -> None:
    assert set(problem(1, classes=40).classes.group.tolist()) == set(range(GROUPS))
