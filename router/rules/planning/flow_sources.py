"""What the flow has to place: minutes of work by class, pathway and due block, waiting now or forecast."""

from dataclasses import dataclass

import numpy as np

from router.rules.planning.arrays import BoolArray, FloatArray, ForecastArrays, IntArray, PlanningProblem
from router.rules.planning.tuning import Tuning


@dataclass(frozen=True, slots=True)
class Sources:
    """(N,): `due` is the block that ends at or after the due time (the number of blocks: after the horizon; -1: it
    is too late already); `release` the first block it can be read in; `density` the weight of a minute of it."""

    exam_class: IntArray
    pathway: IntArray
    due: IntArray
    due_min: FloatArray
    release: IntArray
    acute: BoolArray
    minutes: FloatArray
    density: FloatArray


def edges_of(now_min: float, tuning: Tuning) -> FloatArray:
    """The blocks' edges on the clock, (B + 1,)."""
    return now_min + np.concatenate([[0.0], np.cumsum(tuning.blocks_min)])


def sources_of(problem: PlanningProblem, forecast: ForecastArrays, tuning: Tuning) -> Sources:
    """Add up what waits and what is expected."""
    edges, waiting = edges_of(problem.now_min, tuning), problem.waiting
    middle = np.clip((forecast.from_min + forecast.until_min) / 2, problem.now_min, None)
    inside = np.flatnonzero((middle < edges[-1]) & (forecast.count > 0))
    here = np.zeros(len(waiting.number), np.int64)
    expected = forecast.expected_minutes[inside]
    return _summed(
        edges,
        exam_class=np.r_[waiting.exam_class, forecast.exam_class[inside]],
        pathway=np.r_[waiting.pathway, forecast.pathway[inside]],
        due_min=np.r_[waiting.due_min, middle[inside] + forecast.target_min[inside]],
        read_minutes=np.r_[waiting.expected_minutes, expected],
        release=np.r_[here, np.searchsorted(edges, middle[inside], side="right") - 1],
        acute=np.r_[waiting.acute, forecast.acute[inside]],
        minutes=np.r_[waiting.expected_minutes, expected * forecast.count[inside]],
        weight=np.r_[waiting.weight, forecast.weight[inside]],
    )


def _summed(
    edges: FloatArray,
    *,
    exam_class: IntArray,
    pathway: IntArray,
    due_min: FloatArray,
    read_minutes: FloatArray,
    release: IntArray,
    acute: BoolArray,
    minutes: FloatArray,
    weight: FloatArray,
) -> Sources:
    due = np.searchsorted(edges[1:], due_min, side="left")
    due = np.where(due_min < edges[0] + read_minutes, -1, due)
    columns = np.stack([exam_class, pathway, acute.astype(np.int64), release, due], axis=1)
    keys, of = np.unique(columns, axis=0, return_inverse=True)
    of = of.reshape(-1)
    total = np.bincount(of, minutes, minlength=len(keys)).astype(np.float64)
    worth = np.bincount(of, minutes * weight / read_minutes, minlength=len(keys))
    last = np.full(len(keys), -np.inf)
    np.maximum.at(last, of, due_min)
    density = worth / np.maximum(total, 1e-9)
    return Sources(keys[:, 0], keys[:, 1], keys[:, 4], last, keys[:, 3], keys[:, 2] == 1, total, density)


def delay_cost(sources: Sources, edges: FloatArray, tuning: Tuning) -> FloatArray:
    """What a minute of each source costs when read in each block, and (last column) not before the horizon ends.

    Shape (N, B + 1), in units of weight for a minute; inf before its release.
    """
    blocks = len(edges) - 1
    start, end = edges[:-1][None, :], edges[1:][None, :]
    due, late = sources.due_min[:, None], sources.due[:, None] < 0
    days = ((start + end) / 2 - edges[0]) / 1440.0
    breach = np.clip((end - due) / (end - start), 0.0, 1.0)
    in_block = np.where(late, tuning.flow_late_cost * days, breach + 0.02 * days)
    beyond = np.maximum(sources.due_min - edges[-1], 0.0) / 1440.0
    not_yet = np.where(sources.due == blocks, tuning.flow_after_horizon * np.exp(-beyond), 1.3)
    not_yet = np.where(sources.due < 0, tuning.flow_late_cost * (edges[-1] - edges[0]) / 1440.0, not_yet)
    waited = np.where(sources.acute[:, None], tuning.flow_acute_factor * (days + breach), 0.0)
    cost = np.concatenate([in_block + waited, not_yet[:, None]], axis=1)
    cost[:, -1] += np.where(sources.acute, 2 * tuning.flow_acute_factor, 0.0)
    early = np.arange(blocks)[None, :] < sources.release[:, None]
    cost[:, :-1][early] = np.inf
    return np.asarray(cost * sources.density[:, None])
