"""When a read that is on somebody's list may go to somebody else: for a better tier or a stated gain, else never."""

import numpy as np

from router.rules.planning.arrays import NO_READER, BoolArray, FloatArray, IntArray, PlanningProblem
from router.rules.planning.heads import Groups
from router.rules.planning.pairs import index_at
from router.rules.planning.tiers import DECIMALS, TIER
from router.rules.planning.tuning import Tuning

_GONE = -1e9
"""Finite, so that differences stay numbers."""


def with_moves(
    problem: PlanningProblem,
    tuning: Tuning,
    rows: IntArray,
    groups: Groups,
    static: FloatArray,
    pressing: FloatArray,
) -> FloatArray:
    """`static` (rows, groups) with every move that is not worth its while taken out.

    Only who has nothing on the list is weighed, and only reads that beat what such a reader has to do otherwise: most
    reads fall out by that alone, before anything is asked about whoever has them.
    """
    first = groups.order[groups.start]
    listed = np.flatnonzero(groups.single & (problem.waiting.holder[first] != NO_READER))
    if not len(listed):
        return static
    moved = static.copy()
    moved[:, listed] = -np.inf
    idle = np.flatnonzero(problem.duty.listed[rows] == 0)
    if not len(idle):
        return moved
    here = static[np.ix_(idle, listed)]
    reads = first[listed]
    able = np.isfinite(here)
    able &= _beats_the_unlisted(problem, tuning, groups, static[idle], pressing, here + pressing[reads], reads)
    some = np.flatnonzero(able.any(axis=0))
    if len(some):
        listed, reads, here, able = listed[some], reads[some], here[:, some], able[:, some]
        able &= _is_gain(problem, tuning, groups, rows[idle], listed, reads, here)
        moved[np.ix_(idle, listed)] = np.where(able, here, -np.inf)
    return moved


def _is_gain(
    problem: PlanningProblem,
    tuning: Tuning,
    groups: Groups,
    readers: IntArray,
    listed: IntArray,
    reads: IntArray,
    here: FloatArray,
) -> BoolArray:
    """By how much it grows, or that an acute read would begin earlier, (readers, listed)."""
    holder = problem.waiting.holder[reads]
    there = _at_holder(problem, tuning, groups, listed, holder)
    gain = here - there - _delay_cost(problem, tuning, reads, holder)
    worth_it = gain >= np.log(tuning.move_gain)
    waits = _before_it(problem, reads, holder) > 0
    worth_it |= (problem.waiting.acute[reads] & waits)[None, :]
    return np.asarray(worth_it & (readers[:, None] != holder[None, :]))


def _at_holder(
    problem: PlanningProblem, tuning: Tuning, groups: Groups, listed: IntArray, holder: IntArray
) -> FloatArray:
    """The index of each read where it is; lowest with a holder who may no longer read it or is not on duty."""
    values = index_at(problem, tuning, holder, listed, groups)
    return np.where(problem.duty.on_duty[holder] & np.isfinite(values), values, _GONE)


def _before_it(problem: PlanningProblem, reads: IntArray, holder: IntArray) -> FloatArray:
    """The holder's minutes for everything else on the list: what the read takes there is not what it waits for."""
    group = problem.classes.group[problem.waiting.exam_class[reads]]
    own = problem.waiting.expected_minutes[reads] / problem.readers.speed[holder, group]
    return np.maximum(np.round(problem.duty.free_in_min[holder] - own, DECIMALS), 0.0)


def _delay_cost(problem: PlanningProblem, tuning: Tuning, reads: IntArray, holder: IntArray) -> FloatArray:
    """What waiting for the holder costs (negative logarithm): much when the read would be late there and not here."""
    waiting = problem.waiting
    delay = _before_it(problem, reads, holder)
    slack = waiting.due_min[reads] - problem.now_min - waiting.expected_minutes[reads]
    lost = (slack >= 0) & (delay > slack)
    closeness = np.exp(-np.maximum(slack, 0.0) / tuning.look_ahead_min)
    return np.where(lost, np.log(tuning.late_factor), -np.minimum(delay / tuning.look_ahead_min, 1.0) * closeness)


def _beats_the_unlisted(
    problem: PlanningProblem,
    tuning: Tuning,
    groups: Groups,
    static: FloatArray,
    pressing: FloatArray,
    value: FloatArray,
    reads: IntArray,
) -> BoolArray:
    """The reader has nothing of its own of like worth to do."""
    first = groups.order[groups.start]
    unlisted = problem.waiting.holder[first] == NO_READER
    acute = problem.waiting.acute[reads]
    if not unlisted.any():
        return np.ones_like(value, np.bool_)
    tier = np.where(groups.acute[unlisted], TIER, 0.0)
    own = (static[:, unlisted] + pressing[first[unlisted]] + tier).max(axis=1)
    return np.asarray(value + np.where(acute, TIER, 0.0) >= own[:, None] + np.log(tuning.move_gain))
