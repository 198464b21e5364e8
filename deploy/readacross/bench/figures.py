"""The arithmetic of a measurement: percentiles, histograms, medians and ratios by round. Nothing here measures."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

Run = dict[str, Any]
"""What one measurement of one contestant gave, as it is written to the JSON file."""

PERCENTILES = (50.0, 95.0, 99.0)
_STEP_MS = (36.0, 48.0)
"""Where a store lies that waited for a delayed acknowledgement of TCP: 40 ms on Linux, and its own work."""
_HISTOGRAM_EDGES_MS = (0.5, 1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 36, 40, 44, 48, 60, 80, 100, 200, 500, 1000)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of them do not exceed (nearest rank).

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("no percentile of nothing")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def latency_figures(latencies_s: Sequence[float]) -> dict[str, Any]:
    """Percentiles, histogram and 40 ms steps of latencies, in milliseconds; empty without any."""
    if not latencies_s:
        return {}
    in_ms = [1000 * latency for latency in latencies_s]
    figures: dict[str, Any] = {f"p{percent:g}_ms": round(percentile(in_ms, percent), 3) for percent in PERCENTILES}
    return figures | {
        "max_ms": round(max(in_ms), 3),
        "steps_40ms": steps_of_40_ms(in_ms),
        "histogram": histogram(in_ms),
    }


def histogram(latencies_ms: Iterable[float]) -> list[tuple[float, int]]:
    """(upper edge in ms, how many lie below it and not below the edge before); the last edge is infinite (-1)."""
    counts = [0] * (len(_HISTOGRAM_EDGES_MS) + 1)
    for latency in latencies_ms:
        counts[_bucket(latency)] += 1
    return [(edge, count) for edge, count in zip((*_HISTOGRAM_EDGES_MS, -1.0), counts, strict=True) if count]


def steps_of_40_ms(latencies_ms: Iterable[float]) -> int:
    """How many look like waits for a delayed acknowledgement."""
    low, high = _STEP_MS
    return sum(low <= latency < high for latency in latencies_ms)


def median_of(runs: Iterable[Run], key: str) -> float | None:
    """The median of a figure over the runs that succeeded and have it."""
    values = [run[key] for run in runs if run["ok"] and run.get(key) is not None]
    return median(values) if values else None


def median_ratio(ours: Iterable[Run], theirs: Iterable[Run], key: str) -> float | None:
    """Median of (our figure / their figure) over the rounds in which both succeeded."""
    mine, other = by_round(ours, key), by_round(theirs, key)
    ratios = [mine[number] / other[number] for number in mine if other.get(number)]
    return median(ratios) if ratios else None


def by_round(runs: Iterable[Run], key: str) -> Mapping[int, float]:
    """Round → figure, of the runs that succeeded."""
    return {run["round"]: run[key] for run in runs if run["ok"] and run.get(key) is not None}


def grouped(runs: Iterable[Run], *keys: str) -> dict[tuple[Any, ...], list[Run]]:
    """Runs by the values of `keys`, in the order in which they first appear."""
    groups: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(run.get(key) for key in keys), []).append(run)
    return groups


def _bucket(latency_ms: float) -> int:
    for number, edge in enumerate(_HISTOGRAM_EDGES_MS):
        if latency_ms < edge:
            return number
    return len(_HISTOGRAM_EDGES_MS)
