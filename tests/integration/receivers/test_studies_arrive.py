"""A node of several processes on one port does what one of a single process does."""

from pathlib import Path

import pytest

from dicom_nodes.contract import StudyArchived, StudySettled
from tests.peers import dcmtk
from tests.peers.node import archived_digests, facts_of, running_node, target_of, write_trust_file
from tests.peers.processes import wait_until
from tests.synthetic.studies import make_study

pytestmark = pytest.mark.peers("dcmtk")


def test_a_study_is_taken_settled_and_archived(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=6)
    paths = [image.path for image in study.files]
    file = write_trust_file(tmp_path / "node", receivers=2, settle_quiet_s=0.3)
    with running_node(file) as node:
        assert node.health().state == "ok"
        for path in paths:
            assert dcmtk.send([path], target_of(node)).ok
        wait_until(lambda: archived_digests(tmp_path / "node") == study.digests, "all archived")
        wait_until(lambda: any(isinstance(fact, StudyArchived) for fact in facts_of(node)), "told")
        (settled, *_) = [fact for fact in facts_of(node) if isinstance(fact, StudySettled)]
        assert {entry.sop_instance_uid: entry.digest for entry in settled.manifest.entries} == study.digests
        assert dcmtk.send(paths, target_of(node)).ok, "repeats are known"
