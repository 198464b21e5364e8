"""What to give up for now: when the coming week's minutes cannot hold all that falls due, what is lightest for its
minutes makes room, so that the rest is in time.

Moore and Hodgson's rule for the fewest late jobs (Management Science 15, 1968), weighted, over the region as one
fluid: in the order of due times, whenever the work exceeds the minutes there are until then, the work with the least
weight a minute is taken out, among that of pathways that may wait. What is given up is read when nothing else needs
the reader, counts as late from then on, and is judged anew each time the region is planned ahead.
"""

import heapq

import numpy as np

from router.rules.planning.arrays import BoolArray, FloatArray, ForecastArrays, PlanningProblem, SessionArrays
from router.rules.planning.reader_groups import standard_minutes
from router.rules.planning.tuning import Tuning
from router.rules.planning.work_ahead import EXPECTED, work_ahead

_GRID_MIN = 30.0


def given_up(problem: PlanningProblem, sessions: SessionArrays, forecast: ForecastArrays, tuning: Tuning) -> BoolArray:
    """Which waiting reads make room, (W,); late ones are none of them."""
    found = np.zeros(len(problem.waiting.number), np.bool_)
    rows, due, minutes, weight_a_minute = _jobs(problem, forecast, tuning)
    order = np.lexsort((rows, due))
    until = _minutes_until(problem, sessions, due[order], tuning)
    kept: list[tuple[float, float, int]] = []
    total = 0.0
    jobs = zip(*(part.tolist() for part in (until, minutes[order], weight_a_minute[order], rows[order])), strict=True)
    for there_are, needed, worth, row in jobs:
        total += needed
        if worth < np.inf:
            heapq.heappush(kept, (worth, needed, row))
        while total > there_are and kept:
            worth, needed, row = heapq.heappop(kept)
            total -= needed
            if row == EXPECTED and total < there_are:  # a part of it is enough
                heapq.heappush(kept, (worth, there_are - total, row))
                total = there_are
                break
            if row != EXPECTED:
                found[row] = True
    return found


def _jobs(
    problem: PlanningProblem, forecast: ForecastArrays, tuning: Tuning
) -> tuple[np.ndarray, FloatArray, FloatArray, FloatArray]:
    """Rows, due times, minutes and weight a minute of all work ahead that counts until the horizon."""
    ahead = work_ahead(problem, forecast)
    falls_due = (ahead.due_min < problem.now_min + tuning.horizon_min) & (ahead.count > 0)
    kept = np.flatnonzero((ahead.row != EXPECTED) | falls_due)
    return (
        ahead.row[kept],
        ahead.due_min[kept],
        (ahead.minutes * ahead.count)[kept],
        np.where(ahead.may_wait & ~ahead.acute, ahead.weight / ahead.minutes, np.inf)[kept],
    )


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
