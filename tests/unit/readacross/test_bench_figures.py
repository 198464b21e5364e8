"""The arithmetic of `readacross bench`."""

import pytest

from readacross.bench.figures import (
    grouped,
    histogram,
    latency_figures,
    median_of,
    median_ratio,
    percentile,
    steps_of_40_ms,
)


def run(number: int, mb_s: float, ok: bool = True) -> dict[str, object]:
    return {"round": number, "mb_s": mb_s, "ok": ok}


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([7.0], 50, 7.0),
        ([7.0], 99, 7.0),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 50, 2.0),
        (list(map(float, range(1, 101))), 95, 95.0),
        (list(map(float, range(1, 101))), 99, 99.0),
        (list(map(float, range(1, 101))), 100, 100.0),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


def test_latencies_are_told_in_milliseconds_with_their_maximum() -> None:
    figures = latency_figures([0.001] * 95 + [0.002] * 4 + [0.5])
    assert [figures[key] for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms")] == [1.0, 1.0, 2.0, 500.0]
    assert latency_figures([]) == {}


def test_a_histogram_holds_every_latency_once_and_puts_an_edge_above_it() -> None:
    latencies_ms = [0.2, 0.5, 0.9, 39.0, 40.0, 43.9, 44.0, 5000.0]
    counted = histogram(latencies_ms)
    assert sum(count for _, count in counted) == len(latencies_ms)
    assert counted == [(0.5, 1), (1, 2), (40, 1), (44, 2), (48, 1), (-1.0, 1)]


def test_only_waits_for_a_delayed_acknowledgement_count_as_40_ms_steps() -> None:
    assert steps_of_40_ms([1.0, 35.9, 36.0, 44.0, 47.9, 48.0, 88.0]) == 3


def test_failed_runs_give_no_figure() -> None:
    runs = [run(1, 100.0), run(2, 9999.0, ok=False), run(3, 300.0)]
    assert median_of(runs, "mb_s") == 200.0
    assert median_of([run(1, 5.0, ok=False)], "mb_s") is None
    assert median_of([run(1, 5.0)], "p95_ms") is None


def test_a_ratio_is_the_median_of_the_ratios_of_each_round() -> None:
    ours = [run(1, 100.0), run(2, 50.0), run(3, 400.0)]
    theirs = [run(1, 50.0), run(2, 50.0), run(3, 100.0)]
    assert median_ratio(ours, theirs, "mb_s") == 2.0


def test_a_ratio_leaves_out_the_rounds_in_which_either_failed() -> None:
    ours = [run(1, 100.0), run(2, 50.0, ok=False), run(3, 90.0)]
    theirs = [run(1, 50.0), run(2, 10.0), run(3, 10.0, ok=False)]
    assert median_ratio(ours, theirs, "mb_s") == 2.0
    assert median_ratio(ours, [run(4, 1.0)], "mb_s") is None


def test_groups_keep_the_order_of_measuring() -> None:
    runs = [{"kind": "mr"}, {"kind": "ct"}, {"kind": "mr"}]
    assert list(grouped(runs, "kind")) == [("mr",), ("ct",)]
    assert len(grouped(runs, "kind")["mr",]) == 2
