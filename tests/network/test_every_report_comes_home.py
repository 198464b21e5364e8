"""Seventeen trusts whose numbers collide, three whose systems fail in turns, a router that is killed again and again.

Every version of every report is filed at its origin exactly once, none anywhere else.

`READACROSS_PROOF_REPORTS=5000` makes it as large as the issue asks; without it, it has the size of a test run.
"""

import os
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dicom_nodes.contract import ReportReceived, StudySettled
from router.app import issue_token
from router.config import load_router_settings
from tests.hazards.test_h02_accession_collision import READING, TRUSTS, identified, settled
from tests.integration.router.region import received
from tests.network.simulated_trusts import SimulatedTrust
from tests.peers.processes import RunningProcess, free_port, wait_until
from tests.synthetic.studies import nhs_number

REPORTS = int(os.environ.get("READACROSS_PROOF_REPORTS", "85"))
REPORTS_A_STUDY = 5
KILLS = 2 if REPORTS < 1000 else 20
FAILING = ("RXN", "REM", "RBT")
SEED = 20261127

_ROUTER = """
[router]
listen = "127.0.0.1:{port}"
database_url = "sqlite:///{folder}/router.sqlite"
plan_every_s = 0.3
claim_timeout_s = 36000.0
list_length = 1000
seeds = {{ network = "network.toml", readers = "readers.toml", routing = "routing.toml" }}
"""
_ROUTING = """
readable_modalities = ["CT"]
priorities = { routine = 672.0 }
exams = [{ code = "CSKUH", subspecialty = "neuro", minutes = 7.0, priority = "routine" }]
"""
_READER = """
[[readers]]
id = "reader-1"
name = "Dr Reader"
registration = "C1000001"
employer = "{node}"
modalities = ["CT"]
subspecialties = ["neuro"]
workstation = {{ node = "{node}", ae_title = "WS_1" }}
sessions = [{{ start = {start}, end = {end}, capacity_reads = 100000 }}]
credentials = [
{credentials}
]
"""


@dataclass
class Network:
    """The router as a process, and seventeen trusts."""

    folder: Path
    port: int
    trusts: dict[str, SimulatedTrust] = field(default_factory=dict)
    admin: str = ""
    router: RunningProcess | None = None

    def __post_init__(self) -> None:
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    def start(self) -> None:
        command = [Path(sys.executable).with_name("readacross"), "router", self.folder / "router.toml"]
        self.router = RunningProcess(command).wait_for_port(self.port)

    def kill_and_start(self) -> None:
        assert self.router is not None
        self.router.kill()
        self.start()

    def step(self) -> bool:
        """Every trust once; whether anything is left anywhere."""
        left = [trust.step(self.client) for trust in self.trusts.values()]
        return any(left)

    def get(self, path: str, **params: Any) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.admin}"}
        answer = self.client.get(path, params=params, headers=headers)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    def all(self, path: str, page: int = 200, **params: Any) -> list[dict[str, Any]]:
        """Every page of a listing that is paged by id."""
        found: list[dict[str, Any]] = []
        while part := self.get(path, limit=page, **params, **({"after": found[-1]["id"]} if found else {})):
            found += part
        return found


@contextmanager
def running(folder: Path) -> Iterator[Network]:
    network = Network(folder, free_port())
    now = datetime.now(UTC)
    nodes = "\n".join(
        f'  {{ ods_code = "{trust}", ae_title = "{trust}_NODE", host = "127.0.0.1", port = {20000 + number} }},'
        for number, trust in enumerate(TRUSTS)
    )
    names = "\n".join(f'  {{ ods_code = "{trust}", name = "Trust {trust}" }},' for trust in TRUSTS)
    start, end = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (now - timedelta(hours=1), now + timedelta(days=2)))
    credentials = "\n".join(
        f'  {{ trust = "{trust}", valid_from = {start}, valid_until = {end} }},' for trust in TRUSTS
    )
    (folder / "network.toml").write_text(f"trusts = [\n{names}\n]\nnodes = [\n{nodes}\n]\n")
    (folder / "readers.toml").write_text(_READER.format(node=READING, start=start, end=end, credentials=credentials))
    (folder / "routing.toml").write_text(_ROUTING)
    (folder / "router.toml").write_text(_ROUTER.format(port=network.port, folder=folder))
    settings = load_router_settings(folder / "router.toml")
    network.admin = issue_token(settings, "admin", "test")
    network.trusts = {trust: SimulatedTrust(trust, issue_token(settings, "node", trust)) for trust in TRUSTS}
    network.start()
    try:
        yield network
    finally:
        network.client.close()
        if network.router is not None:
            network.router.kill()


