"""`readacross why` and `GET /reads/{id}/why` over HTTP, as a person reads them; also of reads that moved."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from typer.testing import CliRunner

from readacross.cli import command_line
from tests.integration.router.region import Region, issue, settled
from tests.integration.router.rule_region import HOLDING, Administrators


@contextmanager
def over_http(region: Region) -> Iterator[str]:
    """The region's own application on a port, beside the test's client; its planner stays in the test's hand."""
    config = uvicorn.Config(region.client.app, lifespan="off", log_config=None)
    server, bound = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def why(region: Region, tmp_path: Path, study: str, status: int = 0) -> str:
    (tmp_path / "token").write_text(issue(region.client, "admin", "asks"))
    with over_http(region) as url:
        asked = ["why", study, "--router", url, "--token-file", str(tmp_path / "token")]
        told = CliRunner().invoke(command_line(), asked, env={"COLUMNS": "200"})
    assert told.exit_code == status, told.output
    return told.output


def moved(region: Region) -> dict[str, Any]:
    """Three reads on the list of reader-1; then a specialist begins work, and is given one of them at least."""
    region.change_reader("reader-2", active=False)
    for number in range(3):
        region.rxn.say(settled(f"1.2.{number}"))
        region.clock.pass_s(1)
    region.plan()
    assert len(region.get("/reads", reader="reader-1")) == 3
    region.change_reader("reader-2", active=True, levels={"neuro": "specialist"})
    region.clock.pass_s(60)
    region.plan()
    (read, *_) = region.get("/reads", reader="reader-2")
    assert isinstance(read, dict)
    return read


def test_a_read_that_moved_is_told_from_one_list_to_the_next(region: Region, tmp_path: Path) -> None:
    read = moved(region)
    told = why(region, tmp_path, f"A-{read['study_instance_uid']}")
    lines = [line.strip() for line in told.splitlines() if line]
    assert lines[0].endswith("of RXN is ASSIGNED.")
    assert "Mon 2 Nov 2026 09:00 GMT: given to reader-1." in lines
    assert "Could not: reader-2: the reader is not active." in lines
    assert "Mon 2 Nov 2026 09:01 GMT: given to reader-2." in lines
    assert "Eligible, but passed over: reader-1: had it on the list until then." in lines
    why_moved = (
        "reader-2 is the only reader it could move to; taken off reader-1's list: it would have waited up to 14 min "
        "longer there (14 min of other reads on that list, 0 on this), and reader-2 is specialist and reader-1 general "
        "in neuro."
    )
    assert f"Then it was moved to another list: {why_moved}" in lines
    assert f"1 reader could take it then. Chosen was reader-2: {why_moved}" in lines
    assert "read.moved" in region.events(read["study_instance_uid"])
    api = region.get(f"/reads/{read['id']}/why")["assignments"]
    assert [(a["reader_id"], a["outcome"]) for a in api] == [("reader-1", "move"), ("reader-2", None)]
    assert all(sentence in lines for given in api for sentence in given["sentences"])


def test_a_read_is_no_last_resort_of_whom_the_planner_took_it_from(sqlite_region: Region, tmp_path: Path) -> None:
    read = moved(sqlite_region)
    body = {"reason": "I know the patient"}
    path = f"/reads/{read['id']}/decline"
    sqlite_region.client.post(path, json=body, headers=sqlite_region.reader(2)).raise_for_status()
    sqlite_region.plan()
    told = why(sqlite_region, tmp_path, f"A-{read['study_instance_uid']}")
    assert "Then reader-2 declined it: I know the patient." in told
    assert "had it before" not in told
    assert told.count("given to reader-1.") == 2


def test_a_read_that_waits_says_who_could_not_and_why(sqlite_region: Region, tmp_path: Path) -> None:
    sqlite_region.know_msk()
    sqlite_region.change_reader("reader-1", subspecialties=["msk"], levels={})
    sqlite_region.change_reader("reader-2", active=False)
    sqlite_region.rxn.say(settled())
    sqlite_region.plan()
    told = why(sqlite_region, tmp_path, "A-1.2.3.4").splitlines()
    assert told[0].endswith("of RXN is READY.")
    assert told[1:] == [
        "Nobody has it yet. It is due Tue 3 Nov 2026 08:00 GMT.",
        "As of Mon 2 Nov 2026 09:00 GMT: nobody is eligible; the read waits.",
        "Could not: reader-1: subspecialty neuro is outside the reader's scope.",
        "Could not: reader-2: the reader is not active.",
    ]


def test_who_reads_better_is_told_with_the_next_best(sqlite_region: Region, tmp_path: Path) -> None:
    sqlite_region.change_reader("reader-2", levels={"neuro": "specialist"})
    sqlite_region.rxn.say(settled())
    sqlite_region.plan()
    told = why(sqlite_region, tmp_path, "1.2.3.4")
    assert "2 readers could take it then. Chosen was reader-2: reader-2 reads this kind of exam better" in told
    assert "Next best was reader-1, with 0 reads to do before it against 0, and a score of" in told


def test_an_unknown_accession_is_said_to_be_unknown(sqlite_region: Region, tmp_path: Path) -> None:
    told = why(sqlite_region, tmp_path, "A-nobody", 1)
    assert told == "The router knows no read of a study with this accession number or Study Instance UID.\n"


def test_an_unmapped_read_says_that_a_person_is_asked_and_what(sqlite_region: Region, tmp_path: Path) -> None:
    sqlite_region.rxn.say(settled(modalities=("MR",), exam_code=None))
    told = why(sqlite_region, tmp_path, "A-1.2.3.4").splitlines()
    assert told[0].endswith("of RXN is RECEIVED.")
    (item,) = sqlite_region.queue("unmapped_exam")
    assert told[1:] == [
        "It is given to nobody yet: which exam it is, is not settled.",
        f"A person is asked about it since Mon 2 Nov 2026 09:00 GMT (unmapped_exam): {item['reason']}.",
    ]


def test_why_names_the_rule_set_and_leaves_the_end_of_a_question_alone(sqlite_region: Region, tmp_path: Path) -> None:
    version = Administrators(sqlite_region).active(HOLDING)
    sqlite_region.rxn.say(settled(description="RESEARCH head"))
    sqlite_region.plan()
    told = why(sqlite_region, tmp_path, "A-1.2.3.4").splitlines()
    assert told[1] == f"Routed by rule set {version}: what matched was 'research'."
    assert "Could not: reader-1, reader-2: held by rule 'research': does the trial want a report?" in told


def test_the_rule_is_told_in_full_once_a_read(sqlite_region: Region, tmp_path: Path) -> None:
    told = why(sqlite_region, tmp_path, f"A-{moved(sqlite_region)['study_instance_uid']}")
    assert (told.count("acute first; then what is most worth"), told.count(": as above.")) == (1, 1)
