"""The tables of `bench store` and `bench disk`: medians over the rounds, ratios round by round."""

from collections.abc import Sequence

from readacross.bench import disk_floor
from readacross.bench.figures import Run, grouped, median_of, median_ratio
from readacross.bench.results import Result
from readacross.bench.store_bench import CEILING
from readacross.bench.synthetic import KINDS
from readacross.bench.tables import Table, mark, number, times

OURS = "node, fresh"
GOALS = {
    ("ct", "Orthanc"): 5.0, ("ct", "pynetdicom"): 4.0, ("ct", "storescp --fork +B"): 1.5,
    ("mr", "Orthanc"): 10.0, ("mr", "pynetdicom"): 8.0, ("mr", "storescp --fork +B"): 3.0,
    ("cr", "Orthanc"): 3.0, ("mf", "Orthanc"): 6.0,
}  # fmt: skip
"""How many times as fast as a contestant the node is meant to be, from the fast sender."""
_STOCK_GOAL = 1.0
_FLOOR_GOALS = {1: 0.60, 4: 0.75}
_COLUMNS = ("n", "contestant", "MB/s", "inst/s", "node is", "goal", "of floor", "user", "sys", "RSS", "p50", "p95",
            "p99", "max", "40ms")  # fmt: skip


def store_tables(result: Result) -> list[Table]:
    """A table for each kind and sender. Times in ms, CPU in s/GB, RSS in MiB."""
    tables: list[Table] = []
    floor = [run for run in result.runs if run["contestant"] == disk_floor.NAME]
    for (kind, sender), runs in grouped(result.runs, "kind", "sender").items():
        rows: list[Sequence[str] | None] = []
        for (associations,), cell in grouped(runs, "associations").items():
            floor_runs = [run for run in floor if (run["kind"], run["associations"]) == (kind, associations)]
            ours = [run for run in cell if run["contestant"] == OURS]
            by_name = grouped(cell, "contestant")
            rows += [_row(str(associations), name, theirs, ours, floor_runs) for (name,), theirs in by_name.items()]
            rows.append(None)
        title = f"C-STORE of {KINDS[kind].title} from {_SENDERS.get(sender, sender)}: n associations, median of rounds"
        tables.append(Table(title, _COLUMNS, rows[:-1], left=2))
    return tables


_SENDERS = {
    "fast": "the fast sender, request by request",
    "window": "the fast sender, requests sent ahead",
    "storescu": "DCMTK's storescu",
    "dcmsend": "DCMTK's dcmsend",
}


def _row(associations: str, name: str, runs: list[Run], ours: list[Run], floor: list[Run]) -> list[str]:
    if not any(run["ok"] for run in runs):
        return [associations, name, "FAILED", *[""] * (len(_COLUMNS) - 3)]
    is_peer = name not in {OURS, CEILING, disk_floor.NAME}
    ratio = median_ratio(ours, runs, "mb_s") if is_peer else None
    share = median_ratio(runs, floor, "mb_s") if name != disk_floor.NAME else None
    failed = sum(not run["ok"] for run in runs)
    return [
        associations,
        name + (f" ({failed} failed)" if failed else ""),
        number(median_of(runs, "mb_s")),
        number(median_of(runs, "instances_s")),
        times(ratio),
        _goal(runs[0], name, ratio, share),
        number(None if share is None else 100 * share, 0, " %"),
        number(median_of(runs, "user_s_gb"), 2),
        number(median_of(runs, "system_s_gb"), 2),
        number(median_of(runs, "peak_rss_mib")),
        *(number(median_of(runs, f"p{percent}_ms"), 1) for percent in (50, 95, 99)),
        number(median_of(runs, "max_ms")),
        number(sum(run.get("steps_40ms", 0) for run in runs)),
    ]


def _goal(run: Run, name: str, ratio: float | None, share: float | None) -> str:
    """The goal of a row, and whether it is reached."""
    if name == OURS and run["sender"] == "fast" and share is not None and run["kind"] in {"ct", "mr"}:
        goal, reached = _FLOOR_GOALS.get(run["associations"]), share
        return "" if goal is None else f"{mark(reached >= goal)} {100 * goal:.0f} %"
    goal = GOALS.get((run["kind"], name)) if run["sender"] == "fast" else None
    if run["sender"] in {"storescu", "dcmsend"} and name == "storescp --fork +B":
        goal = _STOCK_GOAL
    return "" if goal is None or ratio is None else f"{mark(ratio >= goal)} {goal:g}×"
