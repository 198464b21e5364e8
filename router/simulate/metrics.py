"""What an outcome is judged by. A study counts as breached when its due time lies within the simulated weeks and it was
not done by then; what is due later is neither kept nor breached yet."""

from dataclasses import asdict, dataclass

import numpy as np

from router.simulate.board import NOTHING
from router.simulate.engine import Outcome
from router.simulate.world import World

DAY = 1440.0


@dataclass(frozen=True, slots=True)
class Figures:
    """One run of one policy. Turnaround in minutes, of acute work; `match` of reads that began while a specialist had
    capacity, `match_all` of all; `load_spread` the standard deviation of how busy readers were in their sessions."""

    weighted_breaches: float
    weighted_breaches_with_acute: float
    weighted_tardiness_days: float
    emergency_p95: float
    acute_p95: float
    match: float
    match_all: float
    aid_share: float
    aid_imbalance: float
    load_spread: float
    waiting: int
    moves: int
    breaches: dict[str, int]
    aid: dict[str, dict[str, float]]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def figures_of(world: World, outcome: Outcome) -> Figures:
    """Judge one run."""
    region, arrivals = world.region, world.arrivals
    classes, c = region.classes, arrivals.klass
    weight, acute = classes.weight[c], classes.acute[c]
    breached = (arrivals.due <= world.end) & (outcome.done > arrivals.due)
    late = np.maximum(np.minimum(outcome.done, world.end) - arrivals.due, 0.0)
    read = outcome.reader != NOTHING
    matched = world.staff.matched[outcome.reader[read], c[read]]
    asked = matched | outcome.matched_free[read]
    out = outcome.aid.sum(axis=1) - np.diag(outcome.aid)
    came_in = outcome.aid.sum(axis=0) - np.diag(outcome.aid)
    trusts = [trust.ods for trust in region.trusts]
    return Figures(
        weighted_breaches=float(weight[breached & ~acute].sum()),
        weighted_breaches_with_acute=float(weight[breached].sum()),
        weighted_tardiness_days=float((weight * late)[~acute].sum() / DAY),
        emergency_p95=_p95(world, outcome, np.array([p == "emergency" for p in region.pathways])[classes.pathway[c]]),
        acute_p95=_p95(world, outcome, acute),
        match=_share(matched[asked]),
        match_all=_share(matched),
        aid_share=float(out.sum() / max(outcome.aid.sum(), 1e-9)),
        aid_imbalance=float(np.abs(out - came_in).max() / world.weeks / 60),
        load_spread=_load_spread(world, outcome),
        waiting=int((~read).sum()),
        moves=outcome.moves,
        breaches={
            name: int(breached[classes.pathway[c] == p].sum())
            for p, name in enumerate(region.pathways)
            if (classes.pathway[c] == p).any()
        },
        aid={
            own: {origin: round(float(outcome.aid[i, j]) / 60, 1) for j, origin in enumerate(trusts)}
            for i, own in enumerate(trusts)
        },
    )


def _p95(world: World, outcome: Outcome, which: np.ndarray) -> float:
    """Of what came early enough to be judged; what was never read counts as read at the end."""
    arrivals = world.arrivals
    judged = which & (arrivals.due <= world.end)
    if not judged.any():
        return 0.0
    return float(np.percentile((np.minimum(outcome.done, world.end) - arrivals.came)[judged], 95))


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if len(flags) else 1.0


def _load_spread(world: World, outcome: Outcome) -> float:
    there = np.zeros(len(world.staff))
    for session in world.sessions:
        there[session.reader] += session.reading_minutes()
    worked = there > 0
    return float(np.std(outcome.busy[worked] / there[worked]))
