"""Hazard 6: the same SOP Instance UID with other bytes; both are kept, the second aside, in whichever order."""

from pathlib import Path

import pytest

from dicom_nodes.contract import InstanceQuarantined
from dicom_nodes.encoding.part10 import data_set_of
from tests.peers import dcmtk
from tests.peers.node import facts_of, running_node, target_of, write_trust_file
from tests.synthetic.studies import data_set_bytes, make_study, rewritten

pytestmark = pytest.mark.peers("dcmtk")


@pytest.mark.parametrize("changed_first", [False, True])
def test_both_contents_are_kept_and_the_second_is_shown(tmp_path: Path, changed_first: bool) -> None:
    study = make_study(tmp_path / "images", slices=1)
    original = study.files[0]
    changed = rewritten(original, tmp_path / "changed", SeriesDescription="other content")
    first, second = (changed, original) if changed_first else (original, changed)
    with running_node(write_trust_file(tmp_path / "node")) as node:
        assert dcmtk.send([first.path], target_of(node)).ok
        refused = dcmtk.send_with_storescu([second.path], target_of(node))
        assert "Error: CannotUnderstand" in refused.output
        kept = node.store.catalogue.find_instance(original.sop_instance_uid)
        assert kept is not None
        assert kept.digest == first.digest
        shown = [body for body in facts_of(node) if isinstance(body, InstanceQuarantined)]
    assert [fact.sop_instance_uid for fact in shown] == [original.sop_instance_uid]
    spool = tmp_path / "node/data/spool"
    contents = [
        data_set_of(file.read_bytes()) for file in (*spool.glob("objects/*/*.dcm"), *spool.glob("quarantine/*.dcm"))
    ]
    assert contents == [data_set_bytes(first.path.read_bytes()), data_set_bytes(second.path.read_bytes())]


def test_the_same_bytes_again_are_a_success_and_change_nothing(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=1)
    with running_node(write_trust_file(tmp_path / "node")) as node:
        for _ in range(3):
            assert dcmtk.send([study.files[0].path], target_of(node)).ok
        assert node.health().quarantined == 0
        assert len(node.store.catalogue.instances(study.study_instance_uid)) == 1
