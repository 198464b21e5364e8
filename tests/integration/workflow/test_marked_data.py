"""Marked patient data goes through every workflow service, good and bad; no log line holds it (promise 11)."""

from pathlib import Path

import pytest
from pynetdicom.sop_class import InstanceAvailabilityNotification, ModalityPerformedProcedureStep

from dicom_nodes.contract import ImagingOrdered, ProcedureStepChanged
from dicom_nodes.hl7.mllp import frame
from tests.fakes.mllp_peer import exchange
from tests.peers import dcmtk
from tests.peers.node import facts_of, peer, running_node, target_of, write_trust_file
from tests.peers.workflow import WorkflowPeer, availability, step_begins, step_ends

pytestmark = pytest.mark.peers("dcmtk")

MARK = "ZQXMARK"
ORDER = "\r".join(
    [
        r"MSH|^~\&|RIS|RXN|READACROSS|RXN|20261127090000||OMI^O23|M1|P|2.5.1||||||8859/1",
        f"PID|1||{MARK}ID^^^RXN^MR||{MARK}^Test||19700102|F",
        f"ORC|NW|{MARK}P^RIS|{MARK}A^RIS",
        "TQ1|1||||||202611271015",
        f"OBR|1|||CABDO^{MARK} abdomen^NICIP",
        f"IPC|{MARK}ACC|RP1|1.2.826.0.1.99.1|SPS1|CT||||CT1\r",
    ]
)


def test_nothing_of_the_patient_is_logged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    modality = WorkflowPeer("DCMTK", port=1)
    may = ("store", "commit", "ian", "mpps", "worklist")
    file = write_trust_file(tmp_path / "node", peers=(peer("DCMTK", "modality", may, modality.address),))
    begins, broken = step_begins("1.2.826.0.1.99.1", "SPS1"), step_begins("1.2.826.0.1.99.1")
    for data_set in (begins, broken):
        data_set.PatientName, data_set.PatientID = f"{MARK}^Test", f"{MARK}ID"
    broken.PerformedProcedureStepStatus = MARK
    renamed = step_ends("1.2.3", [])
    renamed.PatientName = MARK
    with running_node(file) as node:
        here = ("RXN_NODE", node.dicom_port)
        messages = [ORDER, ORDER.replace("TQ1|", f"{MARK}|"), ORDER.replace("|NW|", f"|{MARK}|"), ORDER + MARK]
        messages.append(ORDER.replace("20261127", MARK))
        exchange(node.hl7_port, *(frame(message.encode()) for message in messages), answers=len(messages))
        for key in (f"PatientName={MARK}*", f"PatientID={MARK}ID"):
            _, found = dcmtk.find(target_of(node), [key, "AccessionNumber"], model="-W")
            assert [item.AccessionNumber for item in found] == [f"{MARK}ACC"]
        dcmtk.find(
            target_of(node), [f"ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate={MARK}"], model="-W"
        )
        assert modality.create(*here, ModalityPerformedProcedureStep, broken, "2.25.1").Status == 0x0106
        assert modality.create(*here, ModalityPerformedProcedureStep, begins, "2.25.2").Status == 0x0000
        assert modality.create(*here, ModalityPerformedProcedureStep, begins, "2.25.2").Status == 0x0111
        assert modality.set_step(*here, "2.25.2", renamed).Status == 0x0106
        assert modality.set_step(*here, "2.25.2", step_ends("1.2.3", [], MARK)).Status == 0x0106
        said = availability("1.2.826.0.1.99.1", "1.2.3", [("1.2.840.10008.5.1.4.1.1.2", "2.25.1")])
        said.RetrieveAETitle = MARK
        assert modality.create(*here, InstanceAvailabilityNotification, said).Status == 0x0000
        question = [("1.2.840.10008.5.1.4.1.1.2", "2.25.1")]
        assert modality.ask_commitment(*here, question)[0] == 0x0000
        assert any(isinstance(fact, ProcedureStepChanged) for fact in facts_of(node))
        told = [fact.model_dump_json() for fact in facts_of(node) if not isinstance(fact, ImagingOrdered)]
        ordered = [fact for fact in facts_of(node) if isinstance(fact, ImagingOrdered)]
    logged = capfd.readouterr()
    assert "order.taken" in logged.err
    assert "dimse.refused" in logged.err
    assert MARK not in logged.err + logged.out
    assert not any(MARK in fact for fact in told)
    assert {(fact.accession_number, fact.patient.patient_id) for fact in ordered} == {(f"{MARK}ACC", f"{MARK}ID")}
    assert not any(MARK in fact.model_dump_json(exclude={"accession_number", "patient"}) for fact in ordered)
