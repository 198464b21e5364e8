"""Orders by HL7 become a worklist that DCMTK's findscu -W reads, and that a performed step leaves (PS3.4 annex K)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from dicom_nodes.app import NodeApp
from dicom_nodes.hl7.ack import read_ack
from dicom_nodes.hl7.mllp import frame
from tests.fakes.mllp_peer import exchange
from tests.peers import dcmtk
from tests.peers.node import peer, running_node, target_of, write_trust_file
from tests.peers.workflow import WorkflowPeer, step_begins, step_ends

pytestmark = pytest.mark.peers("dcmtk")

STEP = "ScheduledProcedureStepSequence[0]."
TYPE_1_IN_STEP = {
    "ScheduledStationAETitle": "CT1",
    "ScheduledProcedureStepStartDate": "20261127",
    "ScheduledProcedureStepStartTime": "101500",
    "Modality": "CT",
    "ScheduledProcedureStepID": "SPS1",
}
TYPE_1 = {
    "RequestedProcedureID": "RP1",
    "StudyInstanceUID": "1.2.826.0.1.99.1",
    "PatientName": "Łukasz^Siân",
    "PatientID": "T100",
}
MODALITY = WorkflowPeer("CT1")


def omi(control: str = "NW", number: str = "1", control_id: str = "M1", **ipc: str) -> bytes:
    """An OMI^O23 for a CT at a quarter past ten."""
    said = {"step": "SPS1", "modality": "CT", "station": "CT1", "at": "202611271015", "name": "Łukasz^Siân", **ipc}
    return (
        "\r".join(
            [
                f"MSH|^~\\&|RIS|RXN|READACROSS|RXN|20261127090000||OMI^O23|{control_id}|P|2.5.1||||||UNICODE UTF-8",
                f"PID|1||T100^^^RXN^MR^RXN~9990000018^^^NHS^NH||{said['name']}||19700102|F",
                "PV1|1|O|CT SUITE|||||C123^Referrer^Anne",
                f"ORC|{control}|P{number}^RIS|A{number}^RIS",
                f"TQ1|1||||||{said['at']}||R",
                f"OBR|1|P{number}^RIS|A{number}^RIS|CABDO^CT abdomen^NICIP",
                f"IPC|ACC{number}|RP{number}|1.2.826.0.1.99.{number}|{said['step']}|{said['modality']}||||{said['station']}",
            ]
        ).encode()
        + b"\r"
    )


ORM = b"""MSH|^~\\&|RIS|RXN|READACROSS|RXN|20261127090000||ORM^O01|M9|P|2.4\r
PID|1||T200^^^RXN^MR||Test^Orm||19800304|M\r
ORC|NW|P9|A9^RIS||SC||1^^^20261128143000^^S\r
OBR|1|P9|A9^RIS|MHEAD^MR head^NICIP||||||||||||||ACC9|RP9|SPS9||||MR\r
ZDS|1.2.826.0.1.99.9^100^Application^DICOM\r
""".replace(b"\n", b"")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeApp]:
    peers = (
        peer("CT1", "modality", ("worklist", "mpps")),
        peer("DCMTK", "modality", ("echo", "worklist")),
        peer("CURIOUS", "workstation", ("find",)),
    )
    file = write_trust_file(tmp_path / "node", peers=peers)
    file.write_text(file.read_text().replace("[hl7]\n", '[hl7]\nstations = { MR = "MR1" }\n'))
    with running_node(file) as running:
        yield running


def ordered(node: NodeApp, *messages: bytes) -> list[str]:
    """The acknowledgement codes and words of messages sent by MLLP."""
    answers = exchange(node.hl7_port, *(frame(message) for message in messages), answers=len(messages))
    return [" ".join(filter(None, (ack.code, ack.words))) for ack in map(read_ack, answers)]


def worklist(node: NodeApp, *keys: str) -> list[Dataset]:
    asked = [*(STEP + key for key in TYPE_1_IN_STEP), *TYPE_1, "AccessionNumber", "PatientBirthDate", "PatientSex"]
    kept = [key for key in asked if not any(given.startswith(key + "=") for given in keys)]
    answer, found = dcmtk.find(target_of(node), [*kept, *keys], model="-W")
    assert answer.ok, answer.output
    return found


def test_an_order_is_answered_with_every_type_1_key(node: NodeApp) -> None:
    assert ordered(node, omi()) == ["AA"]
    (item,) = worklist(node, STEP + "Modality=CT")
    (step,) = item.ScheduledProcedureStepSequence
    assert {keyword: str(step[keyword].value) for keyword in TYPE_1_IN_STEP} == TYPE_1_IN_STEP
    assert {keyword: str(item[keyword].value) for keyword in TYPE_1} == TYPE_1
    assert (item.AccessionNumber, item.PatientBirthDate, item.PatientSex) == ("ACC1", "19700102", "F")
    assert item.SpecificCharacterSet == "ISO_IR 192"


def test_an_orm_is_read_as_ihe_fills_it(node: NodeApp) -> None:
    assert ordered(node, ORM) == ["AA"]
    (item,) = worklist(node, "AccessionNumber=ACC9")
    (step,) = item.ScheduledProcedureStepSequence
    assert (item.StudyInstanceUID, item.RequestedProcedureID) == ("1.2.826.0.1.99.9", "RP9")
    assert (step.ScheduledStationAETitle, step.Modality, step.ScheduledProcedureStepID) == ("MR1", "MR", "SPS9")
    assert (step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime) == ("20261128", "143000")


@pytest.mark.parametrize(
    ("keys", "steps"),
    [
        ((), ["1", "2", "3"]),
        ((STEP + "Modality=MR",), ["3"]),
        ((STEP + "ScheduledStationAETitle=CT*",), ["1", "2"]),
        ((STEP + "ScheduledProcedureStepStartDate=20261127",), ["1", "3"]),
        ((STEP + "ScheduledProcedureStepStartDate=20261128-",), ["2"]),
        (
            (
                STEP + "ScheduledProcedureStepStartDate=20261127-20261128",
                STEP + "ScheduledProcedureStepStartTime=1200-0900",
            ),
            ["2"],
        ),
        (("PatientName=lukasz*",), ["1", "2"]),
        (("PatientID=T100", "AccessionNumber=ACC2"), ["2"]),
        (("AccessionNumber=ACC_",), []),
    ],
)
def test_keys_select(node: NodeApp, keys: tuple[str, ...], steps: list[str]) -> None:
    orders = (
        omi(number="1"),
        omi(number="2", step="SPS2", at="202611280830"),
        omi(number="3", step="SPS3", modality="MR", station="MR1", name="Other^Person"),
    )
    assert ordered(node, *orders) == ["AA"] * 3
    assert sorted(str(item.RequestedProcedureID)[2:] for item in worklist(node, *keys)) == steps


def test_cancelling_and_changing_an_order_changes_the_worklist(node: NodeApp) -> None:
    assert ordered(node, omi(), omi("XO", station="CT2"), omi(number="2", step="SPS2"), omi("CA", "2")) == ["AA"] * 4
    (item,) = worklist(node)
    assert item.ScheduledProcedureStepSequence[0].ScheduledStationAETitle == "CT2"
    assert ordered(node, omi("DC")) == ["AA"]
    assert worklist(node) == []


def test_what_cannot_be_taken_is_told_with_its_place(node: NodeApp) -> None:
    assert ordered(node, omi()) == ["AA"]
    repeated, other, unknown, stationless, coded, training = ordered(
        node,
        omi(),
        omi(station="CT2"),
        omi("CA", number="7"),
        omi(number="3", station=""),
        omi("ZZ", number="4"),
        omi(number="5").replace(b"|P|2.5.1", b"|T|2.5.1"),
    )
    assert repeated == "AA"
    assert other.startswith("AE ORC-1: an order of this number is known with other content")
    assert unknown.startswith("AE ORC-1: no such order")
    assert stationless.startswith("AE IPC-9: no station")
    assert coded.startswith("AE ORC-1: expected order control")
    assert training.startswith("AR MSH-11: expected processing id P")
    assert len(worklist(node)) == 1


def test_a_step_that_is_performed_leaves_the_worklist_and_is_not_cancelled_any_more(node: NodeApp) -> None:
    assert ordered(node, omi(), omi(number="2", step="SPS2")) == ["AA"] * 2
    begins = step_begins("1.2.826.0.1.99.1", "SPS1")
    status = MODALITY.create("RXN_NODE", node.dicom_port, ModalityPerformedProcedureStep, begins, "2.25.77")
    assert status.Status == 0x0000
    assert [str(item.RequestedProcedureID) for item in worklist(node)] == ["RP2"]
    assert ordered(node, omi("CA"))[0].startswith("AE ORC-1: the examination has begun")
    assert MODALITY.set_step("RXN_NODE", node.dicom_port, "2.25.77", step_ends("2.25.1", [])).Status == 0x0000
    assert [str(item.RequestedProcedureID) for item in worklist(node)] == ["RP2"]


def test_who_may_not_ask_is_refused(node: NodeApp) -> None:
    assert ordered(node, omi()) == ["AA"]
    answer, found = dcmtk.find(target_of(node, "CURIOUS"), ["PatientName"], model="-W")
    assert found == []
    assert "Unknown Status: 0x124" in answer.output, answer.output
