"""The tables of `bench reports`: how fast, and what each process cost."""

from collections.abc import Sequence

from readacross.bench.figures import grouped, median_of
from readacross.bench.results import Result
from readacross.bench.tables import Table, mark, number

_GOAL_S = 200.0
_COLUMNS = ("region", "reports", "taken/s", "p95 ms", "at the RIS/s", "goal", "p50 s", "p95 s", "closed/s")


def reports_tables(result: Result) -> list[Table]:
    """Medians of rounds."""
    speeds: list[Sequence[str] | None] = []
    costs: list[Sequence[str] | None] = []
    for (name,), runs in grouped(result.runs, "contestant").items():
        rate = median_of(runs, "reports_s")
        speeds.append(
            [
                name,
                number(median_of(runs, "reports")) if any(run["ok"] for run in runs) else "FAILED",
                number(median_of(runs, "taken_s")),
                number(median_of(runs, "taken_p95_ms"), 1),
                number(rate),
                "" if rate is None else f"{mark(rate >= _GOAL_S)} ≥{_GOAL_S:g}",
                number(median_of(runs, "home_p50_s"), 2),
                number(median_of(runs, "home_p95_s"), 2),
                number(median_of(runs, "closed_s")),
            ]
        )
        for process in next((run["processes"] for run in runs if run["ok"]), ()):
            cpu, rss = (median_of(runs, f"{what} {process}") for what in ("cpu_s", "peak_rss_mib"))
            reports = median_of(runs, "reports")
            each_ms = None if cpu is None or not reports else 1000 * cpu / reports
            costs.append([name, process, number(cpu, 1), number(each_ms, 1), number(rss)])
    title = f"Reports over {result.options.get('connections')} connections, ORU in to ORU out, median of rounds"
    return [
        Table(title, _COLUMNS, speeds),
        Table("What it cost", ("region", "process", "CPU s", "CPU ms a report", "peak RSS MiB"), costs, left=2),
    ]
