"""kill -9 around a promise: a modality that was answered hears of its commitment; the archive is asked again."""

import sys
from pathlib import Path

import pytest
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from dicom_nodes.contract import ProcedureStepChanged
from tests.peers import dcmtk
from tests.peers.dcmtk import Target
from tests.peers.node import MODALITY, facts_of, peer, running_node, write_trust_file
from tests.peers.processes import RunningProcess, wait_until
from tests.peers.workflow import WorkflowPeer, running_peer, step_begins
from tests.synthetic.studies import make_study

pytestmark = pytest.mark.peers("dcmtk")


def crashing(file: Path, step: str) -> RunningProcess:
    return RunningProcess([sys.executable, "-m", "tests.peers.crashing_node", file, step])


def port_of(process: RunningProcess) -> int:
    return int(process.wait_for_line(r"listening (\d+)")[1])


@pytest.mark.parametrize("step", ["commitment.taken", "commitment.judged", "commitment.reported"])
def test_a_modality_hears_of_its_commitment_though_the_node_dies(tmp_path: Path, step: str) -> None:
    study = make_study(tmp_path / "images", slices=2)
    pairs = [(image.sop_class_uid, image.sop_instance_uid) for image in study.files]
    with running_peer("MODALITY") as modality:
        peers = (MODALITY, peer("MODALITY", "modality", ("commit",), modality.address))
        file = write_trust_file(tmp_path / "node", peers=peers)
        with crashing(file, step) as process:
            port = port_of(process)
            assert dcmtk.send([image.path for image in study.files], Target("RXN_NODE", port)).ok
            try:
                modality.ask_commitment("RXN_NODE", port, pairs)
            except AttributeError:
                assert step == "commitment.taken", "pynetdicom got no answer"
            assert process.wait(20) == -9, process.output
        heard = len(modality.reports)
        assert heard == (1 if step == "commitment.reported" else 0)
        with running_node(file):
            report = modality.report(heard)
    assert report.type_id == 1
    assert [str(item.ReferencedSOPInstanceUID) for item in report.attributes.ReferencedSOPSequence] == [
        uid for _, uid in pairs
    ]


@pytest.mark.parametrize("step", ["commitment.opened", "commitment.asked"])
def test_the_archive_is_asked_though_the_node_dies(tmp_path: Path, step: str) -> None:
    study = make_study(tmp_path / "images", slices=2)
    with running_peer("PACS") as pacs:
        archive = f'kind = "dimse"\nae_title = "PACS"\naddress = "{pacs.address}"\ncommitment = true'
        file = write_trust_file(
            tmp_path / "node", archive=archive, peers=(MODALITY, peer("PACS", "archive", ("echo",)))
        )
        with crashing(file, step) as process:
            port = port_of(process)
            assert dcmtk.send([image.path for image in study.files], Target("RXN_NODE", port)).ok
            assert process.wait(20) == -9, process.output
        asked = len(pacs.actions)
        assert asked == (1 if step == "commitment.asked" else 0)
        with running_node(file) as node:
            wait_until(lambda: len(pacs.actions) > asked, "asked again")
            pairs = [(image.sop_class_uid, image.sop_instance_uid) for image in study.files]
            for action in pacs.actions:  # what was asked before the crash counts no more, and is answered in peace
                transaction_uid = str(action.attributes.TransactionUID)
                assert pacs.report_commitment("RXN_NODE", node.dicom_port, transaction_uid, pairs, []) == 0x0000
            assert not node.store.archive_commitments.is_open(study.study_instance_uid)


def test_a_step_that_was_acknowledged_is_known_and_told_once(tmp_path: Path) -> None:
    modality = WorkflowPeer("CT1")
    file = write_trust_file(tmp_path / "node", peers=(peer("CT1", "modality", ("mpps",)),))
    begins = step_begins("1.2.826.0.1.99.1")
    with crashing(file, "procedure_step.created") as process:
        port = port_of(process)
        status = modality.create("RXN_NODE", port, ModalityPerformedProcedureStep, begins, "2.25.5")
        assert "Status" not in status
        assert process.wait(20) == -9, process.output
    with running_node(file) as node:
        again = modality.create("RXN_NODE", node.dicom_port, ModalityPerformedProcedureStep, begins, "2.25.5")
        assert again.Status == 0x0111
        wait_until(lambda: facts_of(node), "told")
        assert [fact.state for fact in facts_of(node) if isinstance(fact, ProcedureStepChanged)] == ["IN PROGRESS"]
