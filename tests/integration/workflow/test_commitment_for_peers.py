"""Storage commitment asked of the node by modalities (DICOM PS3.4 annex J): pynetdicom and Orthanc ask."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dicom_nodes.app import NodeApp
from dicom_nodes.foundation.jobs import JobState
from dicom_nodes.model.errors import CrashConsistency
from tests.peers import dcmtk
from tests.peers.node import peer, running_node, target_of, write_trust_file
from tests.peers.processes import free_port, wait_until
from tests.peers.workflow import Reference, WorkflowPeer, running_peer
from tests.synthetic.studies import MadeStudy, make_study, rewritten

pytestmark = pytest.mark.peers("dcmtk")

STRANGER = ("1.2.840.10008.5.1.4.1.1.2", "2.25.404")


def references(study: MadeStudy) -> list[Reference]:
    return [(file.sop_class_uid, file.sop_instance_uid) for file in study.files]


def named(sequence: object) -> list[str]:
    return [str(item.ReferencedSOPInstanceUID) for item in sequence]


def running_with(folder: Path, modality: WorkflowPeer, **trust: object) -> AbstractContextManager[NodeApp]:
    mine = peer(modality.ae_title, "modality", ("echo", "store", "commit"), modality.address)
    other = peer("DCMTK", "modality", ("echo", "store"))
    return running_node(write_trust_file(folder, peers=(mine, other), **trust))


@pytest.fixture
def modality() -> Iterator[WorkflowPeer]:
    with running_peer("MODALITY") as running:
        yield running


def test_what_is_here_is_committed_on_an_association_of_the_nodes_own(tmp_path: Path, modality: WorkflowPeer) -> None:
    study = make_study(tmp_path / "images")
    with running_with(tmp_path / "node", modality) as node:
        assert dcmtk.send([file.path for file in study.files], target_of(node)).ok
        status, uid = modality.ask_commitment("RXN_NODE", node.dicom_port, references(study))
        report = modality.report()
    assert (status, report.type_id, report.same_association) == (0x0000, 1, False)
    assert report.attributes.TransactionUID == uid
    assert report.attributes.RetrieveAETitle == "RXN_NODE"
    assert named(report.attributes.ReferencedSOPSequence) == [file.sop_instance_uid for file in study.files]
    assert "FailedSOPSequence" not in report.attributes


def test_who_keeps_the_association_open_is_told_on_it_and_not_again(tmp_path: Path, modality: WorkflowPeer) -> None:
    study = make_study(tmp_path / "images")
    with running_with(tmp_path / "node", modality) as node:
        assert dcmtk.send([file.path for file in study.files], target_of(node)).ok
        modality.ask_commitment("RXN_NODE", node.dicom_port, references(study), waits=True)
        wait_until(lambda: not node.store.jobs.listing([JobState.QUEUED, JobState.RUNNING]), "nothing left to do")
    assert [report.same_association for report in modality.reports] == [True]


def test_every_failure_has_its_reason(tmp_path: Path, modality: WorkflowPeer) -> None:
    study = make_study(tmp_path / "images", slices=4)
    good, classless, damaged, twofold = references(study)
    with running_with(tmp_path / "node", modality) as node:
        assert dcmtk.send([file.path for file in study.files], target_of(node)).ok
        other = rewritten(study.files[3], tmp_path / "other", PatientComments="other content")
        dcmtk.send([other.path], target_of(node))
        assert node.health().quarantined == 1
        stored = node.store.catalogue.find_instance(damaged[1])
        assert stored is not None
        node._spool.read_data_set = _unreadable(node._spool.read_data_set, stored.location)
        with node.store.database.write() as connection:
            connection.exec_driver_sql("UPDATE instance SET archived_at = NULL")
        asked = [good, ("1.2.840.10008.5.1.4.1.1.4", classless[1]), damaged, twofold, STRANGER]
        modality.ask_commitment("RXN_NODE", node.dicom_port, asked)
        report = modality.report()
    assert report.type_id == 2
    assert named(report.attributes.ReferencedSOPSequence) == [good[1]]
    failed = {str(i.ReferencedSOPInstanceUID): i.FailureReason for i in report.attributes.FailedSOPSequence}
    assert failed == {classless[1]: 0x0119, damaged[1]: 0x0110, twofold[1]: 0x0110, STRANGER[1]: 0x0112}


def _unreadable(read: Callable[[str], bytes], location: str) -> Callable[[str], bytes]:
    def reading(wanted: str) -> bytes:
        if wanted == location:
            raise CrashConsistency("damaged for the test")
        return read(wanted)

    return reading


def test_who_may_not_ask_is_refused(tmp_path: Path) -> None:
    modality = WorkflowPeer("DCMTK", port=free_port())
    with running_with(tmp_path / "node", WorkflowPeer("OTHER", port=free_port())) as node:
        status, _ = modality.ask_commitment("RXN_NODE", node.dicom_port, [STRANGER])
        assert status == 0x0124
        assert node.store.jobs.listing(list(JobState)) == []


@pytest.mark.parametrize(("instances", "action", "status"), [([], 1, 0x0120), ([STRANGER], 2, 0x0123)])
def test_a_question_that_is_none_is_refused(
    tmp_path: Path, modality: WorkflowPeer, instances: list[Reference], action: int, status: int
) -> None:
    with running_with(tmp_path / "node", modality) as node:
        assert modality.ask_commitment("RXN_NODE", node.dicom_port, instances, action=action)[0] == status


def test_a_report_that_is_refused_for_good_is_parked_and_can_be_sent_again(tmp_path: Path) -> None:
    with running_peer("MODALITY", answer=0x0115) as modality, running_with(tmp_path / "node", modality) as node:
        modality.ask_commitment("RXN_NODE", node.dicom_port, [STRANGER])
        (job,) = wait_until(lambda: node.store.jobs.listing([JobState.PARKED]), "parked")
        assert (job.kind, job.reason) == ("report-commitment", "MODALITY answered 0115 to the commitment report")
        modality.answer = 0x0000
        with node.store.database.write() as connection:
            assert node.store.jobs.resend(connection, kind=job.kind, key=job.key)
        modality.report(1)
        wait_until(lambda: not node.store.jobs.listing([JobState.RUNNING]), "done")
        assert node.store.commitment_requests.is_reported(job.key)
