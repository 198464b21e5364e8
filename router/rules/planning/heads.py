"""Waiting reads in groups whose members suit the same readers equally well: only the first of each need be weighed.

A read with somebody barred, or on somebody's list, is a group of its own.
"""

from dataclasses import dataclass

import numpy as np

from router.rules.planning.arrays import NO_READER, BoolArray, FloatArray, IntArray, PlanningProblem


@dataclass(frozen=True, slots=True)
class Groups:
    """(H,) groups over `order`, rows of waiting reads sorted by group, then most urgent first, then number."""

    order: IntArray
    start: IntArray
    end: IntArray
    exam_class: IntArray
    acute: BoolArray
    minutes: FloatArray
    single: BoolArray


def groups_of(problem: PlanningProblem, urgency: FloatArray) -> Groups:
    """Group by class, tier and minutes."""
    waiting = problem.waiting
    single = waiting.holder != NO_READER
    single[problem.barred.read] = True
    sizes, size = np.unique(waiting.expected_minutes, return_inverse=True)
    key = (waiting.exam_class * 2 + waiting.acute) * len(sizes) + size
    _, rank = np.unique(waiting.number, return_inverse=True)
    key = np.where(single, (len(problem.classes.origin) * 2 + 2) * max(len(sizes), 1) + rank, key)
    order = np.lexsort((waiting.number, -urgency, key))
    sorted_key = key[order]
    start = np.flatnonzero(np.r_[True, sorted_key[1:] != sorted_key[:-1]]) if len(order) else np.zeros(0, np.int64)
    end = np.r_[start[1:], len(order)] if len(start) else start
    first = order[start]
    return Groups(
        order,
        start,
        end,
        waiting.exam_class[first],
        waiting.acute[first],
        waiting.expected_minutes[first],
        single[first],
    )
