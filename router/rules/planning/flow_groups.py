"""Readers who may read the same, together: the flow plans for groups, so that it stays small."""

from dataclasses import dataclass

import numpy as np

from router.rules.planning.arrays import FloatArray, IntArray, PlanningProblem, SessionArrays
from router.rules.planning.tuning import Tuning


@dataclass(frozen=True, slots=True)
class ReaderGroups:
    """`of` (R,), -1 = has no session; `speed` (M, C), 0 = may not; `capacity` (M, B) minutes."""

    of: IntArray
    speed: FloatArray
    capacity: FloatArray


def groups_of_readers(problem: PlanningProblem, sessions: SessionArrays, edges: FloatArray) -> ReaderGroups:
    """Group by employer and by what they may read, and add their sessions up."""
    eligible, employer = problem.fit.eligible, problem.readers.employer
    patterns = np.concatenate(
        [employer[:, None].astype(np.int64).view(np.uint8), np.packbits(eligible, axis=1)], axis=1
    )
    working = np.zeros(len(employer), np.bool_)
    working[sessions.reader] = True
    of = np.full(len(employer), -1)
    if working.any():
        _, group = np.unique(patterns[working], axis=0, return_inverse=True)
        of[working] = group.reshape(-1)
    count = int(of.max()) + 1 if len(of) else 0
    members = np.bincount(of[working], minlength=count)
    speed = np.zeros((count, eligible.shape[1]))
    np.add.at(speed, of[working], problem.fit.speed[working])
    capacity = np.zeros((count, len(edges) - 1))
    np.add.at(capacity, of[sessions.reader], minutes_in_blocks(sessions, edges))
    return ReaderGroups(of, speed / np.maximum(members, 1)[:, None], capacity)


def minutes_in_blocks(sessions: SessionArrays, edges: FloatArray) -> FloatArray:
    """Each session's minutes still to come, spread over the blocks it covers, (N, B)."""
    start, end = np.maximum(sessions.start_min, edges[0])[:, None], sessions.end_min[:, None]
    within = np.clip(np.minimum(end, edges[None, 1:]) - np.maximum(start, edges[None, :-1]), 0.0, None)
    length = np.maximum(end - start, 1e-9)
    share = np.minimum(sessions.minutes[:, None] / length, 1.0)
    return np.asarray(within * share)


def considered(groups: ReaderGroups, classes: IntArray, tuning: Tuning) -> tuple[IntArray, IntArray]:
    """Pairs (position in `classes`, group) worth an arc: the fastest, and of like ones who can do least else."""
    breadth = (groups.speed > 0).mean(axis=1)
    value = np.where(groups.speed[:, classes] > 0, groups.speed[:, classes] - 0.1 * breadth[:, None], -np.inf)
    keep = min(tuning.groups_per_class, len(value))
    best = np.argsort(-value, axis=0, kind="stable")[:keep]
    position = np.broadcast_to(np.arange(len(classes))[None, :], best.shape)
    able = np.isfinite(np.take_along_axis(value, best, axis=0))
    return position[able], best[able]
