"""What the command says about a wrong file, and that it says so without a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.readacross.region_files import write_region


def readacross(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from readacross.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", ["node", "router", "parked"])
def test_wrong_file_is_told_by_file_key_and_expectation(tmp_path: Path, command: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text("[router]\nurl = 17\n", encoding="utf-8")
    done = readacross(command, file)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert lines
    assert all(line.startswith(f"{file}: ") for line in lines)
    assert any("is missing and has no default" in line for line in lines)


def test_missing_token_file_is_told(tmp_path: Path) -> None:
    trust_file = write_region(tmp_path)[0]
    (tmp_path / "RXN.token").unlink()
    done = readacross("node", trust_file)
    assert (done.returncode, done.stderr) == (
        2,
        f"{trust_file}: router.token_file: no such file: {tmp_path / 'RXN.token'}\n",
    )


def test_node_that_finds_its_data_directory_taken_says_so(tmp_path: Path) -> None:
    import fcntl

    trust_file = write_region(tmp_path)[0]
    (tmp_path / "data-RXN").mkdir()
    with (tmp_path / "data-RXN" / "node.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = readacross("node", trust_file)
    assert done.returncode == 1
    assert "node.data_dir: another node runs on data directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_parked_lists_jobs_and_queues_one_again(tmp_path: Path) -> None:
    from dicom_nodes.config import load_node_settings
    from dicom_nodes.foundation.jobs import JobState
    from dicom_nodes.wiring import open_node_store

    trust_file = write_region(tmp_path)[0]
    assert "no node has run with this file yet" in readacross("parked", trust_file).stderr
    (tmp_path / "data-RXN").mkdir()
    assert readacross("parked", trust_file).stdout == "Nothing is parked.\n"
    store = open_node_store(load_node_settings(trust_file))
    try:
        with store.database.write() as connection:
            store.jobs.enqueue(connection, kind="archive", key="1.2.3", destination="archive")
        job = store.jobs.lease(["archive"], lease_s=60)
        assert job is not None
        with store.database.write() as connection:
            store.jobs.park(connection, job, reason="the PACS is off")
        store.orders.record_refused("1.2.3", "ris", "AE", "first words")
        store.orders.record_refused("1.2.3", "ris", "AE", "who is [Li]?")
        listed = readacross("parked", trust_file).stdout
        assert "archive" in listed
        assert "the PACS is off" in listed
        assert "ris AE: who is [Li]?" in listed
        assert "first words" not in listed
        assert readacross("parked", trust_file, "--resend", "archive", "9.9.9").returncode == 1
        assert readacross("parked", trust_file, "--resend", "archive", "1.2.3").returncode == 0
        assert [job.state for job in store.jobs.listing(list(JobState))] == [JobState.QUEUED]
    finally:
        store.database.dispose()


def test_a_node_carries_nothing_of_what_plans(tmp_path: Path) -> None:
    """Its memory is for images, and it is to be back within seconds of a crash."""
    program = (
        "import sys\n"
        "from readacross.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print(sorted({'numpy', 'ortools', 'scipy', 'cel_expr_python', 'fastapi', 'router'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", program, "node", str(tmp_path / "none.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "[]\n"), done.stderr
