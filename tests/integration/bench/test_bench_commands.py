"""`readacross bench` with tiny numbers against real peers: structure and verified content, never how fast."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from readacross.bench.contestants import Surroundings
from readacross.bench.dcmtk_contestants import Storescp
from readacross.bench.fast_sender import FastSender, Task
from readacross.bench.process_cost import PeakMemory, cpu_time
from readacross.bench.receiver import Receiver
from readacross.bench.results import Result
from readacross.bench.store_bench import StoreBench, StorePlan
from readacross.cli import command_line


def bench(folder: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """Run a subcommand with --quick; (what it wrote as JSON, what it printed)."""
    file = folder / "result.json"
    command = ["bench", *arguments, "--quick", "--folder", str(folder / "work"), "--json", str(file)]
    done = CliRunner().invoke(command_line(), command, catch_exceptions=False)
    result = json.loads(file.read_text())
    assert done.exit_code == 0, [run for run in result["runs"] if not run["ok"]]
    assert list((folder / "work").iterdir()) == [], "nothing is left behind"
    return result, done.stdout


@pytest.mark.peers("dcmtk")
def test_store_measures_every_contestant_from_every_sender(tmp_path: Path) -> None:
    about = ["--kinds", "tiny", "--associations", "2", "--contestants", "node-steady,storescp"]
    result, printed = bench(tmp_path, "store", *about)
    assert {(run["sender"], run["contestant"]) for run in result["runs"]} == {
        *((sender, "node, steady") for sender in ("fast", "window", "storescu", "dcmsend")),
        *((sender, "storescp --fork +B") for sender in ("fast", "storescu", "dcmsend")),
        ("fast", "disk floor"),
        ("fast", "nothing (ceiling)"),
    }
    assert all(run["mb_s"] > 0 and run["p50_ms"] >= 0 for run in result["runs"])
    assert all(run["peak_rss_mib"] > 0 for run in result["runs"] if run["contestant"] == "node, steady")
    assert "C-STORE of 16 KB from DCMTK's dcmsend" in printed


@pytest.mark.peers("orthanc", "dcmtk")
def test_store_measures_other_peoples_servers(tmp_path: Path) -> None:
    names = "orthanc,pynetdicom,pynetdicom-chunked,dcmqrscp"
    result, _ = bench(
        tmp_path, "store", "--kinds", "tiny", "--associations", "1", "--senders", "fast", "--contestants", names
    )
    measured = [run for run in result["runs"] if run["contestant"] in result["versions"]]
    assert [run["contestant"] for run in measured] == ["Orthanc", "pynetdicom", "pynetdicom, chunked", "dcmqrscp"]
    assert all(sum(count for _, count in run["histogram"]) == 6 for run in measured)


@pytest.mark.peers("orthanc", "dcmtk")
def test_retrieve_measures_every_way_out_of_an_archive(tmp_path: Path) -> None:
    result, printed = bench(tmp_path, "retrieve", "--kind", "tiny", "--contestants", "node,orthanc")
    assert {(run["contestant"], run["way"]) for run in result["runs"]} == {
        (contestant, way)
        for contestant in ("node, fresh", "Orthanc")
        for way in ("C-GET", "C-MOVE, fast", "C-MOVE, storescp")
    }
    assert all(run["first_ms"] > 0 for run in result["runs"] if run["way"] != "C-MOVE, storescp")
    assert "A study out of the archive" in printed


def test_associations_measures_one_alone_and_a_crowd(tmp_path: Path) -> None:
    result, _ = bench(tmp_path, "associations", "--kind", "tiny")
    assert [(run["crowd"], run["associations"], run["refused"]) for run in result["runs"]] == [
        ("one alone", 1, 0),
        ("crowd", 13, 0),
        ("crowd at full speed", 13, 0),
    ]


def test_disk_measures_and_report_prints_its_tables_as_markdown(tmp_path: Path) -> None:
    result, _ = bench(tmp_path, "disk", "--kinds", "tiny", "--associations", "1,2")
    assert [run["contestant"] for run in result["runs"]] == ["disk floor", "disk floor"]
    printed = (
        CliRunner()
        .invoke(command_line(), ["bench", "report", str(tmp_path / "result.json")], catch_exceptions=False)
        .stdout
    )
    assert "| n | contestant | MB/s |" in printed
    assert printed.count("| disk floor |") == 2


@pytest.mark.peers("dcmtk")
def test_a_contestant_that_keeps_nothing_of_what_it_acknowledged_has_no_figure(tmp_path: Path) -> None:
    result = Result("store", "", "2026-01-01", {})
    plan = StorePlan(["tiny"], [1], ["fast", "storescu"], 1, {"tiny": 3}, with_floor=False)
    forgetful = Storescp(("--ignore",))
    StoreBench(plan, [forgetful], tmp_path, result, lambda _words: None).run()
    failures = [run["failure"] for run in result.runs if run["contestant"] == forgetful.name]
    assert failures == ["0 of 3 instances stored"] * 2
    assert len(result.failures) == 2


@pytest.mark.parametrize("window", [1, 4])
def test_the_fast_sender_delivers_every_byte_and_sends_ahead_as_granted(window: int) -> None:
    receiver = Receiver()
    try:
        receiver.reset(digests=True)
        task = Task("127.0.0.1", receiver.port, "ANY", "BENCH", "mr", "seed", 2, 10, window, idle=3)
        sent = FastSender(task).wait_until_ready().send()
        received = receiver.report()
    finally:
        receiver.stop()
    expected = {item.sop_instance_uid: item.digest for study in task.studies for item in study.instances()}
    assert (sent.statuses, sent.failures, sent.window) == ({"0000": 10}, [], window)
    assert len(sent.latencies_s) == 10
    assert received.digests == expected
    assert received.size_bytes == sum(study.size_bytes for study in task.studies)


@pytest.mark.peers("dcmtk")
def test_the_cost_of_processes_that_ended_counts(tmp_path: Path) -> None:
    server = Storescp()
    server.start(Surroundings(tmp_path))
    try:
        before = cpu_time(server.session)
        task = Task("127.0.0.1", server.port, server.ae_title, "BENCH", "cr", "seed", 1, 8)
        with PeakMemory(server.session) as memory:
            sent = FastSender(task).wait_until_ready().send()
        used = cpu_time(server.session) - before
    finally:
        server.stop()
    assert sent.statuses == {"0000": 8}
    assert used.total_s > 0, "eighty megabytes were written by a child of the server"
    assert memory.resident_bytes > 1 << 20


def test_neighbours_store_beside_each_kind_of_harm(tmp_path: Path) -> None:
    result, printed = bench(tmp_path, "neighbours", "--kind", "tiny", "--callers", "malformed,dripping,clinging")
    assert [run["harm"] for run in result["runs"]] == [
        "nobody",
        "malformed",
        "nobody",
        "dripping",
        "nobody",
        "clinging",
    ]
    assert "beside callers that mean harm" in printed


def test_region_measures_a_router_that_plans_for_simulated_readers(tmp_path: Path) -> None:
    result, printed = bench(tmp_path, "region")
    (run,) = result["runs"]
    assert run["arrivals"] > 0
    assert run["taken_s"] > 0
    assert sum(one["at_event"]["count"] for one in run["rounds"] if "at_event" in one) > 0
    assert "arrivals taken/s" in printed
