"""kill -9 of a node after each step of taking an image in: nothing acknowledged is lost, nothing is kept twice."""

import sys
from pathlib import Path

import pytest

from dicom_nodes.contract import StudyArchived, StudySettled
from tests.peers import dcmtk
from tests.peers.dcmtk import Target
from tests.peers.node import archived_digests, facts_of, running_node, target_of, write_trust_file
from tests.peers.processes import RunningProcess, free_port, wait_until
from tests.synthetic.studies import make_study, rewritten

pytestmark = pytest.mark.peers("dcmtk")

STEPS = [
    ("spool.written", 2),
    ("spool.synced", 2),
    ("ingest.kept", 2),
    ("ingest.noted", 2),
    ("catalogue.before_commit", 1),
    ("catalogue.committed", 1),
    ("archive.acknowledged", 2),
    ("archive.marked", 1),
    ("settle.settled", 1),
]


@pytest.mark.parametrize(("step", "nth"), STEPS, ids=[step for step, _ in STEPS])
def test_nothing_acknowledged_is_lost(tmp_path: Path, step: str, nth: int) -> None:
    study = make_study(tmp_path / "images", slices=4)
    port = free_port()
    file = write_trust_file(tmp_path / "node", port=port, settle_quiet_s=0.3)
    command = [sys.executable, "-m", "tests.peers.crashing_node", file, step, str(nth)]
    with RunningProcess(command) as process:
        process.wait_for_line("listening")
        paths = [image.path for image in study.files]
        said = dcmtk.send_with_storescu(paths, Target("RXN_NODE", port)).output
        assert process.wait(20) == -9, process.output
    acknowledged = said.count("Received Store Response (Success)")
    with running_node(file) as node:
        wait_until(lambda: len(archived_digests(tmp_path / "node")) >= acknowledged, "the acknowledged archived")
        assert dcmtk.send(paths, target_of(node)).ok
        wait_until(lambda: archived_digests(tmp_path / "node") == study.digests, "all archived")

        def told() -> bool:
            facts = facts_of(node)
            settled = [fact for fact in facts if isinstance(fact, StudySettled)]
            filed = [fact for fact in facts if isinstance(fact, StudyArchived)]
            return bool(settled and filed) and settled[-1].revision == filed[-1].revision

        wait_until(told, "the newest revision is told, and that it is archived")
        facts = facts_of(node)
        settled = [fact for fact in facts if isinstance(fact, StudySettled)]
        assert [fact.revision for fact in settled] == list(range(1, len(settled) + 1))
        manifest = {entry.sop_instance_uid: entry.digest for entry in settled[-1].manifest.entries}
        assert manifest == study.digests
        assert len({fact.manifest.digest for fact in settled}) == len(settled), "a revision without news"
        assert node.health().quarantined == 0


def test_a_quarantined_instance_is_kept_though_the_node_dies_before_saying_so(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=1)
    broken = rewritten(study.files[0], tmp_path / "broken", StudyInstanceUID=None)
    port = free_port()
    file = write_trust_file(tmp_path / "node", port=port)
    command = [sys.executable, "-m", "tests.peers.crashing_node", file, "ingest.quarantined"]
    with RunningProcess(command) as process:
        process.wait_for_line("listening")
        dcmtk.send_with_storescu([broken.path], Target("RXN_NODE", port))
        assert process.wait(20) == -9, process.output
    with running_node(file) as node:
        assert node.health().quarantined == 1
