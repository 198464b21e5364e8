"""Hard limits that each choice uses up: the readers' capacity and what trusts may still read for one another."""

from dataclasses import dataclass

import numpy as np

from router.rules.planning.arrays import AidArrays, BoolArray, FloatArray, IntArray, PlanningProblem

_SLIVER = 1e-6
"""Minutes: sums of floats may miss a limit by this much."""


@dataclass(slots=True)
class LimitsLeft:
    """What is left while a plan is being made; the problem's own arrays stay as they are."""

    minutes: FloatArray
    out_left: FloatArray
    in_left: FloatArray
    out_group_left: FloatArray
    in_group_left: FloatArray
    out_reserve: FloatArray
    in_reserve: FloatArray
    out_group_reserve: FloatArray
    in_group_reserve: FloatArray

    @staticmethod
    def of(problem: PlanningProblem) -> "LimitsLeft":
        aid: AidArrays = problem.aid
        return LimitsLeft(
            problem.duty.minutes_left.copy(),
            aid.out_left.copy(),
            aid.in_left.copy(),
            aid.out_group_left.copy(),
            aid.in_group_left.copy(),
            aid.out_reserve,
            aid.in_reserve,
            _given(aid.out_group_reserve, aid.out_group_left),
            _given(aid.in_group_reserve, aid.in_group_left),
        )

    def within(
        self, problem: PlanningProblem, readers: IntArray, classes: IntArray, minutes: FloatArray, acute: BoolArray
    ) -> BoolArray:
        """Whether each of `readers` may take one read of each class, (readers, classes)."""
        group = problem.classes.group[classes]
        own = minutes[None, :] / problem.readers.speed[np.ix_(readers, group)]
        capacity = self.minutes[readers][:, None] + _SLIVER >= own
        away = problem.fit.away[np.ix_(readers, classes)]
        return capacity & (~away | self._aid(problem, readers, classes, own - _SLIVER, acute))

    def _aid(
        self, problem: PlanningProblem, readers: IntArray, classes: IntArray, needed: FloatArray, acute: BoolArray
    ) -> BoolArray:
        employer, origin, group = (
            problem.readers.employer[readers],
            problem.classes.origin[classes],
            problem.classes.group[classes],
        )
        kept = np.where(acute, 0.0, 1.0)
        taken = self.in_left[origin] - kept * self.in_reserve[origin]
        taken_group = self.in_group_left[origin, group] - kept * self.in_group_reserve[origin, group]
        given = self.out_left[employer][:, None] - kept[None, :] * self.out_reserve[employer][:, None]
        of_group = np.ix_(employer, group)
        given_group = self.out_group_left[of_group] - kept[None, :] * self.out_group_reserve[of_group]
        most = np.minimum(np.minimum(taken, taken_group)[None, :], np.minimum(given, given_group))
        return np.asarray(most >= needed)

    def take(self, problem: PlanningProblem, reader: int, exam_class: int, minutes: float, largest: float) -> bool:
        """Use it up; whether an aid limit is now so near that a read of the `largest` minutes might break it."""
        group = problem.classes.group[exam_class]
        minutes = minutes / float(problem.readers.speed[reader, group])
        self.minutes[reader] -= minutes
        if not problem.fit.away[reader, exam_class]:
            return False
        employer, origin = problem.readers.employer[reader], problem.classes.origin[exam_class]
        self.out_left[employer] -= minutes
        self.in_left[origin] -= minutes
        self.out_group_left[employer, group] -= minutes
        self.in_group_left[origin, group] -= minutes
        nearest = min(
            self.out_left[employer] - self.out_reserve[employer],
            self.in_left[origin] - self.in_reserve[origin],
            self.out_group_left[employer, group] - self.out_group_reserve[employer, group],
            self.in_group_left[origin, group] - self.in_group_reserve[origin, group],
        )
        return bool(nearest < largest)


def _given(reserve: FloatArray | None, like: FloatArray) -> FloatArray:
    return np.zeros_like(like) if reserve is None else reserve
