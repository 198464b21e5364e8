"""MPPS: the states of DICOM PS3.4 F.7.2, told to the router, and studies that settle by what their modality made."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from dicom_nodes.app import NodeApp
from dicom_nodes.contract import FactBody, ProcedureStepChanged, StudyIncomplete, StudySettled
from tests.peers import dcmtk
from tests.peers.node import facts_of, peer, running_node, target_of, write_trust_file
from tests.peers.processes import wait_until
from tests.peers.workflow import WorkflowPeer, step_begins, step_ends
from tests.synthetic.studies import MadeStudy, make_study

pytestmark = pytest.mark.peers("dcmtk")

MODALITY = WorkflowPeer("DCMTK")
SERIES = "1.2.826.0.1.99.5"
UID = "2.25.4711"


def trust_file(folder: Path, *, quiet_s: float = 60, hold_s: float = 60) -> Path:
    peers = (
        peer("DCMTK", "modality", ("echo", "store", "mpps")),
        peer("MUTE", "modality", ("store",)),
        peer("MR9", "modality", ("mpps",)),
    )
    file = write_trust_file(folder, peers=peers, settle_quiet_s=quiet_s)
    file.write_text(file.read_text().replace("[node]\n", f"[node]\nsettle_hold_s = {hold_s}\n"))
    return file


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeApp]:
    with running_node(trust_file(tmp_path / "node")) as running:
        yield running


def create(node: NodeApp, attributes: Dataset, uid: str = UID, by: WorkflowPeer = MODALITY) -> int:
    return int(by.create("RXN_NODE", node.dicom_port, ModalityPerformedProcedureStep, attributes, uid).Status)


def set_step(node: NodeApp, attributes: Dataset, uid: str = UID) -> Dataset:
    return MODALITY.set_step("RXN_NODE", node.dicom_port, uid, attributes)


def perform(node: NodeApp, study: MadeStudy, state: str = "COMPLETED") -> None:
    """Begin and end a step that made all of the study's instances."""
    made = [(file.sop_class_uid, file.sop_instance_uid) for file in study.files]
    assert create(node, step_begins(study.study_instance_uid)) == 0x0000
    assert set_step(node, step_ends(SERIES, made, state)).Status == 0x0000


def settled(node: NodeApp) -> list[tuple[int, int, tuple[str, ...]]]:
    """(revision, instances, notices) of the study's revisions."""
    found = (fact for fact in facts_of(node) if isinstance(fact, StudySettled))
    return [(fact.revision, len(fact.manifest.entries), fact.notices) for fact in found]


def steps_of(facts: list[FactBody]) -> list[ProcedureStepChanged]:
    return [fact for fact in facts if isinstance(fact, ProcedureStepChanged)]


def test_a_step_is_told_from_its_beginning_to_its_end_and_never_changes_again(node: NodeApp) -> None:
    assert create(node, step_begins("1.2.826.0.1.99.1")) == 0x0000
    progress = Dataset()
    progress.PerformedProcedureStepStatus = "IN PROGRESS"
    assert set_step(node, progress).Status == 0x0000
    assert set_step(node, step_ends(SERIES, [("1.2.840.10008.5.1.4.1.1.2", "2.25.1")])).Status == 0x0000
    late = set_step(node, step_ends(SERIES, [], "DISCONTINUED"))
    assert (late.Status, late.ErrorID) == (0x0110, 0xA501)
    steps = steps_of(facts_of(node))
    assert [step.state for step in steps] == ["IN PROGRESS", "IN PROGRESS", "COMPLETED"]
    assert steps[-1].study_instance_uids == ("1.2.826.0.1.99.1",)
    assert (steps[-1].performed_by, steps[-1].modality, steps[-1].instance_count) == ("DCMTK", "CT", 1)


def test_only_who_created_a_step_may_end_it(node: NodeApp) -> None:
    assert create(node, step_begins("1.2.826.0.1.99.1")) == 0x0000
    other = WorkflowPeer("MR9").set_step("RXN_NODE", node.dicom_port, UID, step_ends(SERIES, [], "DISCONTINUED"))
    assert other.Status == 0x0124
    made = [("1.2.840.10008.5.1.4.1.1.2", "2.25.1")]
    assert set_step(node, step_ends(SERIES, made)).Status == 0x0000
    assert [step.state for step in steps_of(facts_of(node))] == ["IN PROGRESS", "COMPLETED"]


