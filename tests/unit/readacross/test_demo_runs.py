"""`readacross demo` as a user starts it: once round and checked, stopped by a signal, and with a child that dies."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.peers.processes import RunningProcess, wait_until


def demo(folder: Path, *options: str) -> RunningProcess:
    code = "from readacross.cli import main; main()"
    arguments = [sys.executable, "-c", code, "demo", "--folder", folder, *options]
    return RunningProcess(arguments, environment={"COLUMNS": "200"})


def processes_of(folder: Path) -> dict[int, str]:
    """Process id → command line of every process that names the folder's files."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if f"{folder}/" in line:
                found[int(entry.name)] = line
    return found


def test_demo_once_takes_every_study_round_and_says_so(tmp_path: Path) -> None:
    with demo(tmp_path / "demo", "--once") as process:
        code = process.wait(240)
    assert code == 0, process.output
    assert "All 5 studies went the whole way round." in process.output
    assert len(re.findall(r"✓ RXN0000000\d", process.output)) == 5
    assert len(re.findall(r"\d\d  +read\.closed ", process.output)) == 5
    assert processes_of(tmp_path / "demo") == {}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_demo_runs_until_a_signal_and_leaves_no_process(tmp_path: Path, how: signal.Signals) -> None:
    with demo(tmp_path / "demo") as process:
        process.wait_for_line(r"API: http://127\.0\.0\.1:\d+/docs", 60)
        assert len(processes_of(tmp_path / "demo")) == 3
        assert process.stop(how, deadline_s=60) == 0, process.output
    assert processes_of(tmp_path / "demo") == {}


def test_demo_reports_a_child_that_dies_with_its_last_words(tmp_path: Path) -> None:
    with demo(tmp_path / "demo") as process:
        process.wait_for_line(r"API: http", 60)
        (node,) = [pid for pid, line in processes_of(tmp_path / "demo").items() if line.strip().endswith("RXL.toml")]
        os.kill(node, signal.SIGKILL)
        assert process.wait(60) == 1
    assert "node RXL ended by itself with exit code -9" in process.output
    assert "node.started" in process.output
    wait_until(lambda: not processes_of(tmp_path / "demo"), "no process is left")


def test_demo_does_not_empty_a_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("keep", encoding="utf-8")
    with demo(tmp_path) as process:
        assert process.wait(60) == 1
    assert "holds something else" in process.output
    assert (tmp_path / "precious.txt").read_text(encoding="utf-8") == "keep"
