"""Hazard 4: success is answered only when a power cut in that instant would lose nothing (promises 1 and 2)."""

from pathlib import Path

import pytest

from tests.peers import dcmtk
from tests.peers.node import archived_digests, running_node, spooled_objects, target_of, write_trust_file
from tests.peers.power_cut import PowerCut
from tests.peers.processes import wait_until
from tests.peers.watched_receiver import watched_receivers
from tests.synthetic.studies import make_study

pytestmark = pytest.mark.peers("dcmtk")


def test_what_was_acknowledged_is_in_what_a_power_cut_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study(tmp_path / "images", slices=4)
    power = PowerCut(monkeypatch)
    with running_node(write_trust_file(tmp_path / "before", settle_quiet_s=60)) as node:
        answer = dcmtk.send_with_storescu([file.path for file in study.files], target_of(node))
        assert answer.output.count("Received Store Response (Success)") == 4
        power.leave(tmp_path / "before/data/spool", tmp_path / "after/data/spool")
    after = write_trust_file(tmp_path / "after", settle_quiet_s=0.2)
    with running_node(after):
        wait_until(lambda: len(archived_digests(tmp_path / "after")) == 4, "everything acknowledged is archived")
    assert archived_digests(tmp_path / "after") == study.digests


def test_what_receivers_acknowledged_is_in_what_a_power_cut_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their segments' names are the main process's to make durable, their records their own."""
    study = make_study(tmp_path / "images", slices=4)
    power = PowerCut(monkeypatch)
    synced = tmp_path / "synced"
    synced.mkdir()
    file = write_trust_file(tmp_path / "before", settle_quiet_s=60, receivers=2)
    with running_node(file, receiver_command=watched_receivers(synced)) as node:
        for image in study.files:
            assert dcmtk.send([image.path], target_of(node)).ok
        power.leave(tmp_path / "before/data/spool", tmp_path / "after/data/spool")
    for segment in (tmp_path / "after/data/spool/segments").iterdir():
        if (synced / segment.name).exists():
            segment.write_bytes((synced / segment.name).read_bytes())
    after = write_trust_file(tmp_path / "after", settle_quiet_s=0.2)
    with running_node(after):
        wait_until(lambda: len(archived_digests(tmp_path / "after")) == 4, "everything acknowledged is archived")
    assert archived_digests(tmp_path / "after") == study.digests


def test_the_power_cut_itself_forgets_what_was_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the control: a spool that does not sync what it writes loses everything in this test."""
    monkeypatch.setattr("dicom_nodes.spool.disk.Disk.sync", lambda _disk, _descriptor: None)
    study = make_study(tmp_path / "images", slices=1)
    power = PowerCut(monkeypatch)
    with running_node(write_trust_file(tmp_path / "before", settle_quiet_s=60)) as node:
        assert dcmtk.send([study.files[0].path], target_of(node)).ok
        power.leave(tmp_path / "before/data/spool", tmp_path / "after/spool")
    assert spooled_objects(tmp_path / "after") == {}
