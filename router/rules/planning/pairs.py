"""The part of the index that belongs to a pair of reader and group: how good a use of this reader's minute it is."""

from dataclasses import dataclass

import numpy as np

from router.rules.planning.arrays import SESSION_KINDS, FloatArray, IntArray, PlanningProblem
from router.rules.planning.heads import Groups
from router.rules.planning.tiers import LAST_RESORT
from router.rules.planning.tuning import Tuning
from router.rules.planning.urgency import scarcity

_ACUTE_SESSIONS = np.array([kind in {"acute", "on_call"} for kind in SESSION_KINDS])
_COVER = np.array([kind in {"acute", "on_call", "out_of_hours"} for kind in SESSION_KINDS])


@dataclass(frozen=True, slots=True)
class Terms:
    """Logarithms, each (readers, groups): their sum is the pair's index; -inf in `match`: not eligible."""

    match: FloatArray
    scarcity: FloatArray
    session: FloatArray
    comfort: FloatArray
    planned: FloatArray

    def total(self) -> FloatArray:
        return self.match + self.scarcity + self.session + self.comfort + self.planned


def pair_index(
    problem: PlanningProblem, tuning: Tuning, rows: IntArray, groups: Groups, terms: Terms | None = None
) -> FloatArray:
    """The index of each pair but for the read's urgency, -inf where the reader is not eligible, (rows, groups).

    `terms` are these pairs' own, where somebody has them already.
    """
    total = (terms or pair_terms(problem, tuning, rows, groups)).total()
    barred = problem.barred
    if len(barred.read):
        row_of = np.full(len(problem.readers.number), -1)
        row_of[rows] = np.arange(len(rows))
        row, group = row_of[barred.reader], _group_of(problem, groups)[barred.read]
        for mask, change in ((~barred.last_resort, -np.inf), (barred.last_resort, -LAST_RESORT)):
            there = mask & (row >= 0)
            total[row[there], group[there]] += change
    return total


def index_at(problem: PlanningProblem, tuning: Tuning, readers: IntArray, at: IntArray, groups: Groups) -> FloatArray:
    """The same of one pair each, (N,): `readers` (N,) with the groups `at` (N,), each of which comes once."""
    total = _terms(problem, tuning, readers, at, groups).total()
    barred = problem.barred
    if len(barred.read) and len(at):
        place_of = np.full(len(groups.start), -1)
        place_of[at] = np.arange(len(at))
        place = place_of[_group_of(problem, groups)[barred.read]]
        here = (place >= 0) & (readers[place] == barred.reader)
        for mask, change in ((~barred.last_resort, -np.inf), (barred.last_resort, -LAST_RESORT)):
            total[place[here & mask]] += change
    return total


def _group_of(problem: PlanningProblem, groups: Groups) -> IntArray:
    """The group of each read that is one by itself, as every read is from which somebody is barred, (W,)."""
    group_of = np.full(len(problem.waiting.number), -1)
    group_of[groups.order[groups.start[groups.single]]] = np.flatnonzero(groups.single)
    return group_of


def pair_terms(problem: PlanningProblem, tuning: Tuning, rows: IntArray, groups: Groups) -> Terms:
    """Every term by itself, for the choice and for its explanation."""
    return _terms(problem, tuning, rows[:, None], np.arange(len(groups.start))[None, :], groups)


def _terms(problem: PlanningProblem, tuning: Tuning, rows: IntArray, at: IntArray, groups: Groups) -> Terms:
    """Of readers and groups that are broadcast against each other."""
    duty = problem.duty
    classes = groups.exam_class[at]
    shape = np.broadcast_shapes(rows.shape, at.shape)
    scarce, planned = np.zeros(shape), np.zeros(shape)
    if problem.guidance is None:
        few, worth = scarcity(problem, tuning)
        scarce = tuning.scarcity_exponent * (few[classes] - worth[rows])
    else:  # prices say better who is scarce
        planned = np.where(groups.acute[at], 0.0, problem.guidance.pair[rows, classes])
    return Terms(
        match=tuning.match_exponent * problem.fit.log_speed[rows, classes],
        scarcity=scarce,
        session=_session(problem, tuning, rows, at, groups),
        comfort=_comfort(problem, tuning, rows, at, groups)
        - (tuning.fairness * duty.load[rows] + tuning.price_factor * problem.readers.price[rows]),
        planned=planned,
    )


def _session(problem: PlanningProblem, tuning: Tuning, rows: IntArray, at: IntArray, groups: Groups) -> FloatArray:
    for_acute = _ACUTE_SESSIONS[problem.duty.session_kind[rows]]
    acute = groups.acute[at]
    routine_there = np.where(for_acute & ~acute, np.log(tuning.acute_session_routine), 0.0)
    cover = _COVER[problem.duty.session_kind[rows]]
    long = np.where(cover & ~acute, -tuning.cover_size_exponent * np.log(groups.minutes)[at], 0.0)
    return np.asarray(routine_there + long + np.where(~for_acute & acute, np.log(tuning.other_session_acute), 0.0))


def _comfort(problem: PlanningProblem, tuning: Tuning, rows: IntArray, at: IntArray, groups: Groups) -> FloatArray:
    duty, classes = problem.duty, groups.exam_class[at]
    speed = problem.fit.speed[rows, classes]
    needed = groups.minutes[at] / np.where(speed > 0, speed, 1.0)
    left = duty.session_end_min[rows] - problem.now_min - duty.free_in_min[rows]
    overrun = np.where(needed > left, np.log(tuning.overrun_factor), 0.0)
    group = problem.classes.group[classes]
    enough = (duty.run_group[rows] == group) & (duty.run_left[rows] <= 0)
    return np.asarray(overrun + np.where(enough, np.log(tuning.run_factor), 0.0))
