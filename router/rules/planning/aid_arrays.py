"""What trusts may still read for one another today, from the agreements' book to arrays."""

from collections.abc import Callable

import numpy as np

from router.model.aid import AidBook, AidLimits
from router.rules.planning.arrays import AidArrays, FloatArray
from router.rules.planning.vocabulary import Vocabulary


def aid_arrays(book: AidBook, words: Vocabulary) -> AidArrays:
    """A trust without recorded limits has none."""
    trusts, groups = len(words.trusts), max(len(words.groups), 1)
    reads_for = np.ones((trusts, trusts), np.bool_)
    reserve = np.zeros(trusts)
    for trust, limits in book.limits.items():
        row = words.trusts[trust]
        reads_for[row] = [name in limits.reads_for for name in words.trusts]
        reserve[row] = limits.acute_reserve
    out_limit = _limits(book, words, lambda limits: limits.minutes_out_per_day)
    in_limit = _limits(book, words, lambda limits: limits.minutes_in_per_day)
    out_group, in_group = np.full((trusts, groups), np.inf), np.full((trusts, groups), np.inf)
    for trust, limits in book.limits.items():
        for array, minutes in ((out_group, limits.group_minutes_out), (in_group, limits.group_minutes_in)):
            for group, limit in minutes.items():
                if group in words.groups:
                    array[words.trusts[trust], words.groups[group]] = limit
    out_used, in_used = np.zeros((trusts, groups + 1)), np.zeros((trusts, groups + 1))
    for use in book.used:
        column = words.groups.get(use.exam_group, groups)
        if use.employer in words.trusts:
            out_used[words.trusts[use.employer], column] += use.minutes
        if use.origin in words.trusts:
            in_used[words.trusts[use.origin], column] += use.minutes
    return AidArrays(
        reads_for,
        out_limit - out_used.sum(axis=1),
        in_limit - in_used.sum(axis=1),
        out_group - out_used[:, :groups],
        in_group - in_used[:, :groups],
        _share(out_limit, reserve),
        _share(in_limit, reserve),
        _share(out_group, reserve[:, None]),
        _share(in_group, reserve[:, None]),
    )


def _limits(book: AidBook, words: Vocabulary, of: Callable[[AidLimits], float | None]) -> FloatArray:
    found = np.full(len(words.trusts), np.inf)
    for trust, limits in book.limits.items():
        limit = of(limits)
        if limit is not None:
            found[words.trusts[trust]] = limit
    return found


def _share(limit: FloatArray, reserve: FloatArray) -> FloatArray:
    return np.asarray(np.where(np.isfinite(limit), np.where(np.isfinite(limit), limit, 0.0) * reserve, 0.0))
