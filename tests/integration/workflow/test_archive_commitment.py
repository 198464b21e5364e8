"""The node asks its PACS for storage commitment after archiving: pynetdicom as a PACS that says yes, no, or nothing."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from dicom_nodes.app import NodeApp
from dicom_nodes.foundation.jobs import JobState
from dicom_nodes.spool.service_tables import archive_commitment
from tests.peers import dcmtk
from tests.peers.node import MODALITY, peer, running_node, target_of, write_trust_file
from tests.peers.processes import wait_until
from tests.peers.workflow import Reference, WorkflowPeer, running_peer
from tests.synthetic.studies import MadeStudy, make_study

pytestmark = pytest.mark.peers("dcmtk")


@pytest.fixture
def pacs() -> Iterator[WorkflowPeer]:
    with running_peer("PACS") as running:
        yield running


def archiving_to(pacs: WorkflowPeer, folder: Path) -> AbstractContextManager[NodeApp]:
    archive = f'kind = "dimse"\nae_title = "PACS"\naddress = "{pacs.address}"\ncommitment = true'
    peers = (MODALITY, peer("PACS", "archive", ("echo",)), peer("OTHER", "archive", ("echo",)))
    return running_node(write_trust_file(folder, archive=archive, peers=peers))


def references(study: MadeStudy) -> list[Reference]:
    return sorted((file.sop_class_uid, file.sop_instance_uid) for file in study.files)


def asked(pacs: WorkflowPeer, number: int = 0) -> tuple[str, list[Reference]]:
    """(Transaction UID, instances) of a question the PACS was asked."""
    wait_until(lambda: len(pacs.actions) > number, "asked for commitment")
    action = pacs.actions[number]
    pairs = [
        (str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID))
        for item in action.attributes.ReferencedSOPSequence
    ]
    return str(action.attributes.TransactionUID), sorted(pairs)


def promises(node: NodeApp) -> dict[str, tuple[bool, int]]:
    """SOP Instance UID → (committed, refusals)."""
    with node.store.database.read() as connection:
        rows = connection.execute(select(archive_commitment)).all()
    return {row.sop_instance_uid: (row.committed_at is not None, row.refusals) for row in rows}


def test_what_the_pacs_commits_to_is_recorded_instance_by_instance(tmp_path: Path, pacs: WorkflowPeer) -> None:
    study = make_study(tmp_path / "images")
    with archiving_to(pacs, tmp_path / "node") as node:
        assert dcmtk.send([file.path for file in study.files], target_of(node)).ok
        uid, instances = asked(pacs)
        assert instances == references(study)
        assert promises(node) == {file.sop_instance_uid: (False, 0) for file in study.files}
        assert pacs.report_commitment("RXN_NODE", node.dicom_port, uid, instances, []) == 0x0000
        assert promises(node) == {file.sop_instance_uid: (True, 0) for file in study.files}
        assert not node.store.archive_commitments.is_open(study.study_instance_uid)


def test_what_it_does_not_commit_to_is_archived_and_asked_about_again(tmp_path: Path, pacs: WorkflowPeer) -> None:
    study = make_study(tmp_path / "images")
    with archiving_to(pacs, tmp_path / "node") as node:
        assert dcmtk.send([file.path for file in study.files], target_of(node)).ok
        uid, instances = asked(pacs)
        lost = instances[1]
        kept = [pair for pair in instances if pair != lost]
        assert pacs.report_commitment("RXN_NODE", node.dicom_port, uid, kept, [lost]) == 0x0000
        wait_until(lambda: pacs.stored.count(lost[1]) == 2, "archived again")
        assert asked(pacs, 1)[1] == [lost]
        assert [pacs.stored.count(pair[1]) for pair in kept] == [1, 1]


def test_an_instance_that_is_refused_again_and_again_is_parked_for_a_person(tmp_path: Path, pacs: WorkflowPeer) -> None:
    study = make_study(tmp_path / "images", slices=1)
    with archiving_to(pacs, tmp_path / "node") as node:
        assert dcmtk.send([study.files[0].path], target_of(node)).ok
        for number in range(3):
            uid, instances = asked(pacs, number)
            assert pacs.report_commitment("RXN_NODE", node.dicom_port, uid, [], instances) == 0x0000
        (parked,) = wait_until(lambda: node.store.jobs.listing([JobState.PARKED]), "parked")
        assert parked.kind == "ask-commitment"
        assert parked.reason == "PACS does not commit to 1 instances that it acknowledged"


def test_only_the_pacs_itself_reports_and_only_on_our_questions(tmp_path: Path, pacs: WorkflowPeer) -> None:
    study = make_study(tmp_path / "images", slices=1)
    with archiving_to(pacs, tmp_path / "node") as node:
        assert dcmtk.send([study.files[0].path], target_of(node)).ok
        uid, instances = asked(pacs)
        stranger = WorkflowPeer("OTHER")
        assert stranger.report_commitment("RXN_NODE", node.dicom_port, uid, instances, []) == 0x0124
        assert pacs.report_commitment("RXN_NODE", node.dicom_port, "2.25.1", instances, []) == 0x0115
        assert set(promises(node).values()) == {(False, 0)}


def test_a_pacs_that_never_reports_is_asked_again_until_a_person_must(tmp_path: Path, pacs: WorkflowPeer) -> None:
    study = make_study(tmp_path / "images", slices=1)
    with archiving_to(pacs, tmp_path / "node") as node:
        asking = node._listener._services.workflow.ask_commitment
        assert asking is not None
        asking._patience = timedelta(0)
        asking._scu._listen_s = 0.0
        assert dcmtk.send([study.files[0].path], target_of(node)).ok
        (parked,) = wait_until(lambda: node.store.jobs.listing([JobState.PARKED]), "parked")
        assert parked.reason == "PACS has not answered 4 requests for storage commitment"
        assert len({asked(pacs, number)[0] for number in range(len(pacs.actions))}) == 4
