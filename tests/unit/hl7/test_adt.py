"""ADT: who a patient is now, and which number ended; never a guess, never across issuers."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from dicom_nodes.contract import PatientChanged, PatientIdentity
from dicom_nodes.flows.keep_refused import KeepRefused
from dicom_nodes.hl7.ack import read_ack
from dicom_nodes.hl7.adt import read_changes
from dicom_nodes.hl7.adt_intake import AdtIntake
from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.intake import Hl7Intake
from dicom_nodes.model.patient_change import PatientChange, PatientIdentifiers
from dicom_nodes.spool.store import NodeStore, open_store

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
PID = "PID|1||H2^^^RXN^MR~9990000018^^^NHS^NH||Łukasz^Siân||19500203|F"
MRG = "MRG|H1^^^RXN^MR"
PRESENT = PatientIdentifiers("RXN", "H2", "9990000018", date(1950, 2, 3))


def adt(event: str, *segments: str, header: str = "P|2.5") -> bytes:
    msh = rf"MSH|^~\&|PAS|RXN|READACROSS|RXN|20261127090000||ADT^{event}|C1|{header}||||||UNICODE UTF-8"
    return "\r".join([msh, "EVN||20261127090000", *segments, ""]).encode()


@pytest.mark.parametrize("event", ["A40^ADT_A39", "A18"])
def test_a_merge_names_the_surviving_and_the_ended_number(event: str) -> None:
    (change,) = read_changes(adt(event, PID, MRG), "RXN")
    assert (change.present, change.prior) == (PRESENT, PatientIdentifiers("RXN", "H1"))


@pytest.mark.parametrize("event", ["A08", "A31"])
def test_an_update_has_no_ended_number(event: str) -> None:
    (change,) = read_changes(adt(event, PID), "RXN")
    assert (change.present, change.prior, change.control_id) == (PRESENT, None, "C1")


def test_several_merges_of_one_message_are_several_changes() -> None:
    other = "PID|2||H4^^^RXN^MR||Other^Name"
    changes = read_changes(adt("A40", PID, "PD1||", MRG, other, "MRG|H3^^^RXN^MR~9990000026^^^NHS^NH"), "RXN")
    assert [change.prior and change.prior.patient_id for change in changes] == ["H1", "H3"]


def test_an_unlinking_names_two_persons() -> None:
    other = "PID|2||H1^^^RXN^MR||Other^Name||19600203"
    (change,) = read_changes(adt("A37", PID, other), "RXN")
    assert (change.present, change.unlinked) == (PRESENT, True)
    assert change.prior == PatientIdentifiers("RXN", "H1", None, date(1960, 2, 3))
    for wrong in ((PID,), (PID, other, other), (PID, "PID|2||H1^^^RXL^MR")):
        with pytest.raises(Hl7Fault, match="PID"):
            read_changes(adt("A37", *wrong), "RXN")


def test_bare_numbers_are_the_trusts_own() -> None:
    (change,) = read_changes(adt("A40", "PID|1||H2", "MRG|H1"), "RXN")
    assert (change.present.issuer, change.prior) == ("RXN", PatientIdentifiers("RXN", "H1"))


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (adt("A40", PID), "AE MRG: a merge needs an MRG segment"),
        (adt("A40", PID, "MRG|H1^^^RXL^MR"), "AE MRG-1: expected one hospital number of the issuer that PID-3 names"),
        (adt("A40", PID, "MRG|H1^^^RXN^MR~H7^^^RXN^MR"), "AE MRG-1: expected one hospital number"),
        (adt("A40", MRG, PID), "AE MRG-1: expected one MRG after each PID"),
        (adt("A40", PID, MRG, MRG), "AE MRG-1[2]|AE MRG.2.-1: expected one MRG|AE MRG"),
        (adt("A08", "PID|1||9990000018^^^NHS^NH"), "AE PID-3: expected a hospital number"),
        (adt("A08", "PID|1||H2^^^RXN^MR||||19501399"), "AE PID-7: "),
        (adt("A08"), "AE PID: the message has no PID segment"),
        (adt("A01", PID), "AR MSH-9: expected ADT"),
        (adt("A08", PID, header="T|2.5"), "AR MSH-11: expected processing id P"),
        (adt("A08", PID, header="P|3"), "AR MSH-12: expected version"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(raw: bytes, told: str) -> None:
    with pytest.raises(Hl7Fault) as caught:
        read_changes(raw, "RXN")
    words = f"{caught.value.ack} {caught.value}"
    assert any(words.startswith(one) for one in told.split("|")), words


@pytest.fixture
def store(tmp_path: Path) -> NodeStore:
    return open_store(f"sqlite:///{tmp_path}/node.sqlite", lambda: NOW, "PACS")


class NoReports:
    def __call__(self, raw: bytes) -> bytes:
        raise AssertionError("an ADT message is no report or order")

    def refuse(self, raw: bytes, fault: Hl7Fault) -> bytes:
        raise AssertionError(str(fault))

    def refuse_too_long(self, head: bytes, size_bytes: int, limit_bytes: int) -> bytes:
        raise AssertionError("too long")


def test_a_merge_is_told_to_the_router_before_it_is_acknowledged(store: NodeStore) -> None:
    patients = AdtIntake(store.patient_changes.take, "RXN", keep=KeepRefused(store.refused_messages))
    intake = Hl7Intake(NoReports(), NoReports(), patients=patients)
    assert read_ack(intake(adt("A40", PID, MRG))).code == "AA"
    _, facts = store.outbox.pending(10)
    assert [body for _, _, body in facts] == [
        PatientChanged(
            present=PatientIdentity(
                issuer="RXN", patient_id="H2", nhs_number="9990000018", birth_date=date(1950, 2, 3)
            ),
            prior=PatientIdentity(issuer="RXN", patient_id="H1"),
            reference="C1",
        )
    ]


def test_a_change_that_cannot_be_kept_is_refused_for_now() -> None:
    def fails(changes: object) -> None:
        raise OSError("disk full")

    ack = read_ack(AdtIntake(fails, "RXN", keep=fails)(adt("A08", PID)))
    assert (ack.code, "try again" in ack.words) == ("AR", True)


def test_what_changed_is_never_told_by_its_representation() -> None:
    (change,) = read_changes(adt("A40", PID, MRG), "RXN")
    assert isinstance(change, PatientChange)
    assert "Siân" not in repr(change)
