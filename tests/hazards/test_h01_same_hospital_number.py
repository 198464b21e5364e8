"""Hazard 1: the same hospital number in two trusts; every key is (issuer, id), and the unqualified joins nothing.

Two people, one with RXN and one with RXL, have the same hospital number and studies under the same accession number.
Nowhere do they become one: not in the catalogue of a node that holds both, not for a report, not in the ledger.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dicom_nodes.app import NodeApp
from dicom_nodes.contract import (
    FetchStudy,
    NodeAddress,
    Order,
    OrderBatch,
    OrderCompleted,
    PatientIdentity,
    ReportReceived,
    ReturnReport,
    StudySettled,
)
from dicom_nodes.hl7.mllp import frame
from readacross.demo.patients import Patient
from tests.fakes.mllp_peer import exchange
from tests.integration.router.region import START, Region, received, settled
from tests.peers import dcmtk
from tests.peers.node import MODALITY, facts_of, peer, running_node, target_of, write_trust_file
from tests.peers.processes import wait_until
from tests.synthetic.studies import MadeStudy, next_serial, nhs_number, synthetic_study

NUMBER, ACCESSION = "H0004711", "A0000815"
BIRTH_DATES = {"RXN": date(1950, 2, 3), "RXL": date(1961, 4, 5)}
NHS_NUMBERS = {"RXN": nhs_number(301), "RXL": nhs_number(302)}
NAMES = {"RXN": "Bowland^Ines", "RXL": "Pendle^Tobias"}
UIDS = {"RXN": "1.2.826.1", "RXL": "1.2.826.2"}


# -- at a node -----------------------------------------------------------------------------------------------------
def twin_study(folder: Path, trust: str) -> MadeStudy:
    """A study of the trust's own twin, as modalities send them: nothing in it says whose numbers these are."""
    patient = Patient(NAMES[trust], NUMBER, NHS_NUMBERS[trust], BIRTH_DATES[trust], "F", "ISO_IR 100")
    return synthetic_study(
        folder, "CT", origin=trust, serial=next_serial(), slices=2, patient=patient,
        accession_number=ACCESSION, issuers_stated=False,
    )  # fmt: skip


@dataclass
class TwoNodes:
    """RXN's node and RXL's; RXL's holds its own twin study and has fetched RXN's."""

    rxl: NodeApp
    studies: dict[str, MadeStudy]

    def find(self, level: str, model: str, *keys: str) -> list[dict[str, str]]:
        """Answers of RXL's node to `NUMBER`: the issuer of each, and the keys asked for."""
        asked = [f"QueryRetrieveLevel={level}", f"PatientID={NUMBER}", *keys]
        answer, found = dcmtk.find(target_of(self.rxl, ods_code="RXL"), asked, model=model)
        assert answer.ok, answer.output
        return [{element.keyword: str(element.value) for element in match} for match in found]

    def get(self, folder: Path, *keys: str) -> tuple[dcmtk.Answer, set[str]]:
        """C-GET at PATIENT level; the Study Instance UIDs that came."""
        asked = ["QueryRetrieveLevel=PATIENT", *keys]
        answer = dcmtk.get(target_of(self.rxl, ods_code="RXL"), asked, folder, model="-P")
        return answer, {str(dcmtk.dcmread(file).StudyInstanceUID) for file in folder.iterdir()}


@pytest.fixture
def two_nodes(tmp_path: Path, database_url: str) -> Iterator[TwoNodes]:
    studies = {trust: twin_study(tmp_path / "images", trust) for trust in ("RXN", "RXL")}
    peers = [MODALITY, peer("RXL_NODE", "node", ("echo", "get"))]
    rxl_file = write_trust_file(tmp_path / "RXL", ods_code="RXL", settle_quiet_s=0.2)
    own_database = f'data_dir = "data"\ndatabase_url = "{database_url}"'
    rxl_file.write_text(rxl_file.read_text().replace('data_dir = "data"', own_database))
    with ExitStack() as stack:
        rxn = stack.enter_context(running_node(write_trust_file(tmp_path / "RXN", peers=peers, settle_quiet_s=0.2)))
        rxl = stack.enter_context(running_node(rxl_file))
        for node, trust in ((rxn, "RXN"), (rxl, "RXL")):
            files = [file.path for file in studies[trust].files]
            assert dcmtk.send(files, target_of(node, ods_code=trust)).ok
        fetch(rxn, rxl)
        yield TwoNodes(rxl, studies)


def fetch(source: NodeApp, to: NodeApp) -> None:
    """Have RXN's settled study fetched, as an order of the router would."""

    def settled_there() -> StudySettled | None:
        return next((fact for fact in facts_of(source) if isinstance(fact, StudySettled)), None)

    fact = wait_until(settled_there, "RXN's study has settled")
    assert fact is not None
    body = FetchStudy(
        read_id="read-1",
        study=fact.study,
        revision=fact.revision,
        manifest=fact.manifest,
        source=NodeAddress(ods_code="RXN", ae_title="RXN_NODE", host="127.0.0.1", port=source.dicom_port),
    )
    order = Order(seq=1, order_id="order-1", issued_at=START, body=body)
    to.store.orders.accept(OrderBatch(log_id="log-1", orders=(order,)))
    wait_until(lambda: any(isinstance(fact, OrderCompleted) for fact in facts_of(to)), "the study is fetched")


