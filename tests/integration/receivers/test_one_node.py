"""A node of several processes on one port is one node to whoever calls it."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from dicom_nodes.app import NodeApp
from dicom_nodes.contract import StudyArchived, StudySettled
from dicom_nodes.dimse.association import Proposal
from dicom_nodes.dimse.messages import StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester, OpenedAssociation, Timeouts
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import PeerFailed
from tests.peers import dcmtk
from tests.peers.node import MODALITY, archived_digests, facts_of, peer, running_node, target_of, write_trust_file
from tests.peers.processes import wait_until
from tests.peers.workflow import WorkflowPeer, running_peer
from tests.synthetic.small_instances import CT, small_data_set, uid_of
from tests.synthetic.studies import MadeStudy, digest_of_file, make_study, rewritten

pytestmark = pytest.mark.peers("dcmtk")
VERIFICATION = Proposal("1.2.840.10008.1.1", ("1.2.840.10008.1.2",))


@dataclass(frozen=True)
class Running:
    node: NodeApp
    folder: Path
    modality: WorkflowPeer


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("receivers")
    modest = peer("MODEST", "modality", ("echo",)) + "maximum_associations = 1\n"
    with running_peer("MODALITY") as modality:
        asking = peer(modality.ae_title, "modality", ("store", "commit"), modality.address)
        file = write_trust_file(folder, receivers=2, settle_quiet_s=0.3, peers=(MODALITY, modest, asking))
        with running_node(file) as node:
            yield Running(node, folder, modality)
        assert node.store.catalogue.committer.set_aside == 0


@pytest.fixture
def study(running: Running, tmp_path: Path) -> MadeStudy:
    """One that was sent, each instance on an association of its own: to whichever process takes it."""
    made = make_study(tmp_path / "images", slices=4)
    for image in made.files:
        assert dcmtk.send([image.path], target_of(running.node)).ok
    return made


def test_a_study_is_taken_settled_and_archived(running: Running, study: MadeStudy) -> None:
    node = running.node
    uid = study.study_instance_uid

    def archived() -> list[StudyArchived]:
        told = [fact for fact in facts_of(node) if isinstance(fact, StudyArchived) and fact.study_instance_uid == uid]
        return [fact for fact in told if fact.instance_count == len(study.files)]

    wait_until(archived, "told that it is archived")
    assert study.digests.items() <= archived_digests(running.folder).items()
    settled = [fact for fact in facts_of(node) if isinstance(fact, StudySettled)]
    (*_, manifest) = [fact.manifest for fact in settled if fact.study.study_instance_uid == uid]
    assert {entry.sop_instance_uid: entry.digest for entry in manifest.entries} == study.digests


def test_whoever_asks_any_of_them_is_told_of_what_all_took(running: Running, study: MadeStudy, tmp_path: Path) -> None:
    uid = study.study_instance_uid
    keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={uid}", "NumberOfStudyRelatedInstances"]
    _, found = dcmtk.find(target_of(running.node), keys)
    assert [int(answer.NumberOfStudyRelatedInstances) for answer in found] == [len(study.files)]
    assert dcmtk.get(target_of(running.node), keys[:2], tmp_path / "got").ok
    assert sorted(map(digest_of_file, (tmp_path / "got").iterdir())) == sorted(study.digests.values())


def test_the_same_uid_and_the_same_study_are_judged_once_for_all(
    running: Running, study: MadeStudy, tmp_path: Path
) -> None:
    first, second, *_ = study.files
    before = running.node.health().quarantined
    stranger = rewritten(first, tmp_path / "stranger", PatientID="H-OTHER", SOPInstanceUID="1.2.3.4.5")
    for _ in range(3):
        other = rewritten(second, tmp_path / "other", SeriesDescription="other content")
        assert "Error: CannotUnderstand" in dcmtk.send_with_storescu([other.path], target_of(running.node)).output
        assert "Error: CannotUnderstand" in dcmtk.send_with_storescu([stranger.path], target_of(running.node)).output
        assert dcmtk.send([first.path], target_of(running.node)).ok, "known already"
    assert running.node.health().quarantined == before + 2


class Contradicting:
    """Sends study after study, as others do who say another patient or send other bytes; remembers what was taken."""

    def __init__(self, node: NodeApp, patient_id: str, seed: int) -> None:
        self._node, self._patient_id, self._seed = node, patient_id, seed
        self.taken: dict[str, str] = {}
        """SOP Instance UID or Study Instance UID → what of the contradicting things was acknowledged."""

    def run(self) -> None:
        to = ApplicationEntity("RXN_NODE", "127.0.0.1", self._node.dicom_port)
        for study in range(1, 16):
            association = AssociationRequester("DCMTK")(to, [Proposal(CT, (EXPLICIT_VR_LITTLE_ENDIAN,))])
            for number in (2 * study, 2 * study + 1):
                data_set = small_data_set(number, 2000, study=study, seed=self._seed, patient_id=self._patient_id)
                request = StoreRequest(association.contexts[0], 1, CT, uid_of(number), data_set)
                if association.request(request).status == 0:
                    self.taken |= {uid_of(number): f"{self._patient_id} {self._seed}", f"1.9.{study}": self._patient_id}
            association.release()


def test_contradicting_senders_at_once_are_never_both_believed(running: Running) -> None:
    senders = [Contradicting(running.node, patient, seed) for patient in ("P1", "P2") for seed in (1, 2)]
    threads = [threading.Thread(target=sender.run) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for uid in {uid for sender in senders for uid in sender.taken}:
        assert len({sender.taken[uid] for sender in senders if uid in sender.taken}) == 1
    assert {uid for sender in senders for uid in sender.taken} >= {f"1.9.{study}" for study in range(1, 16)}


def test_a_commitment_is_reported_on_the_association_that_waits_for_it(running: Running, study: MadeStudy) -> None:
    asked = [(image.sop_class_uid, image.sop_instance_uid) for image in study.files]
    running.modality.ask_commitment("RXN_NODE", running.node.dicom_port, asked, waits=True)
    report = running.modality.report()
    assert (report.type_id, report.same_association) == (1, True)
    assert len(report.attributes.ReferencedSOPSequence) == len(asked)


def test_a_peers_associations_are_counted_in_all_of_them_together(running: Running) -> None:
    held = call(running.node)
    refused = 0
    for _ in range(8):
        try:
            call(running.node).release()
        except PeerFailed:
            refused += 1
    held.release()
    assert refused == 8

    def has_room() -> bool:
        with suppress(PeerFailed):
            call(running.node).release()
            return True
        return False

    wait_until(has_room, "its place is given back")


def call(node: NodeApp) -> OpenedAssociation:
    to = ApplicationEntity("RXN_NODE", "127.0.0.1", node.dicom_port)
    return AssociationRequester("MODEST", timeouts=Timeouts(5, 5, 5))(to, [VERIFICATION])
