"""Hazard 5, a truncated study is read as whole: what the modality announced is compared with what came.

Control: the manifest of a performed procedure step (MPPS) holds the study back while an instance is missing, settles it
at once when all are here, and puts a notice before a person where one never comes.
"""

from pathlib import Path

import pytest
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from dicom_nodes.contract import StudySettled
from tests.peers import dcmtk
from tests.peers.node import facts_of, peer, running_node, target_of, write_trust_file
from tests.peers.processes import wait_until
from tests.peers.workflow import WorkflowPeer, step_begins, step_ends
from tests.synthetic.studies import make_study

pytestmark = pytest.mark.peers("dcmtk")

SLICES = 800
NOTICE = f"Of {SLICES} instances that were announced for this study, 1 is not here."


def test_one_instance_of_800_that_is_lost_is_noticed_and_the_study_is_whole_once_it_comes(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=SLICES)
    made = [(image.sop_class_uid, image.sop_instance_uid) for image in study.files]
    lost, rest = study.files[399], [image for image in study.files if image is not study.files[399]]
    modality = WorkflowPeer("DCMTK")
    nowhere = 'kind = "dimse"\nae_title = "PACS"\naddress = "127.0.0.1:1"'  # archiving plays no part here
    peers = (peer("DCMTK", "modality", ("store", "mpps")),)
    file = write_trust_file(tmp_path / "node", archive=nowhere, settle_quiet_s=0.2, peers=peers)
    file.write_text(file.read_text().replace("[node]\n", "[node]\nsettle_hold_s = 4\n"))
    with running_node(file) as node:

        def settled() -> list[tuple[int, tuple[str, ...]]]:
            facts = (fact for fact in facts_of(node) if isinstance(fact, StudySettled))
            return [(len(fact.manifest.entries), fact.notices) for fact in facts]

        begins, ends = step_begins(study.study_instance_uid), step_ends("1.2.3", made)
        address = ("RXN_NODE", node.dicom_port)
        assert modality.create(*address, ModalityPerformedProcedureStep, begins, "2.25.8").Status == 0x0000
        assert modality.set_step(*address, "2.25.8", ends).Status == 0x0000
        assert dcmtk.send([image.path for image in rest], target_of(node)).ok
        wait_until(settled, "settled though incomplete")
        assert settled() == [(SLICES - 1, (NOTICE,))], "never without saying that something is missing"
        assert dcmtk.send([lost.path], target_of(node)).ok
        wait_until(lambda: len(settled()) == 2, "the next revision")
        assert settled()[1] == (SLICES, ())
