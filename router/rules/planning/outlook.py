"""The region planned ahead, over arrays: whose minutes are scarce, and what cannot be done in time."""

import numpy as np

from router.rules.planning.arrays import ForecastArrays, Guidance, PlanningProblem, SessionArrays
from router.rules.planning.prices import Prices, prices_of
from router.rules.planning.triage import Triage, triage
from router.rules.planning.tuning import Tuning


def guidance_of(prices: Prices | None, found: Triage, readers: int, classes: int, tuning: Tuning) -> Guidance:
    """Prices as logarithms on the index, 0 where a pair wastes nothing; without prices all pairs are alike."""
    pair = np.zeros((readers, classes))
    if prices is not None:
        known = prices.group >= 0
        waste = np.minimum(prices.waste[prices.group[known]], 1.0)
        pair[known] = -tuning.waste_exponent * waste
    return Guidance(pair, found.given_up, found.short)


def plan_region(
    problem: PlanningProblem, sessions: SessionArrays, forecast: ForecastArrays, tuning: Tuning
) -> Guidance | None:
    """What the index goes by until the next time; None when there is nothing to plan with.

    `sessions` and `forecast` are those of the next `tuning.horizon_min`, open sessions included.
    """
    if not len(sessions.reader):
        return None
    prices = prices_of(problem, sessions, forecast, tuning)
    found = triage(problem, sessions, forecast, tuning)
    return guidance_of(prices, found, len(problem.readers.number), len(problem.classes.origin), tuning)
