"""Readers who may read the same equally well, together: the region is planned ahead for groups, not for people."""

from dataclasses import dataclass

import numpy as np

from router.rules.planning.arrays import FloatArray, IntArray, PlanningProblem, SessionArrays


@dataclass(frozen=True, slots=True)
class ReaderGroups:
    """`of` (R,), -1 = has no session; `speed` (M, C), 0 = may not; `minutes` (M,) of a standard reader to come."""

    of: IntArray
    speed: FloatArray
    minutes: FloatArray


def groups_of_readers(problem: PlanningProblem, sessions: SessionArrays) -> ReaderGroups:
    """Group by employer and by how well each class suits; a personal speed is counted into the minutes."""
    readers, fit = problem.readers, problem.fit
    personal = np.where(fit.eligible, readers.speed[:, problem.classes.group], 1.0)
    suits = np.where(fit.eligible, fit.speed / personal, 0.0)
    working = np.zeros(len(readers.number), np.bool_)
    working[sessions.reader] = True
    of = np.full(len(readers.number), -1)
    if not working.any():
        return ReaderGroups(of, np.zeros((0, suits.shape[1])), np.zeros(0))
    patterns = np.concatenate([readers.employer[working, None], np.rint(suits[working] * 1000)], axis=1)
    _, first, group = np.unique(patterns, axis=0, return_index=True, return_inverse=True)
    of[working] = group.reshape(-1)
    minutes = np.bincount(of[sessions.reader], standard_minutes(problem, sessions), minlength=len(first))
    return ReaderGroups(of, suits[working][first], minutes.astype(np.float64))


def standard_minutes(problem: PlanningProblem, sessions: SessionArrays) -> FloatArray:
    """What each session is worth in minutes of a reader of ordinary speed, (N,)."""
    return np.asarray(sessions.minutes * problem.readers.speed.mean(axis=1)[sessions.reader])
