"""Hazard 2: accession collision; a report is matched on issuer, Study UID, NHS number and birth date together.

Seventeen trusts use the same accession numbers and the same hospital numbers. Reports of all their studies come in
random order among others whose identifiers belong to different studies: each right one goes to its own origin and
nowhere else, each wrong one to a person.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from dicom_nodes.contract import Order, PatientIdentity, ReportReceived, ReturnReport, StudySettled
from router.app import create_app
from router.config import load_router_settings
from tests.integration.router.region import NodeSide, Region, TestClock, issue, received, settled
from tests.synthetic.studies import nhs_number

LANCASHIRE_AND_SOUTH_CUMBRIA = ("RXL", "RXR", "RXN", "RTX")
CHESHIRE_AND_MERSEYSIDE = (
    "RBS", "RJR", "RJN", "RBQ", "REM", "REP", "RBT", "RBN", "RVY", "REN", "RET", "RWW", "RBL",
)  # fmt: skip
TRUSTS = LANCASHIRE_AND_SOUTH_CUMBRIA + CHESHIRE_AND_MERSEYSIDE
READING = "RXR"
STUDIES_EACH = 2
WRONG_EACH = 4
SEED = 20261102

_ROUTER = """
[router]
listen = "127.0.0.1:0"
database_url = "{url}"
plan_every_s = 3600.0
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
sessions = [{{ start = 2026-11-02T08:00:00Z, end = 2026-11-02T18:00:00Z, capacity_reads = 1000 }}]
credentials = [
{credentials}
]
"""
_CREDENTIAL = '  {{ trust = "{trust}", valid_from = 2026-01-01T00:00:00Z, valid_until = 2027-01-01T00:00:00Z }},'


@dataclass
class Network:
    """A router with the nodes of all trusts."""

    region: Region
    nodes: dict[str, NodeSide]

    def returned(self, trust: str) -> list[Order]:
        """Reports that this trust's node was ordered to return, from its whole order log."""
        orders: list[Order] = []
        while batch := self.nodes[trust].orders(after=orders[-1].seq if orders else 0).orders:
            orders += batch
        return [order for order in orders if isinstance(order.body, ReturnReport)]

    def bring_images(self) -> None:
        """The reader's node fetches and delivers all that it is ordered to."""
        node = self.nodes[READING]
        while orders := node.new_orders():
            for order in orders:
                node.complete(order)


@pytest.fixture
def network(tmp_path: Path, database_url: str) -> Iterator[Network]:
    with running_network(tmp_path / "region", database_url) as running:
        yield running


