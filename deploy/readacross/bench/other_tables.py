"""The tables of `bench find` and `bench associations`."""

from collections.abc import Sequence

from readacross.bench.associations_bench import QUIET, RUSH
from readacross.bench.figures import grouped, median_of, median_ratio
from readacross.bench.results import Result
from readacross.bench.tables import Table, mark, number, times

_FIND_GOALS_MS = {"patient id": 5.0, "accession number": 5.0, "study UID": 5.0, "date and modality": 25.0}
_SLOWER_AT_MOST, _RSS_AT_MOST_MIB = 5.0, 400.0
_FIND_COLUMNS = ("question", "answers", "p50 ms", "p95 ms", "p99 ms", "max ms", "goal p95", "first ms", "RSS MiB")
_ASSOCIATIONS_COLUMNS = ("contestant", "open associations", "n", "refused", "inst/s", "p50 ms", "p95 ms", "of quiet",
                         "goal", "RSS MiB", "goal")  # fmt: skip


def find_tables(result: Result) -> list[Table]:
    """One row for each question."""
    rows: list[Sequence[str] | None] = []
    for (question,), runs in grouped(result.runs, "question").items():
        p95, goal_ms = median_of(runs, "p95_ms"), _FIND_GOALS_MS.get(question)
        rows.append(
            [
                question,
                number(median_of(runs, "answers"), 1) if any(run["ok"] for run in runs) else "FAILED",
                *(number(median_of(runs, f"p{percent}_ms"), 1) for percent in (50, 95, 99)),
                number(median_of(runs, "max_ms"), 1),
                "" if goal_ms is None or p95 is None else f"{mark(p95 < goal_ms)} <{goal_ms:g}",
                number(median_of(runs, "first_ms"), 1),
                number(median_of(runs, "peak_rss_mib")),
            ]
        )
    title = f"C-FIND at {result.options.get('studies', 0):,} studies, median of rounds"
    return [Table(title, _FIND_COLUMNS, rows)]


def associations_tables(result: Result) -> list[Table]:
    """One row for each contestant and crowd."""
    rows: list[Sequence[str] | None] = []
    for (name,), cell in grouped(result.runs, "contestant").items():
        by_crowd = grouped(cell, "crowd")
        quiet = by_crowd.get((QUIET,), [])
        for (crowd,), runs in by_crowd.items():
            slower = None if crowd == QUIET else median_ratio(runs, quiet, "p95_ms")
            rss = median_of(runs, "peak_rss_mib")
            is_goal = crowd not in {QUIET, RUSH}
            rows.append(
                [
                    name,
                    crowd,
                    number(median_of(runs, "associations")) if any(run["ok"] for run in runs) else "FAILED",
                    number(median_of(runs, "refused")),
                    number(median_of(runs, "instances_s")),
                    *(number(median_of(runs, f"p{percent}_ms"), 1) for percent in (50, 95)),
                    times(slower),
                    f"{mark(slower < _SLOWER_AT_MOST)} <{_SLOWER_AT_MOST:g}×" if is_goal and slower else "",
                    number(rss),
                    f"{mark(rss < _RSS_AT_MOST_MIB)} <{_RSS_AT_MOST_MIB:g}" if is_goal and rss else "",
                ]
            )
        rows.append(None)
    title = "A store while many associations are open, median of rounds"
    return [Table(title, _ASSOCIATIONS_COLUMNS, rows[:-1], left=2)]
