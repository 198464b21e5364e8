"""kill -9 of a node after each step of letting go of a study: only what the archive has is gone."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from readacross.cli import command_line
from tests.peers import dcmtk
from tests.peers.dcmtk import Target
from tests.peers.node import archived_digests, running_node, target_of, write_trust_file
from tests.peers.processes import RunningProcess, free_port, wait_until
from tests.synthetic.studies import digest_of_file, make_study, rewritten

pytestmark = pytest.mark.peers("dcmtk")

LET_GO_AT_ONCE = """
[spool]
keep_days = 0.00001
keep_at_least_minutes = 0
grace_s = 0
make_room_below_mib = 1000000000
make_room_until_mib = 1000000000
"""
STEPS = ["evict.evicted", "evict.copied", "evict.moved", "evict.released"]


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_lost(tmp_path: Path, step: str) -> None:
    study = make_study(tmp_path / "images", "CR", slices=32)
    next_study = make_study(tmp_path / "next", "CR", slices=32)
    aside = rewritten(study.files[0], tmp_path / "aside", PatientComments="other content")
    port = free_port()
    file = write_trust_file(tmp_path / "node", port=port, settle_quiet_s=0.3)
    file.write_text(file.read_text() + LET_GO_AT_ONCE)
    paths = [image.path for image in study.files]
    with RunningProcess([sys.executable, "-m", "tests.peers.crashing_node", file, step, "1"]) as process:
        process.wait_for_line("listening")
        target = Target("RXN_NODE", port)
        dcmtk.send([paths[0]], target)
        dcmtk.send([aside.path], target)
        assert dcmtk.send(paths[1:], target).ok
        assert dcmtk.send([image.path for image in next_study.files], target).ok
        assert process.wait(40) == -9, process.output
    with running_node(file) as node:
        catalogue, spool = node.store.catalogue, node._spool
        held = catalogue.instances(study.study_instance_uid)
        assert {item.sop_instance_uid: item.digest for item in held} == study.digests
        assert all(spool.is_sound(item.location) for item in held if item.location is not None)
        assert study.digests.items() <= archived_digests(tmp_path / "node").items()
        wait_until(lambda: node.store.eviction.little_wanted(1 << 20) == [], "what is wanted was copied out")
        wait_until(lambda: node.store.eviction.unwanted() == [], "the segment was released")
        assert dcmtk.send(paths, target_of(node)).ok
        assert node.health().quarantined == 1
    said = CliRunner().invoke(command_line(), ["export", str(file), "--all", "--to", str(tmp_path / "out")])
    (kept_aside,) = (tmp_path / "out" / "quarantined").glob("*.dcm")
    assert digest_of_file(kept_aside) == aside.digest, said.output
