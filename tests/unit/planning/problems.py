"""Random small problems for the planner over arrays."""

from dataclasses import replace
from typing import Any

import numpy as np

from router.rules.planning import (
    AidArrays,
    BarredPairs,
    ClassArrays,
    DutyArrays,
    PlanningProblem,
    ReaderArrays,
    Tuning,
    WaitingArrays,
    fit_of,
)

TUNING = Tuning()
TRUSTS, GROUPS, SUBSPECIALTIES = 3, 3, 2


def problem(seed: int, reads: int = 20, readers: int = 6, classes: int = 8) -> PlanningProblem:
    """Everything drawn from one seed; some readers are busy, some trusts near their limits."""
    chance = np.random.default_rng(seed)
    table = ClassArrays(
        chance.integers(0, TRUSTS, classes),
        chance.integers(0, GROUPS, classes),
        chance.integers(0, SUBSPECIALTIES, classes),
        chance.integers(1, 3, classes),
    )
    minutes, exam_class = chance.integers(2, 20, classes).astype(float), chance.integers(0, classes, reads)
    pathway = chance.integers(0, 4, reads)
    waiting = WaitingArrays(
        number=np.arange(reads),
        exam_class=exam_class,
        weight=np.array([60.0, 10.0, 4.0, 1.0])[pathway],
        acute=pathway == 0,
        may_wait=pathway == 3,
        arrived_min=-chance.uniform(0, 600, reads),
        due_min=chance.uniform(-300, 3000, reads).round(1),
        expected_minutes=minutes[exam_class],
        holder=np.full(reads, -1),
    )
    people = ReaderArrays(
        number=np.arange(readers),
        employer=chance.integers(0, TRUSTS, readers),
        level=chance.integers(0, 4, (readers, SUBSPECIALTIES)),
        credential=chance.random((readers, TRUSTS)) < 0.7,
        scope=chance.random((readers, GROUPS)) < 0.8,
        speed=chance.uniform(0.7, 1.4, (readers, GROUPS)),
        price=np.zeros(readers),
    )
    room = chance.integers(0, 4, readers)
    duty = DutyArrays(
        on_duty=chance.random(readers) < 0.8,
        session_kind=chance.integers(0, 6, readers),
        session_end_min=chance.uniform(5, 240, readers),
        minutes_left=chance.uniform(0, 60, readers),
        free_in_min=np.where(room == 3, 0.0, 12.0 * (3 - room)),
        listed=3 - room,
        room=room,
        acute_room=room + 1,
        load=chance.random(readers),
        run_group=np.full(readers, -1),
        run_left=np.full(readers, 9),
    )
    limits = {"out_left": chance.uniform(0, 60, TRUSTS), "in_left": chance.uniform(0, 60, TRUSTS)}
    aid = replace(AidArrays.unlimited(TRUSTS, GROUPS), **limits, out_reserve=np.full(TRUSTS, 10.0))
    fit = fit_of(people, table, aid, TUNING)
    return PlanningProblem(0.0, table, waiting, people, duty, aid, fit, BarredPairs.none())


def with_waiting(given: PlanningProblem, **changes: Any) -> PlanningProblem:
    return replace(given, waiting=replace(given.waiting, **changes))


def with_duty(given: PlanningProblem, **changes: Any) -> PlanningProblem:
    return replace(given, duty=replace(given.duty, **changes))
