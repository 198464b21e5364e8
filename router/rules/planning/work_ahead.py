"""All the work of the coming week, waiting or still to come, which prices and triage weigh alike."""

from dataclasses import dataclass

import numpy as np

from router.rules.planning.arrays import BoolArray, FloatArray, ForecastArrays, IntArray, PlanningProblem
from router.rules.planning.urgency import slack_min

EXPECTED = -1
"""In place of a row: work that is still to come. It makes room too, but nobody has to be told."""


@dataclass(frozen=True, slots=True)
class WorkAhead:
    """Reads (N,): `row` of waiting or EXPECTED; `minutes` of one; `count` how many, waiting ones being one each."""

    row: IntArray
    exam_class: IntArray
    due_min: FloatArray
    minutes: FloatArray
    weight: FloatArray
    acute: BoolArray
    may_wait: BoolArray
    count: FloatArray


def work_ahead(problem: PlanningProblem, forecast: ForecastArrays) -> WorkAhead:
    """What is expected, and what waits; but nothing that is late and may wait."""
    waiting = problem.waiting
    open_ = np.flatnonzero((slack_min(problem) >= 0) | waiting.acute | ~waiting.may_wait)
    comes = np.maximum((forecast.from_min + forecast.until_min) / 2, problem.now_min)
    return WorkAhead(
        row=np.r_[open_, np.full(len(comes), EXPECTED)],
        exam_class=np.r_[waiting.exam_class[open_], forecast.exam_class],
        due_min=np.r_[waiting.due_min[open_], comes + forecast.target_min],
        minutes=np.r_[waiting.expected_minutes[open_], forecast.expected_minutes],
        weight=np.r_[waiting.weight[open_], forecast.weight],
        acute=np.r_[waiting.acute[open_], forecast.acute],
        may_wait=np.r_[waiting.may_wait[open_], forecast.may_wait],
        count=np.r_[np.ones(len(open_)), forecast.count],
    )
