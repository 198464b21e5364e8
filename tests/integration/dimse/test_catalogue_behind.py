"""While the catalogue's rows are behind what was acknowledged, less than everything is never told or sent as all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_nodes.dimse.association import Proposal
from dicom_nodes.dimse.identifier import encode_identifier
from dicom_nodes.dimse.messages import FindRequest, GetRequest, MoveRequest, PresentationContext, Request
from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.model.query import QueryLevel
from tests.integration.dimse.node import QUICK, WireNode, bundled, peer, running_node
from tests.peers.processes import free_port

EXPLICIT = "1.2.840.10008.1.2.1"
FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{n}" for n in (1, 2, 3))
COMMENT = "catalogue is behind, try again"


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[WireNode]:
    workstation = peer("STATION", role="workstation", address=f"127.0.0.1:{free_port()}")
    with running_node(tmp_path, f"sqlite:///{tmp_path / 'node.db'}", peer("DCMTK"), workstation) as node:
        node.keep_file(bundled("CT_small.dcm"))
        node.caught_up = False
        yield node


def request_of(sop_class: str, context: PresentationContext, identifier: bytes) -> Request:
    if sop_class == FIND:
        return FindRequest(context, 1, FIND, identifier)
    if sop_class == GET:
        return GetRequest(context, 1, GET, identifier)
    return MoveRequest(context, 1, MOVE, identifier, "STATION")


def ask(node: WireNode, sop_class: str, level: QueryLevel = QueryLevel.STUDY) -> tuple[int, str]:
    association = AssociationRequester("DCMTK", QUICK)(node.entity, [Proposal(sop_class, (EXPLICIT,))])
    identifier = encode_identifier(level, {"StudyInstanceUID": "1.2.3"}, EXPLICIT)
    answer = association.request(request_of(sop_class, association.contexts[0], identifier))
    association.release()
    return answer.status, answer.comment


@pytest.mark.parametrize(("sop_class", "status"), [(FIND, 0xA700), (GET, 0xA702), (MOVE, 0xA702)])
def test_queries_and_retrieves_are_refused_until_it_has_caught_up(
    behind: WireNode, sop_class: str, status: int
) -> None:
    assert ask(behind, sop_class) == (status, COMMENT)
    behind.caught_up = True
    assert ask(behind, sop_class) == (0x0000, "")


@pytest.mark.parametrize("sop_class", [FIND, GET, MOVE])
def test_an_identifier_that_is_wrong_is_told_at_once(behind: WireNode, sop_class: str) -> None:
    status, comment = ask(behind, sop_class, QueryLevel.PATIENT)
    assert status == 0xA900
    assert comment != COMMENT
