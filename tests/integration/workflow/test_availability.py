"""Instance Availability Notification: the node notifies, and compares what it is told with what it holds (annex R)."""

from pathlib import Path

import pytest
from pynetdicom.sop_class import InstanceAvailabilityNotification

from dicom_nodes.contract import StudyIncomplete
from dicom_nodes.foundation.jobs import JobState
from tests.peers import dcmtk
from tests.peers.node import MODALITY, facts_of, peer, running_node, target_of, write_trust_file
from tests.peers.processes import wait_until
from tests.peers.workflow import WorkflowPeer, availability, running_peer
from tests.synthetic.studies import make_study, read_file

pytestmark = pytest.mark.peers("dcmtk")


def notified_peer(partner: WorkflowPeer) -> str:
    return peer(partner.ae_title, "archive", ("ian",), partner.address) + "notify = true\n"


def test_a_settled_study_is_announced_to_who_wants_to_know(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=3)
    with running_peer("VIEWER") as viewer:
        file = write_trust_file(tmp_path / "node", settle_quiet_s=0.2, peers=(MODALITY, notified_peer(viewer)))
        with running_node(file) as node:
            assert dcmtk.send([image.path for image in study.files], target_of(node)).ok
            (told,) = wait_until(lambda: viewer.notifications, "notified")
            wait_until(lambda: not node.store.jobs.listing([JobState.RUNNING]), "done")
            assert node.store.jobs.listing([JobState.PARKED]) == []
    (series,) = told.attributes.ReferencedSeriesSequence
    assert told.attributes.StudyInstanceUID == study.study_instance_uid
    assert told.attributes.ReferencedPerformedProcedureStepSequence == []
    assert series.SeriesInstanceUID == read_file(study.files[0].path).SeriesInstanceUID
    items = {(i.ReferencedSOPClassUID, i.ReferencedSOPInstanceUID) for i in series.ReferencedSOPSequence}
    assert items == {(image.sop_class_uid, image.sop_instance_uid) for image in study.files}
    assert {(i.InstanceAvailability, i.RetrieveAETitle) for i in series.ReferencedSOPSequence} == {
        ("ONLINE", "RXN_NODE")
    }


def test_a_notification_that_was_taken_before_is_done_and_one_refused_is_parked(tmp_path: Path) -> None:
    first, second = (make_study(tmp_path / name, slices=1) for name in ("first", "second"))
    with running_peer("VIEWER", answer=0x0111) as viewer:
        file = write_trust_file(tmp_path / "node", settle_quiet_s=0.2, peers=(MODALITY, notified_peer(viewer)))
        with running_node(file) as node:
            assert dcmtk.send([first.files[0].path], target_of(node)).ok
            wait_until(
                lambda: [job for job in node.store.jobs.listing([JobState.DONE]) if job.kind == "notify"], "done"
            )
            viewer.answer = 0x0106
            assert dcmtk.send([second.files[0].path], target_of(node)).ok
            (parked,) = wait_until(lambda: node.store.jobs.listing([JobState.PARKED]), "parked")
    assert parked.reason == "VIEWER answered 0106 to the notification"


def test_what_is_announced_and_not_here_is_told_after_a_while(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=3)
    pairs = [(image.sop_class_uid, image.sop_instance_uid) for image in study.files]
    archive = WorkflowPeer("PACS", port=1)
    file = write_trust_file(tmp_path / "node", settle_quiet_s=0.1, peers=(MODALITY, peer("PACS", "archive", ("ian",))))
    file.write_text(file.read_text().replace("[node]\n", "[node]\nsettle_hold_s = 0.5\n"))
    with running_node(file) as node:
        assert dcmtk.send([image.path for image in study.files[:2]], target_of(node)).ok
        wait_until(lambda: not node.store.studies.growing_studies() and facts_of(node), "settled")
        said = availability(study.study_instance_uid, "1.2.3", pairs)
        status = archive.create("RXN_NODE", node.dicom_port, InstanceAvailabilityNotification, said)
        assert status.Status == 0x0000
        found = wait_until(lambda: [fact for fact in facts_of(node) if isinstance(fact, StudyIncomplete)], "told")
    assert [(fact.announced_by, fact.announced, fact.missing) for fact in found] == [("PACS", 3, 1)]


@pytest.mark.parametrize(("study_uid", "series", "status"), [("", True, 0x0121), ("1.2.3", False, 0x0120)])
def test_a_notification_of_nothing_is_refused(tmp_path: Path, study_uid: str, series: bool, status: int) -> None:
    said = availability(study_uid, "1.2.3.4", [("1.2.840.10008.5.1.4.1.1.2", "2.25.1")])
    if not series:
        said.ReferencedSeriesSequence = []
    file = write_trust_file(tmp_path / "node", peers=(peer("PACS", "archive", ("ian",)), peer("MUTE", "archive", ())))
    with running_node(file) as node:
        for caller, expected in (("PACS", status), ("MUTE", 0x0124)):
            answer = WorkflowPeer(caller).create("RXN_NODE", node.dicom_port, InstanceAvailabilityNotification, said)
            assert answer.Status == expected
