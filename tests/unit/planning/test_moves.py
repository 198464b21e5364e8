"""Moves that cannot be worth their while are dropped early, and the answer is that of weighing every pair."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from router.rules.planning import NO_READER, BarredPairs, PlanningProblem, next_choices
from router.rules.planning.arrays import FloatArray
from router.rules.planning.heads import Groups, groups_of
from router.rules.planning.moves import with_moves
from router.rules.planning.pairs import index_at, pair_index
from router.rules.planning.tiers import TIER
from router.rules.planning.urgency import urgency
from tests.unit.planning.problems import TUNING, problem, with_duty, with_waiting

SEEDS = st.integers(0, 10**6)
READS, READERS = 40, 8


def partly_listed(seed: int) -> PlanningProblem:
    """Half of the reads are on somebody's list, some readers have nothing, and some pairs are barred."""
    chance = np.random.default_rng(seed)
    it = problem(seed, READS, READERS)
    holder = np.where(chance.random(READS) < 0.5, chance.integers(0, READERS, READS), NO_READER)
    listed = np.where(chance.random(READERS) < 0.5, 0, 3)
    it = with_duty(with_waiting(it, holder=holder), listed=listed, on_duty=chance.random(READERS) < 0.9)
    pairs = np.unique(np.stack([chance.integers(0, READS, 12), chance.integers(0, READERS, 12)]), axis=1)
    return replace(it, barred=BarredPairs(pairs[0], pairs[1], chance.random(pairs.shape[1]) < 0.5))


def weighed_one_by_one(it: PlanningProblem, groups: Groups, static: FloatArray, pressing: FloatArray) -> FloatArray:
    """What ADR 082 says of a move, for each reader and each read that is on a list."""
    everybody = pair_index(it, TUNING, np.arange(READERS), groups)
    duty, waiting, found = it.duty, it.waiting, static.copy()
    first = groups.order[groups.start]
    free = np.flatnonzero(waiting.holder[first] == NO_READER)
    for group in np.flatnonzero(waiting.holder[first] != NO_READER):
        read, holder = int(first[group]), int(waiting.holder[first[group]])
        at_holder = everybody[holder, group] if duty.on_duty[holder] else -np.inf
        minutes = waiting.expected_minutes[read]
        speed = it.readers.speed[holder, it.classes.group[waiting.exam_class[read]]]
        delay = max(round(float(duty.free_in_min[holder] - minutes / speed), 6), 0.0)
        slack = waiting.due_min[read] - it.now_min - minutes
        cost = -min(delay / TUNING.look_ahead_min, 1.0) * np.exp(-max(slack, 0.0) / TUNING.look_ahead_min)
        if 0 <= slack < delay:
            cost = np.log(TUNING.late_factor)
        for row in range(READERS):
            own = max(static[row, g] + pressing[first[g]] + TIER * groups.acute[g] for g in free)
            value = static[row, group] + pressing[read] + TIER * waiting.acute[read]
            gains = static[row, group] - max(at_holder, -1e9) - cost >= np.log(TUNING.move_gain)
            sooner = bool(waiting.acute[read]) and delay > 0
            better = row != holder and duty.listed[row] == 0 and value >= own + np.log(TUNING.move_gain)
            if not ((gains or sooner) and better):
                found[row, group] = -np.inf
    return found


@given(SEEDS)
def test_the_search_that_drops_reads_early_finds_what_weighing_every_pair_finds(seed: int) -> None:
    it = partly_listed(seed)
    pressing = urgency(it, TUNING)
    groups = groups_of(it, pressing)
    static = pair_index(it, TUNING, np.arange(READERS), groups)
    if not (it.waiting.holder[groups.order[groups.start]] == NO_READER).any():
        return
    found = with_moves(it, TUNING, np.arange(READERS), groups, static, pressing)
    assert np.array_equal(found, weighed_one_by_one(it, groups, static, pressing))


@given(SEEDS)
def test_the_index_of_one_pair_each_is_that_of_all_pairs(seed: int) -> None:
    it = partly_listed(seed)
    groups = groups_of(it, urgency(it, TUNING))
    at = np.flatnonzero(groups.single)
    readers = np.random.default_rng(seed).integers(0, READERS, len(at))
    everything = pair_index(it, TUNING, np.arange(READERS), groups)
    assert np.array_equal(index_at(it, TUNING, readers, at, groups), everything[readers, at])


def test_reads_do_move_in_such_instances() -> None:
    moved = [int((next_choices(partly_listed(seed), TUNING).moved_from != NO_READER).sum()) for seed in range(20)]
    assert sum(moved) > 5
