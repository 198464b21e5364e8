"""Policies × scenarios × seeds with common random numbers, and what they come to: means with confidence intervals."""

import math
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from router.simulate.assumptions import Assumptions
from router.simulate.baselines import POLICIES as BASELINES
from router.simulate.bound import BoundNotFound
from router.simulate.engine import Policy, ReadingRoom
from router.simulate.metrics import Figures, figures_of
from router.simulate.own_plan import OwnPlan
from router.simulate.what_if import WhatIf
from router.simulate.world import World, build_world

OWN = {
    "readacross_index": "Readacross, index only",
    "readacross": "Readacross, planned ahead",
}
BOUND = "clairvoyant"
NAMES = {**{name: words for name, (words, _) in BASELINES.items()}, **OWN, BOUND: "nobody could beat (LP bound)"}
_T95 = (0.0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    region: str
    scenarios: tuple[str, ...]
    policies: tuple[str, ...]
    seeds: tuple[int, ...]
    weeks: int
    what_if: WhatIf


@dataclass(frozen=True, slots=True)
class Run:
    """One cell: `figures` of a policy, or for the clairvoyant only its least weighted breaches, in `bound`."""

    scenario: str
    seed: int
    policy: str
    figures: Figures | None
    bound: float | None


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean over seeds and the half-width of its 95 % confidence interval (Student's t; infinite for one seed)."""

    mean: float
    half: float


def mean_of(values: list[float]) -> Mean:
    """Mean and half-width."""
    n = len(values)
    if n < 2:
        return Mean(values[0], math.inf)
    t = _T95[n - 1] if n <= len(_T95) else 1.96
    return Mean(float(np.mean(values)), t * float(np.std(values, ddof=1)) / math.sqrt(n))


def policy_of(name: str, assumptions: Assumptions, world: World) -> Policy:
    """A fresh policy for one run."""
    if name in OWN:
        return OwnPlan(assumptions, world, ahead=name == "readacross")
    return BASELINES[name][1]()


def run_plan(assumptions: Assumptions, plan: Plan, told: Callable[[str], None]) -> Iterator[Run]:
    """Every cell, seed by seed; `told` hears what is being done."""
    for scenario in plan.scenarios:
        for seed in plan.seeds:
            world = build_world(assumptions, plan.region, scenario, plan.what_if, plan.weeks, seed)
            for name in plan.policies:
                told(f"{scenario}, seed {seed}: {NAMES[name]}")
                if name == BOUND:
                    yield Run(scenario, seed, name, None, _apart(world))
                else:
                    outcome = ReadingRoom(world, policy_of(name, assumptions, world)).run()
                    yield Run(scenario, seed, name, figures_of(world, outcome), None)


def _apart(world: World) -> float:
    """The linear programme in a process of its own: its memory goes with it."""
    asked = subprocess.run(
        [sys.executable, "-m", "router.simulate.bound"], input=pickle.dumps(world), capture_output=True, check=False
    )
    if asked.returncode:
        raise BoundNotFound(asked.stderr.decode(errors="replace").strip().rpartition("\n")[2])
    return float(asked.stdout)
