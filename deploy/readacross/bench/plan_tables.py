"""The table of `bench plan`: milliseconds over the rounds, with the goals."""

from readacross.bench.figures import grouped, median_of
from readacross.bench.results import Result
from readacross.bench.tables import Table, mark, number

_GOALS_MS = {"one reader free": 50.0, "all readers, over arrays": 2000.0, "region ahead": 2000.0}
_GOALS_MS["plan with explanations"] = 2000.0


def plan_tables(result: Result) -> list[Table]:
    """One row for each kind of work."""
    rows = []
    for (what,), runs in grouped(result.runs, "contestant").items():
        p95, goal_ms = median_of(runs, "p95_ms"), _GOALS_MS.get(what)
        goal = "" if goal_ms is None or p95 is None else f"{mark(p95 < goal_ms)} <{goal_ms:g}"
        rows.append([what, *(number(median_of(runs, f"{name}_ms"), 1) for name in ("p50", "p95", "max")), goal])
    sizes = f"{result.options.get('reads', 0):,} reads, {result.options.get('readers', 0):,} readers"
    return [Table(f"planner: {sizes}, ms, median of rounds", ("work", "p50", "p95", "max", "goal (p95)"), rows)]
