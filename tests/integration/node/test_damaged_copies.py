"""A copy that cannot be read any more is no reason to throw away the same image when it comes again."""

import shutil
from pathlib import Path

import pytest

from dicom_nodes.app import NodeApp
from tests.peers import dcmtk
from tests.peers.node import archived_digests, rot_in_spool, running_node, spooled_objects, target_of, write_trust_file
from tests.peers.processes import wait_until
from tests.synthetic.studies import MadeStudy, data_set_bytes, make_study, rewritten

pytestmark = pytest.mark.peers("dcmtk")


@pytest.fixture
def study(tmp_path: Path) -> MadeStudy:
    return make_study(tmp_path / "images", slices=2)


@pytest.fixture
def trust_file(tmp_path: Path) -> Path:
    return write_trust_file(tmp_path / "node", settle_quiet_s=0.3)


def bytes_of(node: NodeApp, sop_instance_uid: str) -> bytes:
    stored = node.store.catalogue.find_instance(sop_instance_uid)
    assert stored is not None
    assert stored.location is not None
    return bytes(node._spool.read_data_set(stored.location))


def archived(trust_file: Path, study: MadeStudy) -> None:
    """Send the study to a node and stop that node once everything is archived."""
    with running_node(trust_file) as node:
        assert dcmtk.send([file.path for file in study.files], target_of(node)).ok
        wait_until(lambda: archived_digests(trust_file.parent) == study.digests, "archived")


def test_a_repeat_of_a_rotten_image_is_kept_in_its_place(trust_file: Path, study: MadeStudy) -> None:
    archived(trust_file, study)
    content = data_set_bytes(study.files[0].path.read_bytes())
    rot_in_spool(trust_file.parent / "data", content)
    with running_node(trust_file) as node:
        assert dcmtk.send([study.files[0].path], target_of(node)).ok
        assert node.store.catalogue.committer.wait_until_committed(10)
        assert bytes_of(node, study.files[0].sop_instance_uid) == content


def test_a_spool_that_is_gone_is_told_and_filled_again(trust_file: Path, study: MadeStudy) -> None:
    archived(trust_file, study)
    shutil.rmtree(trust_file.parent / "data/spool")
    with running_node(trust_file) as node:
        assert "objects in the spool are damaged" in " ".join(node.health().reasons)
        assert dcmtk.send([file.path for file in study.files], target_of(node)).ok
        assert node.store.catalogue.committer.wait_until_committed(10)
        for file in study.files:
            assert bytes_of(node, file.sop_instance_uid) == data_set_bytes(file.path.read_bytes())


def test_a_quarantined_object_that_is_gone_is_kept_again(trust_file: Path, study: MadeStudy, tmp_path: Path) -> None:
    archived(trust_file, study)
    changed = rewritten(study.files[0], tmp_path / "changed", SeriesDescription="another")
    with running_node(trust_file) as node:
        assert "Error: CannotUnderstand" in dcmtk.send_with_storescu([changed.path], target_of(node)).output
    content = data_set_bytes(changed.path.read_bytes())
    rot_in_spool(trust_file.parent / "data", content)
    with running_node(trust_file) as node:
        assert "Error: CannotUnderstand" in dcmtk.send_with_storescu([changed.path], target_of(node)).output
        assert node.health().quarantined == 1
    assert content in spooled_objects(trust_file.parent / "data").values()
