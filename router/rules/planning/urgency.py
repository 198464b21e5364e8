"""How pressing each read is and how scarce the readers of each class are: what does not depend on one pair."""

import numpy as np

from router.rules.planning.arrays import BoolArray, FloatArray, PlanningProblem
from router.rules.planning.tuning import Tuning


def urgency(problem: PlanningProblem, tuning: Tuning) -> FloatArray:
    """Logarithm of weight / minutes ** exponent * exp(-slack / look-ahead), (W,); a late read's is of its own kind.

    Grows with the weight, and with the time until the read is late, and goes on growing then. Where the read may
    wait, it falls to `late_factor`, so that it does not block what can still be in time, before it grows for ever, so
    that it does not starve; what was given up for now counts as late already, if that is less than it has.
    """
    waiting = problem.waiting
    slack = slack_min(problem)
    late, given_up = (slack < 0) & waiting.may_wait, _given_up(problem)
    overdue = np.maximum(-slack, 0.0) / tuning.ageing_min
    in_time = -np.maximum(slack, 0.0) / tuning.look_ahead_min
    ageing = np.log(tuning.late_factor) - slack / tuning.ageing_min
    base = np.log(waiting.weight) - tuning.size_exponent * np.log(waiting.expected_minutes)
    lowered = np.where(given_up, np.minimum(in_time, ageing), in_time) + overdue
    return np.asarray(base + np.where(late, ageing, lowered))


def slack_min(problem: PlanningProblem) -> FloatArray:
    """Minutes that a standard reader may still wait before beginning; negative: it cannot be in time, (W,)."""
    waiting = problem.waiting
    return waiting.due_min - problem.now_min - waiting.expected_minutes


def _given_up(problem: PlanningProblem) -> BoolArray:
    if problem.guidance is None:
        return np.zeros(len(problem.waiting.number), np.bool_)
    return problem.guidance.given_up


def demand(problem: PlanningProblem, tuning: Tuning) -> FloatArray:
    """Minutes of work waiting in each class, what is due soon counting more, (C,)."""
    waiting = problem.waiting
    pressing = 0.1 + np.exp(-np.maximum(slack_min(problem), 0.0) / tuning.pressing_min)
    minutes = waiting.expected_minutes * pressing
    return np.bincount(waiting.exam_class, minutes, minlength=len(problem.classes.origin)).astype(np.float64)


def scarcity(problem: PlanningProblem, tuning: Tuning) -> tuple[FloatArray, FloatArray]:
    """How scarce the readers of each class are (C,), and the mean of that over what each reader could do (R,).

    Each reader on duty shares its time among the classes it can read as they wait; a class is as scarce as the work
    it has exceeds the time it gets. Logarithms; equal where nothing waits.
    """
    wanted = demand(problem, tuning)
    eligible, on_duty = problem.fit.share, problem.duty.on_duty
    could_do = eligible @ wanted
    share = np.where(on_duty & (could_do > 0), 1.0 / np.maximum(could_do, 1e-9), 0.0)
    offered = share @ eligible
    scarce = np.where(offered > 0, 1.0 / np.maximum(offered, 1e-12), 0.0)
    worth = np.where(could_do > 0, (eligible @ (wanted * scarce)) / np.maximum(could_do, 1e-9), 0.0)
    return _log_or_zero(scarce, scarce > 0), _log_or_zero(worth, worth > 0)


def _log_or_zero(values: FloatArray, where: BoolArray) -> FloatArray:
    return np.log(np.where(where, values, 1.0))
