"""Encapsulated PDF from a workstation by C-STORE: a report with its text, or quarantined with its reason."""

from pathlib import Path

import pytest

from dicom_nodes.app import NodeApp
from dicom_nodes.contract import InstanceQuarantined, ReportReceived
from dicom_nodes.dimse.association import Proposal
from dicom_nodes.dimse.messages import StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.model.delivery import ApplicationEntity
from tests.fakes.pdf_samples import pdf_of, picture_pdf
from tests.peers.node import facts_of, peer, running_node, spooled_objects, write_trust_file
from tests.unit.documents.test_foreign_documents import pdf_document
from tests.unit.documents.test_structured_report import encoded

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"


@pytest.mark.parametrize("receivers", [0, 1])
def test_a_pdf_is_a_report_and_one_without_text_waits_with_its_reason(tmp_path: Path, receivers: int) -> None:
    workstation = peer("DCMTK", "workstation", ("store",))
    with running_node(write_trust_file(tmp_path / "node", peers=[workstation], receivers=receivers)) as node:
        assert send(node, pdf_of("CT head: no bleed < 5 mm."), "2.25.1") == (0, "")
        assert send(node, picture_pdf(), "2.25.2") == (0xC000, "page 1 of the PDF is a picture without text")
        facts = facts_of(node)
    (report,) = [fact for fact in facts if isinstance(fact, ReportReceived)]
    assert (report.channel, report.text, report.status) == ("encapsulated_pdf", "CT head: no bleed < 5 mm.", "F")
    (aside,) = [fact for fact in facts if isinstance(fact, InstanceQuarantined)]
    assert (aside.sop_instance_uid, aside.reason) == ("2.25.2", "page 1 of the PDF is a picture without text")
    (kept,) = spooled_objects(tmp_path / "node/data").values()
    assert picture_pdf() in kept


def send(node: NodeApp, pdf: bytes, sop_instance_uid: str) -> tuple[int, str]:
    """(status, comment)."""
    data_set = encoded(pdf_document(pdf, SOPInstanceUID=sop_instance_uid))
    to = ApplicationEntity("RXN_NODE", "127.0.0.1", node.dicom_port)
    association = AssociationRequester("DCMTK")(to, [Proposal(ENCAPSULATED_PDF, (EXPLICIT_VR_LITTLE_ENDIAN,))])
    try:
        answer = association.request(
            StoreRequest(association.contexts[0], 1, ENCAPSULATED_PDF, sop_instance_uid, data_set)
        )
    finally:
        association.release()
    return answer.status, answer.comment