def everybodys_studies() -> list[StudySettled]:
    """Hospital and accession numbers are the same in every trust."""
    each = max(1, REPORTS // (REPORTS_A_STUDY * len(TRUSTS)))
    made = []
    for place, trust in enumerate(TRUSTS):
        for number in range(each):
            patient = {"issuer": trust, "patient_id": f"H{number:05}", "nhs_number": nhs_number(each * place + number)}
            template = settled().study.patient.model_copy(update=patient)
            made.append(
                settled(
                    f"1.2.826.{1 + place}.{number}",
                    origin=trust,
                    accession_number=f"A{number:05}",
                    accession_issuer=trust,
                    patient=template,
                    study_time=datetime.now(UTC) - timedelta(hours=1),
                )
            )
    return made


def a_days_post(studies: Sequence[StudySettled], chance: random.Random, at: datetime) -> list[ReportReceived]:
    """Of each study a preliminary, a final report twice and a correction twice, all shuffled."""
    post = []
    for study in studies:
        said = identified(study)
        uid, name = said.pop("uid"), f"{study.study.origin} {study.study.accession_number}"
        for status, text in (("P", "perhaps"), ("F", "this"), ("C", "rather that")):
            report = received(uid, status, text=f"{name}: {text}", authored_at=at, **said)
            post.append(report)
            if status == "F":  # sent again as another message
                post.append(received(uid, status, text=report.text, authored_at=at, **said))
            if status == "C":  # the very same fact again
                post.append(report)
    chance.shuffle(post)
    return post


def settle(network: Network, done: Any, what: str) -> None:
    def went_round() -> bool:
        network.step()
        return bool(done())

    wait_until(went_round, what, deadline_s=60 + REPORTS / 20)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    with running(tmp_path) as made:
        yield made


def test_every_version_is_filed_at_its_origin_exactly_once_and_none_elsewhere(network: Network) -> None:
    chance = random.Random(SEED)
    studies = everybodys_studies()
    for study in studies:
        network.trusts[study.study.origin].say([study])

    def delivered() -> bool:
        return not network.step() and all(read["images_delivered_at"] for read in network.all("/reads"))

    settle(network, delivered, "every study's images are with the reader")
    post = a_days_post(studies, chance, datetime.now(UTC))
    size = max(1, len(post) // (KILLS + 2))
    for number, start in enumerate(range(0, len(post), size)):
        failing = FAILING[number % len(FAILING)]
        for trust in network.trusts.values():
            trust.systems.down = trust.ods_code == failing
        network.trusts[READING].say(post[start : start + size])
        network.step()
        if number < KILLS:
            network.kill_and_start()
        network.step()
    for trust in network.trusts.values():
        trust.systems.down = False
    settle(network, lambda: not network.step(), "all is handed over and carried out")
    _send_again_what_came_too_soon(network, post)
    settle(network, lambda: not network.step(), "all is handed over and carried out again")

    reports = {report["id"]: report for report in network.all("/reports")}
    origins = {study.study.study_instance_uid: study.study.origin for study in studies}
    accepted = {key: one for key, one in reports.items() if one["disposition"] == "ACCEPTED" and one["deliveries"]}
    owed = Counter(
        (delivery["channel"], key)
        for key, one in accepted.items()
        for delivery in one["deliveries"]
        if delivery["state"] != "DROPPED"
    )
    came = Counter({key: count for trust in network.trusts.values() for key, count in trust.systems.taken.items()})
    assert came == owed, "each exactly once, and nothing else"
    for trust in network.trusts.values():
        assert {origins[uid] for _, uid in trust.systems.shown} <= {trust.ods_code}
        assert trust.systems.backwards == []
    for study in studies:
        origin, uid = study.study.origin, study.study.study_instance_uid
        for channel in ("ris", "archive"):
            shown = network.trusts[origin].systems.shown[channel, uid]
            assert (shown.status, shown.text) == ("C", f"{origin} {study.study.accession_number}: rather that")
    assert Counter(read["state"] for read in network.all("/reads")) == {"CLOSED": len(studies)}
    statuses = Counter((report["status"], report["disposition"]) for report in reports.values())
    assert statuses["F", "ACCEPTED"] == statuses["C", "ACCEPTED"] == len(studies)
    assert statuses["F", "DROPPED"] == len(studies)


def _send_again_what_came_too_soon(network: Network, post: Sequence[ReportReceived]) -> None:
    """A correction that overtook its final report waits for a person, who asks its author to send it again."""
    waiting = {report["id"] for report in network.all("/reports", disposition="WAITING")}
    by_id = {report.report_id: report for report in post}
    assert {by_id[key].status for key in waiting} <= {"C", "P"}
    again = [by_id[key] for key in sorted(waiting) if by_id[key].status == "C"]
    renamed = (report.model_copy(update={"report_id": f"again-{report.report_id[:40]}"}) for report in again)
    network.trusts[READING].say(renamed)
