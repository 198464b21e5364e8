"""What to give up for now: when the coming week's minutes cannot hold all that falls due, what is lightest for its
minutes makes room, so that the rest is in time.

Moore and Hodgson's rule for the fewest late jobs (Management Science 15, 1968), weighted, over the region as one
fluid: in the order of due times, whenever the work exceeds the minutes there are until then, the work with the least
weight a minute is taken out, among that of pathways that may wait. What is given up is read when nothing else needs
the reader, counts as late from then on, and is judged anew each time the region is planned ahead.
"""

import heapq
from dataclasses import dataclass

import numpy as np

from router.rules.planning.arrays import BoolArray, FloatArray, ForecastArrays, IntArray, PlanningProblem, SessionArrays
from router.rules.planning.reader_groups import standard_minutes
from router.rules.planning.tuning import Tuning
from router.rules.planning.work_ahead import EXPECTED, work_ahead

_GRID_MIN = 30.0


@dataclass(frozen=True, slots=True)
class Triage:
    """Of waiting reads that are not late, (W,): `given_up` make room; `short` may not, and cannot be in time either."""

    given_up: BoolArray
    short: BoolArray


def triage(problem: PlanningProblem, sessions: SessionArrays, forecast: ForecastArrays, tuning: Tuning) -> Triage:
    """What becomes late with these sessions. What nobody who has one may read takes no minutes of them."""
    waiting = problem.waiting
    found, short = np.zeros(len(waiting.number), np.bool_), np.zeros(len(waiting.number), np.bool_)
    jobs = _jobs(problem, sessions, forecast, tuning)
    until = _minutes_until(problem, sessions, jobs.due_min, tuning)
    kept: list[tuple[float, float, int]] = []
    total = 0.0
    rows = zip(*(part.tolist() for part in (until, jobs.minutes, jobs.worth, jobs.row)), strict=True)
    for there_are, minutes, weight_a_minute, job in rows:
        total += minutes
        if weight_a_minute < np.inf:
            heapq.heappush(kept, (weight_a_minute, minutes, job))
        while total > there_are and kept:
            worth, needed, row = heapq.heappop(kept)
            total -= needed
            if row == EXPECTED and total < there_are:  # a part of it is enough
                heapq.heappush(kept, (worth, there_are - total, row))
                total = there_are
                break
            if row != EXPECTED:
                found[row] = True
        if weight_a_minute == np.inf and job != EXPECTED:
            short[job] = total > there_are
    soon = (waiting.due_min > problem.now_min) & (waiting.due_min < problem.now_min + tuning.horizon_min)
    nobody = ~_readable(problem, sessions)[waiting.exam_class]
    return Triage(found, (short | nobody) & soon & ~waiting.acute)


def _readable(problem: PlanningProblem, sessions: SessionArrays) -> BoolArray:
    """Classes that somebody with a session to come may read, (C,)."""
    return np.asarray(problem.fit.eligible[np.unique(sessions.reader)].any(axis=0))


@dataclass(frozen=True, slots=True)
class _Jobs:
    """Work in the order it is due (N,): row or EXPECTED, total minutes, and weight a minute, inf = may not wait."""

    row: IntArray
    due_min: FloatArray
    minutes: FloatArray
    worth: FloatArray


def _jobs(problem: PlanningProblem, sessions: SessionArrays, forecast: ForecastArrays, tuning: Tuning) -> _Jobs:
    """All work ahead that counts until the horizon, and that somebody may read."""
    ahead = work_ahead(problem, forecast)
    falls_due = (ahead.due_min < problem.now_min + tuning.horizon_min) & (ahead.count > 0)
    counts = ((ahead.row != EXPECTED) | falls_due) & _readable(problem, sessions)[ahead.exam_class]
    kept = np.flatnonzero(counts)
    kept = kept[np.lexsort((ahead.row[kept], ahead.due_min[kept]))]
    worth = np.where(ahead.may_wait & ~ahead.acute, ahead.weight / ahead.minutes, np.inf)
    return _Jobs(ahead.row[kept], ahead.due_min[kept], (ahead.minutes * ahead.count)[kept], worth[kept])


def _minutes_until(
    problem: PlanningProblem, sessions: SessionArrays, moments: FloatArray, tuning: Tuning
) -> FloatArray:
    """Standard minutes of all sessions from now until each moment; after the horizon there are no more."""
    grid = np.arange(0.0, tuning.horizon_min + _GRID_MIN, _GRID_MIN) + problem.now_min
    start, end = np.maximum(sessions.start_min, problem.now_min), sessions.end_min
    slope = standard_minutes(problem, sessions) / np.maximum(end - start, 1e-9)
    change = np.zeros(len(grid))  # of the slope, split over the grid points on either side
    for at, sign in ((start, slope), (end, -slope)):
        inside = at < grid[-1]
        place = (at[inside] - grid[0]) / _GRID_MIN
        low = np.floor(place).astype(np.int64)
        np.add.at(change, low, sign[inside] * (1 - (place - low)))
        np.add.at(change, np.minimum(low + 1, len(grid) - 1), sign[inside] * (place - low))
    rate = np.cumsum(change)
    minutes = np.concatenate([[0.0], np.cumsum(rate[:-1] * _GRID_MIN)])
    return np.asarray(np.interp(moments, grid, minutes) * tuning.usable_share)
