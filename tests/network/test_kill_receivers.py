"""kill -9 of a receiver, or of the main process beside its receivers: nothing acknowledged is lost, what was durable
and not yet told of is known before anything that contradicts it is taken (ADR 053).
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dicom_nodes.app import NodeApp
from dicom_nodes.flows.register import Candidate, CatalogueRegister, Judgement
from dicom_nodes.spool.segments import SegmentSpool, Spooled
from tests.peers import dcmtk
from tests.peers.crashing_receiver import crashing_receivers
from tests.peers.dcmtk import Target
from tests.peers.node import archived_digests, running_node, target_of, write_trust_file
from tests.peers.processes import RunningProcess, free_port, wait_until
from tests.synthetic.studies import make_study, rewritten

pytestmark = pytest.mark.peers("dcmtk")

STEPS = ("ingest.kept", "ingest.noted")
"""Between the sync and the word to the main process, and between its word and the answer."""


@pytest.mark.parametrize("step", STEPS)
def test_a_receiver_that_dies_loses_nothing_and_is_started_again(tmp_path: Path, step: str) -> None:
    study = make_study(tmp_path / "images", slices=4)
    paths = [image.path for image in study.files]
    file = write_trust_file(tmp_path / "node", receivers=1, settle_quiet_s=0.3)
    command = crashing_receivers(step, 2, tmp_path / "has-died")
    with running_node(file, receiver_command=command) as node:
        said = dcmtk.send_with_storescu(paths, target_of(node)).output
        assert (tmp_path / "has-died").exists()
        assert said.count("Received Store Response (Success)") == 1
        wait_until(lambda: "1 of the node's receivers" in " ".join(node.health().reasons), "health tells of it")
        wait_until(lambda: is_known(node, study.files[1].sop_instance_uid), "what was durable is known")
        wait_until(lambda: node.health().state == "ok", "it listens again")
        assert dcmtk.send(paths, target_of(node)).ok
        known = node.store.catalogue.instances(study.study_instance_uid)
        assert {stored.sop_instance_uid: stored.digest for stored in known} == study.digests
        assert node.health().quarantined == 0


def is_known(node: NodeApp, sop_instance_uid: str) -> bool:
    return node.store.catalogue.find_instance(sop_instance_uid) is not None


class Haste:
    """Holds the walk through a dead receiver's segments back until somebody asks for the same study, and lets him have
    his answer first, if he is given one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._asked, self._answered = threading.Event(), threading.Event()
        self._is_judged, self._reclaimed = CatalogueRegister.judged, SegmentSpool.reclaimed
        monkeypatch.setattr(CatalogueRegister, "judged", lambda register, candidate: self._judged(register, candidate))
        monkeypatch.setattr(SegmentSpool, "reclaimed", lambda *arguments: self._walked(*arguments))

    @contextmanager
    def _judged(self, register: CatalogueRegister, candidate: Candidate) -> Iterator[Judgement]:
        is_stranger = candidate.header.patient_id == "H-OTHER"
        if is_stranger:
            self._asked.set()
        with self._is_judged(register, candidate) as judgement:
            if is_stranger:
                self._answered.set()
            yield judgement

    def _walked(self, *arguments: Any) -> Iterator[Spooled]:
        self._asked.wait(20)
        self._answered.wait(0.3)
        return self._reclaimed(*arguments)


def test_what_a_dead_receiver_had_made_durable_still_claims_its_uid_and_its_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazards 6 and 7 in the instant in which the main process does not yet know the instance."""
    Haste(monkeypatch)
    study = make_study(tmp_path / "images", slices=2)
    first, second = study.files
    stranger = rewritten(second, tmp_path / "stranger", PatientID="H-OTHER", IssuerOfPatientID="RXL")
    other_bytes = rewritten(first, tmp_path / "other", SeriesDescription="other content")
    file = write_trust_file(tmp_path / "node", receivers=2)
    command = crashing_receivers("spool.synced", 1, tmp_path / "has-died")
    with running_node(file, receiver_command=command) as node:
        assert "Success" not in dcmtk.send_with_storescu([first.path], target_of(node)).output
        refused = dcmtk.send_with_storescu([stranger.path], target_of(node)).output
        assert "Error: CannotUnderstand" in refused, "the other receiver took it for the study of another patient"
        assert "Error: CannotUnderstand" in dcmtk.send_with_storescu([other_bytes.path], target_of(node)).output
        assert dcmtk.send([second.path], target_of(node)).ok
        found = {stored.digest for stored in node.store.catalogue.instances(study.study_instance_uid)}
        assert found == set(study.digests.values())
        assert node.health().quarantined == 2


def test_receivers_end_with_their_main_process_and_nothing_is_lost(tmp_path: Path) -> None:
    """It is killed while a receiver holds an instance that is durable and that it was just told of."""
    study = make_study(tmp_path / "images", slices=4)
    paths = [image.path for image in study.files]
    port = free_port()
    file = write_trust_file(tmp_path / "node", port=port, settle_quiet_s=0.3, receivers=1)
    with RunningProcess([sys.executable, "-m", "tests.peers.crashing_node", file, "receiver.kept", "2"]) as process:
        process.wait_for_line("listening")
        said = dcmtk.send_with_storescu(paths, Target("RXN_NODE", port)).output
        assert process.wait(20) == -9, process.output
    acknowledged = said.count("Received Store Response (Success)")
    file = write_trust_file(tmp_path / "node", port=port, settle_quiet_s=0.3)
    with running_node(file) as node:
        wait_until(lambda: len(archived_digests(tmp_path / "node")) >= acknowledged, "the acknowledged archived")
        assert dcmtk.send(paths, target_of(node)).ok
        wait_until(lambda: archived_digests(tmp_path / "node") == study.digests, "all archived")
        assert node.health().quarantined == 0