def without(keyword: str) -> Callable[[Dataset], None]:
    return lambda data_set: delattr(data_set, keyword)


def with_value(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda data_set: setattr(data_set, keyword, value)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (with_value("PerformedProcedureStepStatus", "COMPLETED"), 0x0106),
        (with_value("PerformedProcedureStepStatus", "BEGUN"), 0x0106),
        (without("PerformedProcedureStepStatus"), 0x0120),
        (with_value("PerformedProcedureStepID", ""), 0x0121),
        (without("Modality"), 0x0120),
        (without("ScheduledStepAttributesSequence"), 0x0120),
    ],
)
def test_a_step_that_does_not_begin_as_it_must_is_refused(
    node: NodeApp, change: Callable[[Dataset], None], status: int
) -> None:
    attributes = step_begins("1.2.826.0.1.99.1")
    change(attributes)
    assert create(node, attributes) == status
    assert facts_of(node) == []


def test_what_is_wrong_with_a_change_has_its_own_status(node: NodeApp) -> None:
    assert set_step(node, step_ends(SERIES, [])).Status == 0x0112
    assert create(node, step_begins("1.2.826.0.1.99.1")) == 0x0000
    assert create(node, step_begins("1.2.826.0.1.99.1")) == 0x0111
    assert create(node, step_begins("1.2.826.0.1.99.1"), by=WorkflowPeer("MUTE")) == 0x0124
    renamed = Dataset()
    renamed.PatientID = "OTHER"
    assert set_step(node, renamed).Status == 0x0106
    endless = step_ends(SERIES, [])
    del endless.PerformedProcedureStepEndTime
    assert set_step(node, endless).Status == 0x0121
    seriesless = step_ends(SERIES, [])
    seriesless.PerformedSeriesSequence = []
    assert set_step(node, seriesless).Status == 0x0120


def test_a_study_settles_at_once_when_all_that_its_step_made_is_here(node: NodeApp, tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=3)
    assert dcmtk.send([file.path for file in study.files], target_of(node)).ok
    assert settled(node) == []
    perform(node, study)
    wait_until(lambda: settled(node) == [(1, 3, ())], "settled long before the quiet time")


def test_a_study_is_held_until_the_last_announced_instance_is_here(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=3)
    with running_node(trust_file(tmp_path / "node", quiet_s=0.2)) as node:
        perform(node, study)
        assert dcmtk.send([file.path for file in study.files[:2]], target_of(node)).ok
        wait_until(lambda: node.store.studies.growing_studies(), "catalogued")
        (growing,) = node.store.studies.growing_studies()
        assert growing.announced is not None
        assert (growing.announced.missing, growing.announced.steps_ended) == (1, True)
        assert dcmtk.send([study.files[2].path], target_of(node)).ok
        wait_until(lambda: settled(node) == [(1, 3, ())], "settled once, whole")


def test_a_study_that_stays_incomplete_settles_with_a_notice_and_its_next_revision_without(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=3)
    notice = "Of 3 instances that were announced for this study, 1 is not here."
    with running_node(trust_file(tmp_path / "node", quiet_s=0.2, hold_s=0.5)) as node:
        perform(node, study)
        assert dcmtk.send([file.path for file in study.files[:2]], target_of(node)).ok
        wait_until(lambda: settled(node) == [(1, 2, (notice,))], "settled with a notice")
        assert dcmtk.send([study.files[2].path], target_of(node)).ok
        wait_until(lambda: settled(node)[1:] == [(2, 3, ())], "whole in the end")


def test_what_never_came_is_told_though_nothing_of_the_study_is_here(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=3)
    with running_node(trust_file(tmp_path / "node", hold_s=0.2)) as node:
        perform(node, study)
        found = wait_until(lambda: [fact for fact in facts_of(node) if isinstance(fact, StudyIncomplete)], "told")
    assert found == [
        StudyIncomplete(
            study_instance_uid=study.study_instance_uid,
            announced_by="DCMTK",
            announced=3,
            missing=3,
            notice="Of 3 instances that were announced for this study, 3 are not here.",
        )
    ]


def test_a_discontinued_step_announces_nothing(node: NodeApp, tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=2)
    perform(node, study, "DISCONTINUED")
    assert steps_of(facts_of(node))[-1].state == "DISCONTINUED"
    assert node.store.announcements.announced(study.study_instance_uid) is None
