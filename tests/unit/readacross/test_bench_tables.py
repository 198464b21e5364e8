"""What a person sees of `readacross bench`."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from readacross.bench.report import tables_of
from readacross.bench.results import Result
from readacross.bench.store_tables import store_tables
from readacross.bench.tables import Table, number, times

LATENCIES = {"p50_ms": 11.4, "p95_ms": 42.5, "p99_ms": 143.2, "max_ms": 1200.0, "steps_40ms": 1234}
FIGURES = {"ok": True, "instances_s": 3388.0, "user_s_gb": 12.34, "system_s_gb": 10.1, "peak_rss_mib": 1024.0}


def stored(contestant: str, mb_s: float, number: int = 1, **more: object) -> dict[str, object]:
    about = {"kind": "ct", "associations": 4, "sender": "fast", "round": number, "contestant": contestant}
    return FIGURES | LATENCIES | about | {"mb_s": mb_s} | more


def result_of(*runs: dict[str, object], bench: str = "store") -> Result:
    machine = {"cores": 2, "processor": "test", "memory_mib": 1, "kernel": "6", "file_system": "x", "python": "3"}
    return Result(bench, "readacross bench", "2026-01-01", {**machine, "load": [0.0]}, runs=list(runs))


def row_of(result: Result, contestant: str) -> dict[str, str]:
    (table,) = store_tables(result)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows if row]
    return next(row for row in rows if row["contestant"].startswith(contestant))


def test_the_node_is_compared_with_each_peer_and_with_its_goal() -> None:
    result = result_of(stored("node, fresh", 800.0), stored("Orthanc", 100.0), stored("storescp --fork +B", 1000.0))
    assert row_of(result, "Orthanc")["node is"] == "8.00×"
    assert row_of(result, "Orthanc")["goal"] == "✓ 5×"
    assert row_of(result, "storescp")["node is"] == "0.80×"
    assert row_of(result, "storescp")["goal"] == "✗ 1.5×"


def test_a_share_of_the_disk_floor_is_said_for_everybody_and_judged_for_the_node() -> None:
    result = result_of(stored("disk floor", 1000.0), stored("node, fresh", 740.0), stored("Orthanc", 100.0))
    assert (row_of(result, "node")["of floor"], row_of(result, "node")["goal"]) == ("74 %", "✗ 75 %")
    assert row_of(result, "Orthanc")["of floor"] == "10 %"


def test_a_contestant_that_failed_has_no_figures() -> None:
    failed = {"ok": False, "failure": "1 of 2 instances stored", "kind": "ct", "associations": 4, "sender": "fast"}
    result = result_of(stored("node, fresh", 800.0), failed | {"contestant": "dcmqrscp", "round": 1})
    assert row_of(result, "dcmqrscp")["MB/s"] == "FAILED"
    assert result.failures == ["dcmqrscp, round 1: 1 of 2 instances stored"]


def test_a_round_that_failed_is_counted_beside_the_name() -> None:
    result = result_of(stored("Orthanc", 100.0), stored("Orthanc", 900.0, number=2, ok=False, failure="lost"))
    assert row_of(result, "Orthanc (1 failed)")["MB/s"] == "100"


def test_the_widest_table_fits_into_120_columns() -> None:
    names = ("disk floor", "nothing (ceiling)", "node, fresh", "storescp --fork +B")
    out = StringIO()
    for table in store_tables(result_of(*(stored(name, 2345.0) for name in names))):
        Console(file=out, width=120).print(table.for_terminal())
    assert "…" not in out.getvalue()
    assert "storescp --fork +B" in out.getvalue()


def test_markdown_has_a_line_for_each_row_and_nothing_for_separators() -> None:
    table = Table("Title", ("name", "MB/s"), [["a", "1"], None, ["b", "2"]])
    assert table.as_markdown().splitlines() == [
        "**Title**",
        "",
        "| name | MB/s |",
        "| :-- | --: |",
        "| a | 1 |",
        "| b | 2 |",
    ]


@pytest.mark.parametrize(("value", "digits", "words"), [(None, 0, "·"), (1234.5, 0, "1,234"), (0.456, 2, "0.46")])
def test_a_number_is_short(value: float | None, digits: int, words: str) -> None:
    assert number(value, digits) == words


@pytest.mark.parametrize(("value", "words"), [(None, "·"), (0.5, "0.50×"), (12.4, "12×")])
def test_a_ratio_is_short(value: float | None, words: str) -> None:
    assert times(value) == words


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    result = result_of(stored("node, fresh", 800.0), stored("Orthanc", 100.0))
    result.save(tmp_path / "result.json")
    assert tables_of(Result.load(tmp_path / "result.json")) == tables_of(result)
