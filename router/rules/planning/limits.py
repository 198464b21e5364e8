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
        )

    def within(
        self, problem: PlanningProblem, readers: IntArray, classes: IntArray, minutes: FloatArray, acute: BoolArray
    ) -> BoolArray:
        """Whether each of `readers` may take one read of each class, (readers, classes)."""
        capacity = self.minutes[readers][:, None] + _SLIVER >= minutes[None, :]
        away = problem.fit.away[np.ix_(readers, classes)]
        return capacity & (~away | self._aid(problem, readers, classes, minutes, acute))

    def _aid(
        self, problem: PlanningProblem, readers: IntArray, classes: IntArray, minutes: FloatArray, acute: BoolArray
    ) -> BoolArray:
        employer = problem.readers.employer[readers]
        origin, group = problem.classes.origin[classes], problem.classes.group[classes]
        needed = minutes - _SLIVER
        taken = (self.in_left[origin] - np.where(acute, 0.0, self.in_reserve[origin]) >= needed) & (
            self.in_group_left[origin, group] >= needed
        )
        given = self.out_left[employer][:, None] - np.where(acute, 0.0, self.out_reserve[employer][:, None]) >= needed
        given &= self.out_group_left[employer][:, group] >= needed
        return np.asarray(given & taken)

    def take(self, problem: PlanningProblem, reader: int, exam_class: int, minutes: float, largest: float) -> bool:
        """Use it up; whether an aid limit is now so near that a read of the `largest` minutes might break it."""
        self.minutes[reader] -= minutes
        if not problem.fit.away[reader, exam_class]:
            return False
        employer, origin = problem.readers.employer[reader], problem.classes.origin[exam_class]
        group = problem.classes.group[exam_class]
        self.out_left[employer] -= minutes
        self.in_left[origin] -= minutes
        self.out_group_left[employer, group] -= minutes
        self.in_group_left[origin, group] -= minutes
        nearest = min(
            self.out_left[employer] - self.out_reserve[employer],
            self.in_left[origin] - self.in_reserve[origin],
            self.out_group_left[employer, group],
            self.in_group_left[origin, group],
        )
        return bool(nearest < largest)
