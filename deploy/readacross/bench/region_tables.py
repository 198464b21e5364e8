"""The table of `bench region`: one row for each figure, with the goals of a busy region."""

from collections.abc import Iterator, Sequence
from typing import Any

from readacross.bench.figures import Run
from readacross.bench.results import Result
from readacross.bench.tables import Table, mark, number


def region_tables(result: Result) -> list[Table]:
    """What was sustained, and how long it took."""
    tables = []
    for run in result.runs:
        plan = run["plan"]
        title = (
            f"router over {run['contestant']}: {plan['rate']:g} arrivals/s for {plan['seconds']:g} s, "
            f"{plan['readers']:,} readers, {plan['waiting']:,} reads waiting, {plan['trusts']} trusts"
        )
        tables.append(Table(title, ("what", "figure"), list(_flows(run, plan["rate"]))))
        tables.append(Table("how long, ms", ("what", "n", "p50", "p95", "max"), list(_latencies(run))))
    return tables


def _flows(run: Run, rate: float) -> Iterator[Sequence[str]]:
    yield "arrivals taken/s", f"{number(run['taken_s'], 1)} of {rate:g}"
    yield "reads assigned/s", number(run["assigned_s"], 1)
    yield "reads reported/s", number(run["reported_s"], 1)
    yield "sustained", mark(run["sustained"])
    yield "facts not taken at the end", number(run["late"])
    yield "reads waiting, before → after", f"{number(run['waiting_before'])} → {number(run['waiting_after'])}"
    yield "visits of readers with an empty list", number(run["empty_visits"])
    cpu_ms = 1000 * sum(run["router_cpu"]) / max(run["taken_s"], 0.01)
    yield "CPU of all routers for each arrival, ms", number(cpu_ms, 1)
    yield "CPU of each router, cores", ", ".join(f"{cores:.2f}" for cores in run["router_cpu"])
    if run["database_cpu"]:
        yield "CPU of the database, cores", f"{run['database_cpu']:.2f}"
    yield "router, peak RSS MiB", number(run["peak_rss_mib"])
    yield "first plan, s", number(run["first_plan_s"], 1)


def _latencies(run: Run) -> Iterator[Sequence[str]]:
    for key, what in (
        ("taking", "arrival → its fact is taken"),
        ("acute", "emergency's arrival → its images ordered"),
        ("ordering", "any arrival → its images ordered, where they were"),
        ("refilling", "place becomes free → next read's images ordered"),
        ("requests", "a request"),
    ):
        yield _row(what, run[key])
    for kind, name in (("at_event", "at an event"), ("anew", "all anew")):
        rounds = [entry[kind] for entry in run["rounds"] if entry.get(kind)]
        for prefix, what in (("", f"planner's round, {name}"), ("cpu_", "CPU time of it")):
            yield (
                what,
                number(sum(one["count"] for one in rounds)),
                number(_mean(rounds, f"{prefix}p50_ms"), 1),
                number(_mean(rounds, f"{prefix}p95_ms"), 1),
                number(max((one[f"{prefix}max_ms"] for one in rounds), default=None), 1),
            )


def _row(what: str, figures: dict[str, Any]) -> Sequence[str]:
    count = sum(count for _, count in figures.get("histogram", []))
    return what, number(count), *(number(figures.get(name), 1) for name in ("p50_ms", "p95_ms", "max_ms"))


def _mean(rounds: Sequence[dict[str, Any]], key: str) -> float | None:
    """Weighed by how many rounds each entry stands for."""
    count = sum(one["count"] for one in rounds)
    return sum(one[key] * one["count"] for one in rounds) / count if count else None
