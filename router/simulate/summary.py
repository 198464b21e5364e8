"""Runs gathered by scenario and policy: means with confidence intervals, and the goals they are held against."""

from dataclasses import dataclass

from router.simulate.experiment import BOUND, NAMES, OWN, Mean, Run, mean_of

METRICS = {
    "weighted_breaches": "weighted breaches without emergencies",
    "weighted_breaches_with_acute": "weighted breaches with emergencies",
    "weighted_tardiness_days": "weighted tardiness, days",
    "emergency_p95": "emergency turnaround, 95th percentile, minutes",
    "acute_p95": "acute turnaround, 95th percentile, minutes",
    "match": "subspecialty match where a specialist had capacity",
    "match_all": "subspecialty match of all reads",
    "aid_share": "share of minutes read for other trusts",
    "aid_imbalance": "aid balance, largest of a trust, hours a week",
    "load_spread": "spread of how busy readers were",
    "waiting": "still waiting at the end",
    "moves": "moves between lists",
}
"""What is reported, in this order."""


@dataclass(frozen=True, slots=True)
class Line:
    """One policy in one scenario; the clairvoyant has `weighted_breaches` only."""

    scenario: str
    policy: str
    words: str
    means: dict[str, Mean]


@dataclass(frozen=True, slots=True)
class Goal:
    """`value` is None where it cannot be judged from what was run."""

    scenario: str
    words: str
    wanted: str
    value: float | None
    met: bool | None


def lines_of(runs: list[Run]) -> list[Line]:
    """Means over seeds, in the order in which scenarios and policies were run."""
    cells: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        cells.setdefault((run.scenario, run.policy), []).append(run)
    return [Line(scenario, policy, NAMES[policy], _means(of)) for (scenario, policy), of in cells.items()]


def _means(runs: list[Run]) -> dict[str, Mean]:
    judged = [run.figures for run in runs if run.figures is not None]
    if judged:
        return {metric: mean_of([float(getattr(figures, metric)) for figures in judged]) for metric in METRICS}
    return {"weighted_breaches": mean_of([run.bound for run in runs if run.bound is not None])}


def goals_of(lines: list[Line]) -> list[Goal]:
    """What is asked of the own plan, scenario by scenario: planned ahead, or the index alone when only that was run."""
    found: list[Goal] = []
    for scenario in dict.fromkeys(line.scenario for line in lines):
        means = {line.policy: line.means for line in lines if line.scenario == scenario}
        own = next((name for name in ("readacross", "readacross_index") if name in means), None)
        if own is not None:
            found += _goals_in(scenario, means, own)
    return found


def _goals_in(scenario: str, means: dict[str, dict[str, Mean]], own: str) -> list[Goal]:
    mine = means[own]
    others = {name: of for name, of in means.items() if name not in OWN and name != BOUND}
    breaches = mine["weighted_breaches"].mean
    found = []
    if others:
        best = min(of["weighted_breaches"].mean for of in others.values())
        found.append(_goal(scenario, "weighted breaches beside the best other policy", breaches, best, "≤ 1 ×", 1.0))
        for metric in ("emergency_p95", "acute_p95"):
            least = min(of[metric].mean for of in others.values())
            found.append(_goal(scenario, METRICS[metric] + " beside the best", mine[metric].mean, least, "≤ 1 ×", 1.0))
    for name, words, times in (
        ("worklist", "weighted breaches beside priority + earliest due with skills", 0.2),
        ("silo_priority", "weighted breaches beside today's silos", 0.05),
        (BOUND, "weighted breaches beside the clairvoyant bound", 2.5),
    ):
        if name in means:
            other = means[name]["weighted_breaches"].mean
            found.append(_goal(scenario, words, breaches, other, f"≤ {times:g} ×", times))
    match = mine["match"].mean
    found.append(Goal(scenario, METRICS["match"], "≥ 0.9", match, match >= 0.9))
    return found


def _goal(scenario: str, words: str, mine: float, other: float, wanted: str, times: float) -> Goal:
    if other <= 0:
        return Goal(scenario, words, wanted, None, mine <= 0)
    return Goal(scenario, words, wanted, mine / other, mine <= times * other)
