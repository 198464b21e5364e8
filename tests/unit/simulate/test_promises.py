"""What the plan promises a region over weeks: with enough people nothing starves, and more people never harm."""

import numpy as np
import pytest

from router.simulate.engine import Outcome, ReadingRoom
from router.simulate.own_plan import OwnPlan
from router.simulate.rota import DAY
from router.simulate.what_if import WhatIf
from router.simulate.world import World, build_world
from tests.unit.simulate.worlds import ASSUMPTIONS, small

_HELP = WhatIf(readers=tuple((trust, "neuro", day) for trust in ("RXL", "RXR") for day in range(5)))


def with_staffing(staffing: float, seed: int, weeks: int, what_if: WhatIf | None = None) -> World:
    assumptions = small()
    rota = assumptions.rota.model_copy(update={"staffing": staffing})
    return build_world(assumptions.model_copy(update={"rota": rota}), "lsc", "normal", what_if or WhatIf(), weeks, seed)


def planned_ahead(world: World) -> Outcome:
    return ReadingRoom(world, OwnPlan(ASSUMPTIONS, world, ahead=True)).run()


def acute_breaches(world: World, outcome: Outcome) -> int:
    arrivals = world.arrivals
    acute = world.region.classes.acute[arrivals.klass]
    return int((acute & (arrivals.due <= world.end) & (outcome.done > arrivals.due)).sum())


@pytest.mark.parametrize("seed", [1, 2])
def test_with_enough_people_no_routine_study_grows_old(seed: int) -> None:
    world = with_staffing(1.35, seed, 2)
    outcome = planned_ahead(world)
    arrivals = world.arrivals
    classes = world.region.classes
    somebody = world.staff.eligible.any(axis=0)  # so few people leave some subspecialties without any reader
    routine = (classes.weight == 1)[arrivals.klass] & somebody[arrivals.klass]
    waited = np.minimum(outcome.done, world.end) - arrivals.came
    assert routine.sum() > 500
    assert (waited[routine] / DAY).max() < 8
    in_time = outcome.done <= arrivals.due
    assert in_time[routine & (arrivals.due <= world.end)].mean() > 0.99


@pytest.mark.parametrize("seed", [1, 2])
def test_more_people_never_make_acute_breaches_worse_beyond_noise(seed: int) -> None:
    before, after = with_staffing(0.9, seed, 1), with_staffing(0.9, seed, 1, _HELP)
    less, more = acute_breaches(before, planned_ahead(before)), acute_breaches(after, planned_ahead(after))
    assert more <= less + 3 * np.sqrt(less + 1)