@pytest.mark.peers("dcmtk")
def test_a_node_that_holds_both_never_takes_them_for_one(two_nodes: TwoNodes, tmp_path: Path) -> None:
    uids = {trust: study.study_instance_uid for trust, study in two_nodes.studies.items()}
    for trust, uid in uids.items():
        kept = two_nodes.rxl.store.catalogue.study(uid)
        assert kept is not None
        assert (kept.origin, kept.header.patient_id_issuer, kept.header.patient_id) == (trust, trust, NUMBER)
        assert (kept.header.accession_issuer, kept.header.accession_number) == (trust, ACCESSION)

    patients = two_nodes.find("PATIENT", "-P", "PatientName=", "NumberOfPatientRelatedStudies=")
    assert {(p["IssuerOfPatientID"], p["PatientName"], p["NumberOfPatientRelatedStudies"]) for p in patients} == {
        (trust, name, "1") for trust, name in NAMES.items()
    }
    studies = two_nodes.find("STUDY", "-S", f"AccessionNumber={ACCESSION}", "StudyInstanceUID=")
    assert {(s["IssuerOfPatientID"], s["StudyInstanceUID"]) for s in studies} == set(uids.items())
    (one,) = two_nodes.find("STUDY", "-S", "IssuerOfPatientID=RXN", "StudyInstanceUID=")
    assert one["StudyInstanceUID"] == uids["RXN"]

    answer, came = two_nodes.get(tmp_path / "bare", f"PatientID={NUMBER}")
    assert came == set(), "a bare number retrieves nobody's images"
    assert not answer.ok or "A900" in answer.output or "DataSetDoesNotMatch" in answer.output, answer.output
    _, came = two_nodes.get(tmp_path / "qualified", f"PatientID={NUMBER}", "IssuerOfPatientID=RXL")
    assert came == {uids["RXL"]}


# -- at the router -------------------------------------------------------------------------------------------------
def twin(trust: str, **changes: Any) -> PatientIdentity:
    known = PatientIdentity(
        issuer=trust, patient_id=NUMBER, nhs_number=NHS_NUMBERS[trust], birth_date=BIRTH_DATES[trust]
    )
    return known.model_copy(update=changes)


@pytest.fixture
def twins(region: Region) -> Region:
    """Both studies are settled and assigned to reader 1, who may read for both trusts."""
    credential = {"trust": "RXL", "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z"}
    path = "/readers/reader-1/credentials"
    assert region.client.post(path, json=credential, headers=region.staff).status_code == 201
    region.change_reader("reader-2", active=False)
    for node, trust in ((region.rxn, "RXN"), (region.rxl, "RXL")):
        node.say(
            settled(UIDS[trust], origin=trust, accession_number=ACCESSION, accession_issuer=trust, patient=twin(trust))
        )
    region.plan()
    assert [read["state"] for read in region.get("/reads")] == ["ASSIGNED", "ASSIGNED"]
    region.bring_images()
    return region


def returned(region: Region) -> dict[str, list[str]]:
    """Texts of the reports each node was ordered to return."""
    logs = {"RXN": region.rxn.orders(after=0).orders, "RXL": region.rxl.orders(after=0).orders}
    return {
        trust: [order.body.text for order in orders if isinstance(order.body, ReturnReport)]
        for trust, orders in logs.items()
    }


NO_PROOF = "no patient identifier agrees"
UNSURE: list[tuple[str, dict[str, Any], str]] = [
    (
        "bare accession and bare number",
        {"accession_number": ACCESSION, "patient": twin("RXN", issuer=None, nhs_number=None)},
        "the accession number has no issuer, so it joins nothing",
    ),
    (
        "bare accession, everything else known",
        {"accession_number": ACCESSION, "patient": twin("RXN")},
        "the accession number has no issuer, so it joins nothing",
    ),
    (
        "bare number beside the Study UID",
        {"uid": UIDS["RXN"], "patient": twin("RXN", issuer=None, nhs_number=None)},
        NO_PROOF,
    ),
    (
        "bare number beside the qualified accession",
        {
            "accession_number": ACCESSION,
            "accession_issuer": "RXN",
            "patient": twin("RXN", issuer=None, nhs_number=None),
        },
        NO_PROOF,
    ),
    ("the twin's issuer", {"uid": UIDS["RXN"], "patient": twin("RXL", nhs_number=None, birth_date=None)}, "patient id"),
    ("the twin altogether", {"uid": UIDS["RXN"], "patient": twin("RXL")}, "the NHS number differs"),
    (
        "the twin's accession",
        {
            "uid": UIDS["RXN"],
            "accession_number": ACCESSION,
            "accession_issuer": "RXL",
            "patient": twin("RXN"),
        },
        "the Study Instance UID is of one study, the accession number of another",
    ),
    ("a patient and no study", {"patient": twin("RXN")}, "names neither a study nor an accession number"),
]


