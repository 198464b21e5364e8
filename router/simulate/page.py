"""One self-contained HTML page of a simulation: charts, figures, goals; nothing is loaded from elsewhere."""

import math
from html import escape
from pathlib import Path

from router.simulate.charts import Bar, bar_chart
from router.simulate.experiment import BOUND, NAMES, Mean, Plan, Run
from router.simulate.summary import METRICS, Goal, Line

CHARTS = {
    "weighted_breaches": True,
    "weighted_breaches_with_acute": True,
    "weighted_tardiness_days": True,
    "emergency_p95": True,
    "acute_p95": True,
    "match": False,
    "aid_share": False,
    "aid_imbalance": False,
    "load_spread": False,
}
"""Metrics that get a chart in each scenario, and whether its scale is logarithmic."""

_STYLE = Path(__file__).with_name("page.css").read_text()


def page_of(
    plan: Plan, region: str, says: dict[str, str], runs: list[Run], lines: list[Line], goals: list[Goal]
) -> str:
    """The page; `says` describes each scenario."""
    asked = "".join(f" What if: {escape(said)}." for said in plan.what_if.said)
    seeds = ("seed " if len(plan.seeds) == 1 else "seeds ") + ", ".join(str(seed) for seed in plan.seeds)
    body = [
        f"<h1>{escape(region)}: who reads what, simulated</h1>",
        f"<p>{counted(plan.weeks, 'week')}, {seeds}; every policy met the same studies, readers and "
        f"interruptions.{asked}</p>",
        '<p class="note">Bars are means over seeds, whiskers 95 % confidence intervals. Blue is Readacross, green what '
        "nobody could beat. Scales are logarithmic where figures differ by orders of magnitude.</p>",
    ]
    for scenario in dict.fromkeys(line.scenario for line in lines):
        body.append(f'<h2 id="{escape(scenario)}">{escape(scenario)}: {escape(says[scenario])}</h2>')
        here = [line for line in lines if line.scenario == scenario]
        body += [_chart(scenario, metric, here) for metric in CHARTS]
        body.append(_by_pathway(scenario, runs))
        body.append(_by_trust(scenario, runs))
        body.append(_goals([goal for goal in goals if goal.scenario == scenario]))
    title = f"Readacross: {region} simulated"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>\n"
    )


def _chart(scenario: str, metric: str, lines: list[Line]) -> str:
    bars = [
        Bar(line.words, of.mean, of.half, own=line.policy.startswith("readacross"), bound=line.policy == BOUND)
        for line in lines
        if (of := line.means.get(metric)) is not None
    ]
    words = METRICS[metric]
    chart = bar_chart(f"{words}, {scenario}", bars, CHARTS[metric])
    return f'<figure data-chart="{scenario}/{metric}" style="margin:0"><h3>{escape(words)}</h3>{chart}</figure>'


def _by_pathway(scenario: str, runs: list[Run]) -> str:
    """Breaches, counted, means over seeds."""
    cells: dict[str, list[dict[str, int]]] = {}
    for run in runs:
        if run.scenario == scenario and run.figures is not None:
            cells.setdefault(run.policy, []).append(run.figures.breaches)
    if not cells:
        return ""
    pathways = list(next(iter(cells.values()))[0])
    head = "".join(f"<th>{escape(p.replace('_', ' '))}</th>" for p in pathways)
    rows = ""
    for policy, of in cells.items():
        means = [sum(seed[p] for seed in of) / len(of) for p in pathways]
        rows += f"<tr><td>{escape(NAMES[policy])}</td>{''.join(f'<td>{mean:,.0f}</td>' for mean in means)}</tr>"
    return f'<h3>Breaches by pathway</h3><div class="wide"><table><tr><th></th>{head}</tr>{rows}</table></div>'


def _by_trust(scenario: str, runs: list[Run]) -> str:
    """Hours that each trust's readers read, by origin; of the last policy run, as a rule the own plan."""
    judged = [run for run in runs if run.scenario == scenario and run.figures is not None]
    if not judged:
        return ""
    policy = next((run.policy for run in judged if run.policy == "readacross"), judged[-1].policy)
    of = [run.figures.aid for run in judged if run.policy == policy and run.figures is not None]
    trusts = list(of[0])
    head = "".join(f"<th>{escape(trust)}</th>" for trust in trusts)
    rows = "".join(
        f"<tr><td>{escape(own)}</td>"
        + "".join(f"<td>{sum(seed[own][origin] for seed in of) / len(of):,.0f}</td>" for origin in trusts)
        + "</tr>"
        for own in trusts
    )
    words = f"Hours read by each trust (rows) for each trust (columns): {escape(NAMES[policy])}"
    return f'<h3>{words}</h3><div class="wide"><table><tr><th></th>{head}</tr>{rows}</table></div>'


def _goals(goals: list[Goal]) -> str:
    rows = ""
    for goal in goals:
        value = "bound is 0" if goal.value is None else f"{goal.value:.2f}"
        verdict = '<td class="met">met</td>' if goal.met else '<td class="unmet">not met</td>'
        rows += f"<tr><td>{escape(goal.words)}</td><td>{goal.wanted}</td><td>{value}</td>{verdict}</tr>"
    head = "<tr><th>goal</th><th>wanted</th><th>is</th><th></th></tr>"
    return f"<h3>Goals</h3><table>{head}{rows}</table>" if rows else ""


def counted(number: int, thing: str) -> str:
    """`1 week`, `3 weeks`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def in_words(mean: Mean, share: bool = False) -> str:
    """`1,234 ± 56`."""
    value = f"{mean.mean:.1%}" if share else f"{mean.mean:,.0f}" if mean.mean >= 10 else f"{mean.mean:.1f}"
    if not math.isfinite(mean.half):
        return value
    return f"{value} ± {mean.half:.1%}" if share else f"{value} ± {mean.half:,.0f}"
