"""Small worlds for the tests of the simulator: one trust, one reader, studies as given."""

import numpy as np

from router.simulate.arrivals import Arrivals
from router.simulate.assumptions import Assumptions, load_assumptions
from router.simulate.region import Classes, Region
from router.simulate.rota import SessionPlan
from router.simulate.staff import Person, Staff
from router.simulate.what_if import WhatIf
from router.simulate.world import World, build_world

ASSUMPTIONS = load_assumptions()


def small(assumptions: Assumptions = ASSUMPTIONS, studies: int = 1500) -> Assumptions:
    """The same region with few studies, and few people to read them."""
    regions = {name: region.model_copy(update={"studies": studies}) for name, region in assumptions.regions.items()}
    return assumptions.model_copy(update={"regions": regions})


def small_world(scenario: str = "normal", seed: int = 1, what_if: WhatIf | None = None, weeks: int = 1) -> World:
    return build_world(small(), "lsc", scenario, what_if or WhatIf(), weeks, seed)


def hand_made(studies: list[tuple[float, int, float]], sessions: list[SessionPlan]) -> World:
    """One trust and one reader of ordinary speed; class 0 routine (weight 1), class 1 urgent (weight 4), both due in
    60 minutes and expected to take 10; `studies` are (came, class, true minutes)."""
    two = np.zeros(2, np.int64)
    classes = Classes(
        trust=two,
        exam=two,
        pathway=np.array([0, 1]),
        weekly=np.ones(2),
        median=np.full(2, 10.0),
        sigma=np.zeros(2),
        minutes=np.full(2, 10.0),
        target=np.full(2, 60.0),
        weight=np.array([1.0, 4.0]),
        rank=np.array([5, 4]),
        acute=np.zeros(2, np.bool_),
        may_wait=np.array([True, False]),
        subspecialty=two,
        level=two + 1,
    )
    trust = ASSUMPTIONS.regions["lsc"].trusts[0]
    region = Region("one trust", trust.ods, (trust,), ("ct_head",), ("routine", "urgent"), ("neuro",), classes)
    person = Person("one", 0, False, "neuro", {"neuro": 3}, 1.0, ())
    everything = np.ones((1, 2), np.bool_)
    staff = Staff((person,), np.zeros(1, np.int64), everything, everything, np.ones((1, 2)))
    came = np.array([study[0] for study in studies])
    arrivals = Arrivals(came, np.array([s[1] for s in studies]), came + 60.0, np.array([s[2] for s in studies]))
    return World(region, staff, arrivals, tuple(sessions), (), np.full((1, 2), np.inf), 1)


def session(start: float, end: float, *pauses: tuple[float, float]) -> SessionPlan:
    return SessionPlan(0, start, end, False, pauses)
