"""`readacross simulate …`: a region's weeks under several policies, as a table, as JSON and as one page."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from router.simulate.assumptions import Assumptions, load_assumptions
from router.simulate.experiment import NAMES, OWN, Plan, Run, run_plan
from router.simulate.page import counted, in_words, page_of
from router.simulate.summary import METRICS, Goal, Line, goals_of, lines_of
from router.simulate.what_if import FORMS, BadQuestion, read_questions

_progress = Console(stderr=True, highlight=False)
_console = Console(highlight=False)
if not _console.is_terminal:
    _console = Console(width=180, highlight=False)

_COLUMNS = {
    "weighted_breaches": "weighted breaches",
    "weighted_breaches_with_acute": "with acute",
    "weighted_tardiness_days": "tardiness, days",
    "emergency_p95": "emergency p95",
    "acute_p95": "acute p95",
    "match": "match",
    "aid_share": "for others",
    "load_spread": "spread",
    "moves": "moves",
}
_SHARES = ("match", "aid_share", "load_spread")


def simulate(
    region: Annotated[str, typer.Option(help="lsc or cm, or a region of the assumptions file.")] = "lsc",
    scenario: Annotated[str, typer.Option(help="One, several with commas, or all.")] = "normal",
    policy: Annotated[str, typer.Option(help=f"Several with commas, or all: {', '.join(NAMES)}.")] = "all",
    seeds: Annotated[int, typer.Option(min=1, max=100, help="How many seeds.")] = 5,
    first_seed: Annotated[int, typer.Option(min=1, help="The first of them; below 100 is for tuning.")] = 101,
    weeks: Annotated[int, typer.Option(min=1, max=26, help="Weeks to simulate.")] = 3,
    what_if: Annotated[list[str] | None, typer.Option(help="A change: " + "; ".join(FORMS) + ".")] = None,
    assumptions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A changed copy of assumptions.toml.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures here.")] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page of charts here.")
    ] = None,
) -> None:
    """Simulate a region's weeks, the same for every policy, and compare what becomes of its studies."""
    known = load_assumptions(assumptions)
    plan = _plan(known, region, scenario, policy, tuple(range(first_seed, first_seed + seeds)), weeks, what_if or [])
    _check_place(json_file, "--json")
    _check_place(html_file, "--html")
    runs: list[Run] = []
    with _progress.status("drawing the region") as status:
        for run in run_plan(known, plan, lambda words: status.update(words)):
            runs.append(run)
    lines = lines_of(runs)
    goals = goals_of(lines)
    for name in plan.scenarios:
        _console.print(_table(known, plan, name, lines))
    if goals:
        _console.print(_goals(goals))
    if json_file is not None:
        json_file.write_text(json.dumps(_as_json(plan, runs, lines, goals), indent=1) + "\n")
    if html_file is not None:
        says = {name: settings.says for name, settings in known.scenarios.items()}
        html_file.write_text(page_of(plan, known.regions[region].name, says, runs, lines, goals))


def _check_place(file: Path | None, option: str) -> None:
    """Before minutes are spent on what could not be written in the end."""
    if file is None:
        return
    if not file.parent.is_dir():
        raise typer.BadParameter(f"expected a file in a folder that exists, got {file}", param_hint=option)
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise typer.BadParameter(f"expected a file that can be written, got {file}", param_hint=option)


def _plan(
    known: Assumptions, region: str, scenario: str, policy: str, seeds: tuple[int, ...], weeks: int, what_if: list[str]
) -> Plan:
    if region not in known.regions:
        raise typer.BadParameter(
            f"{region!r} is no region; expected one of {', '.join(known.regions)}", param_hint="--region"
        )
    try:
        asked = read_questions(what_if, known, region)
    except BadQuestion as error:
        raise typer.BadParameter(str(error), param_hint="--what-if") from None
    scenarios = _chosen(scenario, list(known.scenarios), "--scenario")
    return Plan(region, scenarios, _chosen(policy, list(NAMES), "--policy"), seeds, weeks, asked)


def _chosen(said: str, known: list[str], option: str) -> tuple[str, ...]:
    if said == "all":
        return tuple(known)
    names = tuple(dict.fromkeys(name.strip() for name in said.split(",")))
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"{name!r} is unknown; expected all or of {', '.join(known)}", param_hint=option)
    return names


def _table(known: Assumptions, plan: Plan, scenario: str, lines: list[Line]) -> Table:
    seeds = f"{counted(plan.weeks, 'week')}, {counted(len(plan.seeds), 'seed')} from {plan.seeds[0]}"
    table = Table(title=f"{known.regions[plan.region].name}, {scenario}: {known.scenarios[scenario].says} ({seeds})")
    table.add_column("policy", min_width=26)
    for words in _COLUMNS.values():
        table.add_column(words, justify="right")
    for line in lines:
        if line.scenario == scenario:
            cells = [
                in_words(line.means[metric], metric in _SHARES) if metric in line.means else "" for metric in _COLUMNS
            ]
            table.add_row(line.words, *cells, style="bold" if line.policy in OWN else None)
    return table


def _goals(goals: list[Goal]) -> Table:
    table = Table(title="What is asked of Readacross's own plan")
    for words in ("scenario", "goal", "wanted", "is", ""):
        table.add_column(words)
    for goal in goals:
        value = "other is 0" if goal.value is None else f"{goal.value:.3f}"
        table.add_row(goal.scenario, goal.words, goal.wanted, value, "met" if goal.met else "not met")
    return table


def _as_json(plan: Plan, runs: list[Run], lines: list[Line], goals: list[Goal]) -> dict[str, object]:
    return {
        "region": plan.region,
        "weeks": plan.weeks,
        "seeds": plan.seeds,
        "what_if": plan.what_if.said,
        "metrics": METRICS,
        "means": [
            {
                "scenario": line.scenario,
                "policy": line.policy,
                **{
                    name: {"mean": of.mean, "half": of.half if len(plan.seeds) > 1 else None}
                    for name, of in line.means.items()
                },
            }
            for line in lines
        ],
        "runs": [
            {
                "scenario": run.scenario,
                "seed": run.seed,
                "policy": run.policy,
                **({"weighted_breaches": run.bound} if run.figures is None else run.figures.as_json()),
            }
            for run in runs
        ],
        "goals": [asdict(goal) for goal in goals],
    }