@pytest.fixture
def sqlite_network(tmp_path: Path) -> Iterator[Network]:
    with running_network(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        yield running


@contextmanager
def running_network(folder: Path, database_url: str) -> Iterator[Network]:
    folder.mkdir()
    nodes = "\n".join(
        f'  {{ ods_code = "{trust}", ae_title = "{trust}_NODE", host = "127.0.0.1", port = {20000 + number} }},'
        for number, trust in enumerate(TRUSTS)
    )
    trusts = "\n".join(f'  {{ ods_code = "{trust}", name = "Trust {trust}" }},' for trust in TRUSTS)
    credentials = "\n".join(_CREDENTIAL.format(trust=trust) for trust in TRUSTS)
    (folder / "network.toml").write_text(f"trusts = [\n{trusts}\n]\nnodes = [\n{nodes}\n]\n")
    (folder / "readers.toml").write_text(_READER.format(node=READING, credentials=credentials))
    (folder / "routing.toml").write_text(_ROUTING)
    (folder / "router.toml").write_text(_ROUTER.format(url=database_url))
    settings, clock = load_router_settings(folder / "router.toml"), TestClock()
    with TestClient(create_app(settings, clock, plan_in_background=False)) as client:
        sides = {trust: NodeSide(client, issue(client, "node", trust), clock) for trust in TRUSTS}
        yield Network(Region(settings, clock, client, sides["RXN"], sides["RXL"]), sides)


def everybodys_studies() -> list[StudySettled]:
    """Each trust's studies: numbers collide across trusts, people and UIDs do not; some birth dates coincide."""
    return [
        settled(
            f"1.2.826.{1 + TRUSTS.index(trust)}.{number}",
            origin=trust,
            accession_number=f"A000{number}",
            accession_issuer=trust,
            patient=PatientIdentity(
                issuer=trust,
                patient_id=f"H000{number}",
                nhs_number=nhs_number(STUDIES_EACH * TRUSTS.index(trust) + number),
                birth_date=date(1950, 2, 3) + timedelta(days=(TRUSTS.index(trust) // 2) * 400 + number),
            ),
        )
        for trust in TRUSTS
        for number in range(STUDIES_EACH)
    ]


def identified(study: StudySettled, *, by: Sequence[str] = ("uid", "accession"), **of_patient: Any) -> dict[str, Any]:
    """What a report of `study` says it is of; `of_patient` replaces parts of the patient's identity."""
    identity = study.study
    return {
        "uid": identity.study_instance_uid if "uid" in by else None,
        "accession_number": identity.accession_number if "accession" in by else None,
        "accession_issuer": identity.accession_issuer if "accession" in by else None,
        "patient": identity.patient.model_copy(update=of_patient),
    }


RIGHT_WAYS: list[dict[str, Any]] = [
    {},
    {"by": ["uid"]},
    {"by": ["accession"]},
    {"by": ["accession"], "nhs_number": None},
    {"by": ["accession"], "patient_id": None, "issuer": None},
    {"by": ["uid"], "issuer": None, "birth_date": None},
]
"""Ways to identify a study that are sure enough, taken in turn."""


def right_report(number: int, study: StudySettled) -> ReportReceived:
    said = identified(study, **RIGHT_WAYS[number % len(RIGHT_WAYS)])
    text = f"Report {number} of {study.study.origin}: {study.study.accession_number}."
    return received(said.pop("uid"), **said, text=text)


def wrong_reports(study: StudySettled, other: StudySettled) -> Iterator[ReportReceived]:
    """Reports that say in part `study` and in part `other`, of another trust and with the same numbers."""
    mine, theirs = study.study, other.study
    assert (mine.accession_number, mine.patient.patient_id) == (theirs.accession_number, theirs.patient.patient_id)
    day_off = (mine.patient.birth_date or date.min) + timedelta(days=1)
    mixtures: list[dict[str, Any]] = [
        identified(study, by=["accession"], nhs_number=theirs.patient.nhs_number),
        identified(study, nhs_number=theirs.patient.nhs_number),
        identified(study, birth_date=day_off),
        identified(study, by=["accession"], birth_date=day_off),
        identified(study, issuer=theirs.origin),
        identified(study) | {"uid": theirs.study_instance_uid},
        identified(study) | {"accession_issuer": theirs.origin},
        identified(study, by=["accession"]) | {"accession_issuer": None},
        identified(study, by=["accession"]) | {"patient": theirs.patient},
        identified(study, by=["uid"]) | {"patient": theirs.patient},
        identified(study, by=["uid"], issuer=None, nhs_number=None),
        identified(study, by=[]),
        identified(study, by=["uid"]) | {"uid": f"{mine.study_instance_uid}.9"},
    ]
    for said in mixtures:
        yield received(said.pop("uid"), **said, text="Meant for nobody knows whom.")


@dataclass
class Post:
    """All reports of a day and what should become of each."""

    right: dict[str, str] = field(default_factory=dict)
    """Report id → Study Instance UID."""
    wrong: set[str] = field(default_factory=set)
    all: list[ReportReceived] = field(default_factory=list)


def a_days_post(studies: Sequence[StudySettled], chance: random.Random) -> Post:
    post = Post()
    for number, study in enumerate(studies):
        report = right_report(number, study)
        post.right[report.report_id] = study.study.study_instance_uid
        namesakes = [s for s in studies if s is not study and s.study.accession_number == study.study.accession_number]
        every = list(wrong_reports(study, chance.choice(namesakes)))
        mixed = [every[(WRONG_EACH * number + step) % len(every)] for step in range(WRONG_EACH)]
        post.wrong |= {other.report_id for other in mixed}
        post.all += [report, *mixed]
    chance.shuffle(post.all)
    return post


def test_no_report_goes_astray(network: Network) -> None:
    chance, region = random.Random(SEED), network.region
    studies = everybodys_studies()
    for study in studies:
        network.nodes[study.study.origin].say(study)
    region.plan()
    assert Counter(read["state"] for read in region.get("/reads")) == {"ASSIGNED": len(studies)}

    network.bring_images()
    post = a_days_post(studies, chance)
    for at in range(0, len(post.all), 25):
        network.nodes[READING].say(*post.all[at : at + 25])

    by_uid = {study.study.study_instance_uid: study.study for study in studies}
    texts = {report.report_id: report.text for report in post.all}
    came_home: dict[str, str] = {}
    for trust in TRUSTS:
        for order in network.returned(trust):
            body = order.body
            assert isinstance(body, ReturnReport)
            assert body.study == by_uid[body.study.study_instance_uid], "under the origin's own identifiers"
            assert body.study.origin == trust, "only in the origin's order log"
            assert body.text == texts[body.report_id]
            came_home[body.report_id] = body.study.study_instance_uid
    assert came_home == post.right
    waiting = region.queue()
    assert Counter(item["report_id"] for item in waiting) == Counter(post.wrong)
    assert {item["kind"] for item in waiting} == {"report_unmatched"}
    assert all(item["reason"] for item in waiting)
    assert Counter(read["state"] for read in region.get("/reads")) == {"VERIFIED": len(studies)}


def test_an_accession_number_names_as_many_studies_as_trusts_that_use_it(sqlite_network: Network) -> None:
    network = sqlite_network
    for study in everybodys_studies():
        network.nodes[study.study.origin].say(study)
    traces = network.region.get("/ledger", accession_number="A0001")
    assert sorted(trace["trust"] for trace in traces) == sorted(TRUSTS)
    (one,) = network.region.get("/ledger", accession_number="A0001", accession_issuer="RET")
    assert (one["trust"], one["study_instance_uid"]) == ("RET", f"1.2.826.{1 + TRUSTS.index('RET')}.1")


def test_two_studies_under_one_accession_number_are_never_chosen_between(sqlite_network: Network) -> None:
    """One trust's own duplicate: the report names no study, so both agree, and a person must choose."""
    network = sqlite_network
    (first, *_) = everybodys_studies()
    origin = network.nodes[first.study.origin]
    second = first.model_copy(update={"study": first.study.model_copy(update={"study_instance_uid": "1.2.826.99"})})
    origin.say(first, second)
    network.region.plan()
    network.bring_images()
    reading = network.nodes[READING]
    said = identified(first, by=["accession"])
    reading.say(received(said.pop("uid"), **said))
    (item,) = network.region.queue("report_ambiguous")
    assert item["reason"] == "2 studies agree with everything the report gives"
    assert network.returned(first.study.origin) == []
    reading.say(received("1.2.826.99", patient=first.study.patient))
    assert [order.body.study.study_instance_uid for order in network.returned(first.study.origin)] == ["1.2.826.99"]
