"""Hazard 6: the same SOP Instance UID with other bytes; both are kept, the second aside, in whichever order."""

from pathlib import Path

import pytest

from dicom_nodes.app import NodeApp
from dicom_nodes.contract import InstanceQuarantined, ReportReceived
from dicom_nodes.dimse.association import Proposal
from dicom_nodes.dimse.messages import StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.documents.structured_report import StructuredReports
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.model.delivery import ApplicationEntity
from tests.fakes.report_samples import outgoing_report
from tests.peers import dcmtk
from tests.peers.node import facts_of, peer, running_node, spooled_objects, target_of, write_trust_file
from tests.synthetic.studies import data_set_bytes, make_study, rewritten

pytestmark = pytest.mark.peers("dcmtk")


@pytest.mark.parametrize(("changed_first", "receivers"), [(False, 0), (True, 2)])
def test_both_contents_are_kept_and_the_second_is_shown(tmp_path: Path, changed_first: bool, receivers: int) -> None:
    study = make_study(tmp_path / "images", slices=1)
    original = study.files[0]
    changed = rewritten(original, tmp_path / "changed", SeriesDescription="other content")
    first, second = (changed, original) if changed_first else (original, changed)
    with running_node(write_trust_file(tmp_path / "node", receivers=receivers)) as node:
        assert dcmtk.send([first.path], target_of(node)).ok
        refused = dcmtk.send_with_storescu([second.path], target_of(node))
        assert "Error: CannotUnderstand" in refused.output
        kept = node.store.catalogue.find_instance(original.sop_instance_uid)
        assert kept is not None
        assert kept.digest == first.digest
        shown = [body for body in facts_of(node) if isinstance(body, InstanceQuarantined)]
    assert [fact.sop_instance_uid for fact in shown] == [original.sop_instance_uid]
    contents = list(spooled_objects(tmp_path / "node/data").values())
    assert contents == [data_set_bytes(first.path.read_bytes()), data_set_bytes(second.path.read_bytes())]


def test_the_same_bytes_again_are_a_success_and_change_nothing(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=1)
    with running_node(write_trust_file(tmp_path / "node")) as node:
        for _ in range(3):
            assert dcmtk.send([study.files[0].path], target_of(node)).ok
        assert node.health().quarantined == 0
        assert len(node.store.catalogue.instances(study.study_instance_uid)) == 1


@pytest.mark.parametrize("receivers", [0, 1])
def test_a_report_document_with_a_known_uid_and_other_words_is_kept_aside(tmp_path: Path, receivers: int) -> None:
    workstation = peer("DCMTK", "workstation", ("store",))
    texts = ("No haemorrhage.", "Large haemorrhage.")
    with running_node(write_trust_file(tmp_path / "node", peers=[workstation], receivers=receivers)) as node:
        answers = [store_report(node, text) for text in (*texts, texts[0], texts[1])]
        assert [status for status, _ in answers] == [0, 0xC000, 0, 0xC000]
        assert answers[1][1] == "same SOP Instance UID is here with other content"
        facts = facts_of(node)
    assert [fact.text for fact in facts if isinstance(fact, ReportReceived)] == [texts[0]]
    (aside,) = [fact for fact in facts if isinstance(fact, InstanceQuarantined)]
    (kept,) = spooled_objects(tmp_path / "node/data").values()
    assert aside.reason == "same SOP Instance UID is here with other content"
    assert StructuredReports().read(kept, EXPLICIT_VR_LITTLE_ENDIAN).text == texts[1]


def store_report(node: NodeApp, text: str) -> tuple[int, str]:
    """Send a report document whose UID is the same for every text; (status, comment)."""
    document = StructuredReports().write(outgoing_report(text=text))
    to = ApplicationEntity("RXN_NODE", "127.0.0.1", node.dicom_port)
    proposal = Proposal(document.sop_class_uid, (document.transfer_syntax_uid,))
    association = AssociationRequester("DCMTK")(to, [proposal])
    try:
        answer = association.request(
            StoreRequest(
                association.contexts[0], 1, document.sop_class_uid, document.sop_instance_uid,
                document.read_data_set(),
            )
        )  # fmt: skip
    finally:
        association.release()
    return answer.status, answer.comment