def test_no_unqualified_or_crossed_identity_makes_a_match(twins: Region) -> None:
    for name, said, reason in UNSURE:
        report = received(said.get("uid"), **{k: v for k, v in said.items() if k != "uid"}, text=name)
        twins.rxl.say(report)
        (item,) = [item for item in twins.queue("report_unmatched") if item["report_id"] == report.report_id]
        assert reason in item["reason"], name
        assert twins.get(f"/reports/{report.report_id}")["text"] == name
    assert returned(twins) == {"RXN": [], "RXL": []}
    assert [read["state"] for read in twins.get("/reads")] == ["ASSIGNED", "ASSIGNED"]


def test_each_twins_report_goes_to_its_own_trust(twins: Region) -> None:
    for trust in ("RXL", "RXN"):
        said = {"accession_number": ACCESSION, "accession_issuer": trust}
        twins.rxl.say(received(None, **said, patient=twin(trust, nhs_number=None), text=f"of {trust}"))
    assert returned(twins) == {"RXN": ["of RXN"], "RXL": ["of RXL"]}
    assert twins.queue() == []


def test_the_ledger_lists_both_trusts_apart(twins: Region) -> None:
    traces = twins.get("/ledger", accession_number=ACCESSION)
    assert {(trace["trust"], trace["accession_issuer"], trace["study_instance_uid"]) for trace in traces} == {
        (trust, trust, uid) for trust, uid in UIDS.items()
    }
    reads = {trace["trust"]: {entry["read_id"] for entry in trace["entries"]} - {None} for trace in traces}
    assert len(reads["RXN"]) == len(reads["RXL"]) == 1
    assert reads["RXN"].isdisjoint(reads["RXL"])
    (one,) = twins.get("/ledger", accession_number=ACCESSION, accession_issuer="RXL")
    assert one["study_instance_uid"] == UIDS["RXL"]


# -- from the wire to the router -----------------------------------------------------------------------------------
ORU = (
    "MSH|^~\\&|READER|RXL|READACROSS|RXL|20261102090000+0000||ORU^R01^ORU_R01|{control}|P|2.5.1||||||UNICODE UTF-8\r"
    "PID|1||{ids}||Bowland^Ines||19500203|F\r"
    "ORC|RE||{accession}\r"
    "OBR|1|||CSKUH^CT Head^NICIP|||||||||||||||||||||F|||||||C1000001&Wyre&Rowan\r"
    "{study}"
    "OBX|2|FT|18748-4^Diagnostic imaging report^LN||{control}||||||F\r"
)
BARE_MR, QUALIFIED_MR, NHS = f"{NUMBER}^^^^MR", f"{NUMBER}^^^RXN^MR^RXN", f"{NHS_NUMBERS['RXN']}^^^NHS^NH"
STUDY = f"OBX|1|HD|113014^DICOM Study^DCM||{UIDS['RXN']}||||||F\r"
MESSAGES = {
    "bare": {"ids": BARE_MR, "accession": ACCESSION, "study": ""},
    "bare-with-uid": {"ids": BARE_MR, "accession": ACCESSION, "study": STUDY},
    "bare-with-accession": {"ids": BARE_MR, "accession": f"{ACCESSION}^^^RXN", "study": ""},
    "bare-beside-nhs": {"ids": f"{NHS}~{BARE_MR}", "accession": ACCESSION, "study": ""},
    "qualified": {"ids": QUALIFIED_MR, "accession": f"{ACCESSION}^^^RXN", "study": ""},
}


def test_an_oru_with_an_unqualified_hospital_number_waits_for_a_person(twins: Region, tmp_path: Path) -> None:
    """By MLLP to a real node, which takes it and says so; the router holds all but the qualified one."""
    with running_node(write_trust_file(tmp_path / "RXL", ods_code="RXL")) as node:
        messages = [frame(ORU.format(control=name, **said).encode()) for name, said in MESSAGES.items()]
        answers = exchange(node.hl7_port, *messages, answers=len(messages))
        assert [b"MSA|AA" in answer for answer in answers] == [True] * len(messages)
        reports = [fact for fact in facts_of(node) if isinstance(fact, ReportReceived)]
    assert [(report.text, report.patient.patient_id, report.patient.issuer) for report in reports] == [
        (name, NUMBER, "RXN" if name == "qualified" else None) for name in MESSAGES
    ]
    twins.rxl.say(*reports)
    assert returned(twins) == {"RXN": ["qualified"], "RXL": []}
    reasons = {item["report_id"]: item["reason"] for item in twins.queue("report_unmatched")}
    assert {report.text: NO_PROOF in reasons[report.report_id] for report in reports if report.text != "qualified"} == {
        "bare": False,
        "bare-with-uid": True,
        "bare-with-accession": True,
        "bare-beside-nhs": False,
    }
