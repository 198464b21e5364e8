"""The table of `bench retrieve`."""

from collections.abc import Sequence

from readacross.bench.figures import grouped, median_of, median_ratio
from readacross.bench.results import Result
from readacross.bench.tables import Table, mark, number, times

_OURS = "node, fresh"
_GOALS = {"C-GET": 1.5, "C-MOVE, fast": 1.5, "C-MOVE, storescp": 1.0}
_FIRST_IMAGE_MS = 20.0
_COLUMNS = ("way", "contestant", "MB/s", "inst/s", "node is", "goal", "first ms", "goal", "user", "sys")


def retrieve_tables(result: Result) -> list[Table]:
    """One row for each way and contestant; CPU in s/GB of the archive."""
    rows: list[Sequence[str] | None] = []
    for (way,), cell in grouped(result.runs, "way").items():
        ours = [run for run in cell if run["contestant"] == _OURS]
        for (name,), runs in grouped(cell, "contestant").items():
            ratio = None if name == _OURS else median_ratio(ours, runs, "mb_s")
            first = median_of(runs, "first_ms")
            is_first_goal = name == _OURS and first is not None
            rows.append(
                [
                    way,
                    name,
                    number(median_of(runs, "mb_s")) if any(run["ok"] for run in runs) else "FAILED",
                    number(median_of(runs, "instances_s")),
                    times(ratio),
                    "" if ratio is None else f"{mark(ratio >= _GOALS[way])} {_GOALS[way]:g}×",
                    number(first, 1),
                    f"{mark((first or 0) < _FIRST_IMAGE_MS)} <{_FIRST_IMAGE_MS:.0f}" if is_first_goal else "",
                    number(median_of(runs, "user_s_gb"), 2),
                    number(median_of(runs, "system_s_gb"), 2),
                ]
            )
        rows.append(None)
    return [Table("A study out of the archive, median of rounds", _COLUMNS, rows[:-1], left=2)]
