"""Studies of one seed: when each comes, of which class, and how long it truly takes; the same for every policy."""

import math
from dataclasses import dataclass

import numpy as np

from router.simulate.assumptions import Assumptions
from router.simulate.region import Floats, Ints, Region
from router.simulate.rota import WEEK

_STREAM = 1


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """By time of arrival, in minutes since the first Monday; what waited at the start came before 0.

    `minutes` is the true reading time for a matched reader of ordinary speed. No policy sees it.
    """

    came: Floats
    klass: Ints
    due: Floats
    minutes: Floats

    def __len__(self) -> int:
        return len(self.came)


def draw_arrivals(assumptions: Assumptions, region: Region, weeks: int, waiting_times: float, seed: int) -> Arrivals:
    """Poisson arrivals of `weeks` weeks by hour and weekday, and what waits when they begin.

    Each class has a random stream of its own: more of one leaves the others as they are.
    """
    classes = region.classes
    waits = [_waits(assumptions, region.pathways[p]) * 60 * waiting_times for p in classes.pathway]
    hourly = {pathway: hourly_shares(assumptions, pathway) for pathway in region.pathways}
    came, klass, minutes = [], [], []
    for c in range(len(classes)):
        who = (int(classes.trust[c]), int(classes.exam[c]), int(classes.pathway[c]))
        rng = np.random.default_rng([seed, _STREAM, *who])
        times = _times(hourly[region.pathways[classes.pathway[c]]] * classes.weekly[c], weeks, waits[c], rng)
        came.append(times)
        klass.append(np.full(len(times), c, np.int64))
        minutes.append(classes.median[c] * np.exp(classes.sigma[c] * rng.standard_normal(len(times))))
    when, which = np.concatenate(came), np.concatenate(klass)
    order = np.argsort(when, kind="stable")
    when, which = when[order], which[order]
    return Arrivals(when, which, when + classes.target[which], np.concatenate(minutes)[order])


def hourly_shares(assumptions: Assumptions, pathway: str) -> Floats:
    """Shares of a week's studies of a pathway by hour, 168 that sum to 1."""
    hours = assumptions.hours[assumptions.pathways[pathway].source]
    rate = np.outer(hours.by_day, hours.by_hour).ravel()
    return np.asarray(rate / rate.sum())


def _waits(assumptions: Assumptions, pathway: str) -> float:
    """Hours of arrivals that still wait at the start; of an emergency nothing does."""
    waiting = assumptions.waiting
    if pathway.startswith("cancer"):
        return waiting.cancer
    return {"inpatient": waiting.inpatient, "urgent": waiting.urgent, "routine": waiting.routine}.get(pathway, 0.0)


def _times(hourly: Floats, weeks: int, wait: float, rng: np.random.Generator) -> Floats:
    """Arrival times from `-wait` to the end: weeks before the first are drawn and cut."""
    before = math.ceil(wait / WEEK)
    counts = rng.poisson(np.tile(hourly, weeks + before))
    hours = np.repeat(np.arange(len(counts)), counts)
    times = (hours + rng.random(len(hours))) * 60.0 - before * WEEK
    return np.asarray(times[times >= -wait])
