"""One seed of one scenario, drawn before anybody decides anything: what every policy meets alike."""

from dataclasses import dataclass

import numpy as np

from router.simulate.arrivals import Arrivals, draw_arrivals
from router.simulate.assumptions import Assumptions
from router.simulate.region import Floats, Region, build_region
from router.simulate.rota import WEEK, SessionPlan, build_rota
from router.simulate.staff import Person, Staff, build_people, build_staff, without
from router.simulate.what_if import WhatIf

_ROTA_STREAM = 2


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """`cut_off`: (trust, from, to) in minutes. `aid_minutes` `(trusts, 2)`: minutes out a day for other and for all
    work, the difference being kept for acute work."""

    region: Region
    staff: Staff
    arrivals: Arrivals
    sessions: tuple[SessionPlan, ...]
    cut_off: tuple[tuple[int, float, float], ...]
    aid_minutes: Floats
    weeks: int

    @property
    def end(self) -> float:
        return self.weeks * WEEK


def build_world(
    assumptions: Assumptions, region_id: str, scenario_id: str, what_if: WhatIf, weeks: int, seed: int
) -> World:
    """Draw one seed. Arrivals, staff and rota have random streams of their own: a change of one leaves the others."""
    settings, scenario = what_if.applied_to(assumptions.regions[region_id]), assumptions.scenarios[scenario_id]
    ordinary = build_region(assumptions, settings, [])
    people = build_people(assumptions, ordinary)
    if scenario.readers_lost is not None:
        people = without(people, ordinary, scenario.readers_lost)
    people = people + what_if.more_people(ordinary)
    region = build_region(assumptions, settings, [*scenario.demand, *what_if.demand])
    arrivals = draw_arrivals(assumptions, region, weeks, scenario.waiting_times, seed)
    sessions = build_rota(assumptions, region, people, weeks, np.random.default_rng([seed, _ROTA_STREAM]))
    cut_off = []
    if scenario.cut_off is not None:
        trust = region.trust_index(scenario.cut_off.trust)
        for week in range(weeks):
            hours = (scenario.cut_off.from_hour, scenario.cut_off.to_hour)
            cut_off.append((trust, week * WEEK + hours[0] * 60, week * WEEK + hours[1] * 60))
    return World(
        region=region,
        staff=build_staff(assumptions, region, people),
        arrivals=arrivals,
        sessions=tuple(sessions),
        cut_off=tuple(cut_off),
        aid_minutes=_aid_minutes(assumptions, region, people, sessions, what_if, weeks),
        weeks=weeks,
    )


def _aid_minutes(
    assumptions: Assumptions,
    region: Region,
    people: tuple[Person, ...],
    sessions: list[SessionPlan],
    what_if: WhatIf,
    weeks: int,
) -> Floats:
    own = np.zeros(len(region.trusts))
    for session in sessions:
        own[people[session.reader].trust] += session.end - session.start
    limit = own / (weeks * 5) * assumptions.aid.share_out
    for trust, minutes in what_if.more_aid(region).items():
        limit[trust] += minutes
    return np.stack([limit * (1 - assumptions.aid.acute_reserve), limit], axis=1)
