"""A report document that is refused at C-STORE waits for a person like any refused report, and its alert for nobody."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_nodes.app import NodeApp
from dicom_nodes.contract import InstanceQuarantined, ReportRefused
from dicom_nodes.dimse.association import Proposal
from dicom_nodes.dimse.messages import StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.documents.structured_report import BASIC_TEXT_SR
from dicom_nodes.encoding.part10 import data_set_of
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.model.delivery import ApplicationEntity
from tests.fakes.report_samples import NHS_NUMBER, STUDY_UID
from tests.peers.node import facts_of, peer, running_node, write_trust_file
from tests.unit.documents.test_structured_report import code, content, encoded, opened


@pytest.mark.parametrize("receivers", [0, 1])
def test_a_refused_document_says_its_alert_codes_and_whose_it_is_once(tmp_path: Path, receivers: int) -> None:
    workstation = peer("DCMTK", "workstation", ("store",))
    unreadable, other = alerting("2.25.1", content("TABLE", "Measured")), alerting("2.25.2")
    with running_node(write_trust_file(tmp_path, peers=[workstation], receivers=receivers)) as node:
        assert [send(node, unreadable, "2.25.1") for _ in range(2)] == [0xC000, 0xC000]
        assert send(node, unreadable[:-10], "2.25.1") == 0xC000
        assert send(node, other, "2.25.3") == 0xA900
        facts = facts_of(node)
        refused = [fact for fact in facts if isinstance(fact, ReportRefused)]
        kept = node.store.orders.refused_original(refused[0].refusal_id)
    assert sum(isinstance(fact, InstanceQuarantined) for fact in facts) == 3
    read, damaged, announced_as_another = refused
    assert [(one.channel, one.answer) for one in refused] == [("dicom_sr", "C000")] * 2 + [("dicom_sr", "A900")]
    assert "value type that is not read here" in read.reason
    assert [(one.value, one.scheme) for one in read.alert_codes] == [("CRITICAL", "99ALERT")]
    assert (read.looked_through, read.changes, read.study_instance_uid) == (True, False, STUDY_UID)
    assert read.patient is not None
    assert read.patient.nhs_number == NHS_NUMBER
    assert kept is not None
    assert data_set_of(kept) == unreadable
    assert (damaged.looked_through, damaged.patient) == (False, None)
    assert [one.value for one in announced_as_another.alert_codes] == ["CRITICAL"]
    assert announced_as_another.patient is None


def test_other_content_under_a_known_uid_says_its_alert_codes(tmp_path: Path) -> None:
    workstation = peer("DCMTK", "workstation", ("store",))
    with running_node(write_trust_file(tmp_path, peers=[workstation])) as node:
        assert send(node, alerting("2.25.1", content("TEXT", "Also", TextValue="Clear.")), "2.25.1") == 0
        assert send(node, alerting("2.25.1"), "2.25.1") == 0xC000
        (refused,) = [fact for fact in facts_of(node) if isinstance(fact, ReportRefused)]
    assert [one.value for one in refused.alert_codes] == ["CRITICAL"]
    assert "same SOP Instance UID" in refused.reason


def alerting(sop_instance_uid: str, *also: Dataset) -> bytes:
    document = opened()
    document.SOPInstanceUID = sop_instance_uid
    finding = content("CODE", "Alert", ConceptCodeSequence=[code("Critical finding", "CRITICAL", "99ALERT")])
    document.ContentSequence = [content("TEXT", "Finding", TextValue="Bleed.", ContentSequence=[finding]), *also]
    return encoded(document)


def send(node: NodeApp, data_set: bytes, sop_instance_uid: str) -> int:
    to = ApplicationEntity("RXN_NODE", "127.0.0.1", node.dicom_port)
    association = AssociationRequester("DCMTK")(to, [Proposal(BASIC_TEXT_SR, (EXPLICIT_VR_LITTLE_ENDIAN,))])
    try:
        request = StoreRequest(association.contexts[0], 1, BASIC_TEXT_SR, sop_instance_uid, data_set)
        return association.request(request).status
    finally:
        association.release()
