"""What a minute of each kind of reader is worth over the coming week, by a linear programme; and from that, which
pairs of reader and class waste what is scarce.

The programme places minutes of work with groups of readers so that most weight is read; it knows skills, employers
and how much work of each kind is to come, and nothing of the order in time (which is the triage's and the index's).
A price is its dual: what one more minute of the group would bring. Prices are pure advice: nobody is barred by them.
"""

from dataclasses import dataclass

import numpy as np

from router.rules.planning.arrays import FloatArray, ForecastArrays, IntArray, PlanningProblem, SessionArrays
from router.rules.planning.reader_groups import ReaderGroups, groups_of_readers
from router.rules.planning.tuning import Tuning
from router.rules.planning.work_ahead import work_ahead

_ACUTE_WORTH = 10.0
"""Weight of a minute of acute work: above everything else, whatever its weight and length."""
_STEP = 1.0
"""Work whose worth differs by less than this logarithm is planned as one."""


@dataclass(frozen=True, slots=True)
class Prices:
    """`group` (R,), -1 = none; `waste` (M, C) >= 0: what a minute of the class's work costs more with this group than
    with the cheapest one, as a share of what a minute is worth on average; inf where the group may not read it."""

    group: IntArray
    waste: FloatArray


@dataclass(frozen=True, slots=True)
class _Work:
    """Minutes (K,) of like work, what a minute is worth, and how fast each group is at it (M, K), 0 = may not."""

    minutes: FloatArray
    worth: FloatArray
    speed: FloatArray


def prices_of(
    problem: PlanningProblem, sessions: SessionArrays, forecast: ForecastArrays, tuning: Tuning
) -> Prices | None:
    """Prices of all groups that have a session to come; None when there are none, or the solver finds no optimum."""
    groups = groups_of_readers(problem, sessions)
    work = _work(problem, forecast, groups, tuning)
    if not groups.minutes.sum() or not len(work.minutes):
        return None
    price = _solved(work, groups.minutes)
    if price is None:
        return None
    average = float((price * groups.minutes).sum() / groups.minutes.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = np.where(groups.speed > 0, price[:, None] / groups.speed, np.inf) / max(average, 1e-12)
        cheapest = np.where((groups.minutes > 0)[:, None], cost, np.inf).min(axis=0)
        waste = np.where(np.isfinite(cost) & np.isfinite(cheapest), np.maximum(cost - cheapest, 0.0), 0.0)
    return Prices(groups.of, np.where(groups.speed > 0, waste, np.inf))


def _work(problem: PlanningProblem, forecast: ForecastArrays, groups: ReaderGroups, tuning: Tuning) -> _Work:
    """What waits in time, what is acute, and what is expected; what falls due after the horizon is worth less."""
    ahead = work_ahead(problem, forecast)
    worth = ahead.weight / ahead.minutes
    in_time = ahead.due_min <= problem.now_min + tuning.horizon_min
    worth = np.where(in_time, worth, worth * tuning.beyond_factor)
    worth = np.where(ahead.acute, _ACUTE_WORTH, worth)
    total = ahead.minutes * ahead.count
    columns, alike = np.unique(np.round(groups.speed, 3), axis=1, return_inverse=True)
    step = np.rint(np.log(worth) / _STEP).astype(np.int64)
    keys, kind = np.unique(np.stack([alike.reshape(-1)[ahead.exam_class], step]), axis=1, return_inverse=True)
    kind = kind.reshape(-1)
    summed = np.bincount(kind, total, minlength=keys.shape[1])
    kept = np.flatnonzero(summed > 1e-6)
    mean = np.bincount(kind, total * worth, minlength=keys.shape[1])[kept] / summed[kept]
    return _Work(summed[kept].astype(np.float64), mean, np.asarray(columns[:, keys[0, kept]]))


def _solved(work: _Work, capacity: FloatArray) -> FloatArray | None:
    """The worth of one more minute of each group, (M,)."""
    from scipy.optimize import linprog  # loaded where the region is planned ahead, not by everybody
    from scipy.sparse import csr_array

    group, kind = np.nonzero((work.speed > 0) & (capacity > 0)[:, None])
    pairs, groups = len(group), len(capacity)
    rows = np.concatenate([group, groups + kind])
    columns = np.tile(np.arange(pairs), 2)
    values = np.concatenate([1.0 / work.speed[group, kind], np.ones(pairs)])
    limits = csr_array((values, (rows, columns)), shape=(groups + len(work.minutes), pairs))
    most = np.concatenate([capacity, work.minutes])
    found = linprog(-work.worth[kind], A_ub=limits, b_ub=most, bounds=(0, None), method="highs-ds")
    return -found.ineqlin.marginals[:groups] if found.status == 0 else None
