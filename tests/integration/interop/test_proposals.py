"""Association requests as dcm4che's tools and odd modalities write them, and what the node makes of each part.

dcm4che itself is not on the test machine: its proposals are written with our own upper layer, item by item.
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from pynetdicom.sop_class import _STORAGE_CLASSES

from dicom_nodes.dimse import message_codec as codec
from dicom_nodes.dimse.association_link import AssociationLink
from dicom_nodes.dimse.messages import PresentationContext, StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.upper_layer.association_pdus import AssociateAccept, AssociateRequest
from dicom_nodes.upper_layer.dimse_provider import CommandReceived
from dicom_nodes.upper_layer.negotiation import negotiated_contexts
from dicom_nodes.upper_layer.presentation_contexts import ContextResult, ProposedContext
from dicom_nodes.upper_layer.user_information import (
    AsynchronousOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserInformation,
)
from tests.integration.dimse.node import QUICK, WireNode, bundled, data_set_of, digest
from tests.integration.interop.conftest import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT

CT, ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1"
STORAGE_SERVICE = "1.2.840.10008.4.2"
JPEG_LOSSLESS, J2K, RLE = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
PRIVATE_CLASS, PRIVATE_SYNTAX = "1.3.12.2.1107.5.9.1", "1.2.840.113619.5.2"
STUDY_ROOT_FIND, STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.3"
UNKNOWN_SERVICE = "1.2.840.10008.5.1.1.9"  # Basic Grayscale Print Management


@contextmanager
def proposing(
    node: WireNode, contexts: Sequence[ProposedContext], information: UserInformation | None = None
) -> Iterator[tuple[AssociationLink, AssociateRequest, AssociateAccept]]:
    """Propose exactly these; yields the wire, what was asked and what was answered."""
    request = AssociateRequest(
        "NODE", "DCMTK", tuple(contexts), information or UserInformation(16_384, "1.2.40.0.13.1.3")
    )
    link = AssociationRequester("DCMTK", QUICK)._link(socket.create_connection(("127.0.0.1", node.port)))
    try:
        link.upper.associate(request)
        link.upper.connected()
        accept = link.next_event(5)
        assert isinstance(accept, AssociateAccept)
        yield link, request, accept
    finally:
        link.upper.abort()
        link.close()


def store(link: AssociationLink, context: PresentationContext, uid: str, data: bytes) -> int | None:
    link.dimse.use_contexts({context.id: context})
    link.send(context.id, *codec.request_message(StoreRequest(context, 1, context.abstract_syntax, uid, data)))
    answer = link.next_event(5)
    assert isinstance(answer, CommandReceived)
    return answer.command.status


def numbered(proposals: Sequence[tuple[str, tuple[str, ...]]]) -> list[ProposedContext]:
    return [ProposedContext(2 * number + 1, *proposal) for number, proposal in enumerate(proposals)]


def test_one_hundred_and_twenty_eight_contexts_with_every_syntax_are_each_answered(node: WireNode) -> None:
    """dcm4che's storescu: one context for each class and syntax, up to the limit."""
    syntaxes = (EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG_LOSSLESS, J2K, RLE)
    classes = list(dict.fromkeys(str(uid) for uid in _STORAGE_CLASSES.values()))
    proposals = [(uid, (syntax,)) for uid in classes for syntax in syntaxes][:128]

    with proposing(node, numbered(proposals)) as (link, request, accept):
        agreed = negotiated_contexts(request, accept)
        assert [(context.abstract_syntax, context.transfer_syntax) for context in agreed] == [
            (uid, syntaxes[0]) for uid, syntaxes in proposals
        ]
        last = agreed[-1]
        context = PresentationContext(last.id, last.abstract_syntax, last.transfer_syntax)
        assert store(link, context, "1.2.3", b"data") == 0

    assert last.id == 255
    assert node.received[0].transfer_syntax_uid == last.transfer_syntax


def test_several_contexts_of_one_class_keep_their_own_syntax(node: WireNode) -> None:
    proposals = numbered([(CT, (JPEG_LOSSLESS, EXPLICIT)), (CT, (IMPLICIT,)), (CT, (PRIVATE_SYNTAX,)), (CT, (RLE,))])

    with proposing(node, proposals) as (link, request, accept):
        agreed = negotiated_contexts(request, accept)
        for context in agreed:
            here = PresentationContext(context.id, context.abstract_syntax, context.transfer_syntax)
            assert store(link, here, f"1.2.{context.id}", b"data") == 0

    syntaxes = [JPEG_LOSSLESS, IMPLICIT, PRIVATE_SYNTAX, RLE]
    assert [context.transfer_syntax for context in agreed] == syntaxes
    assert [incoming.transfer_syntax_uid for incoming in node.received] == syntaxes


def test_what_is_not_served_is_refused_context_by_context(node: WireNode) -> None:
    proposals = numbered(
        [
            (UNKNOWN_SERVICE, (IMPLICIT,)),
            (PRIVATE_CLASS, (PRIVATE_SYNTAX,)),
            (STUDY_ROOT_FIND, (JPEG_LOSSLESS,)),
            (CT, (EXPLICIT,)),
        ]
    )

    with proposing(node, proposals) as (_link, _request, accept):
        results = [context.result for context in accept.contexts]

    assert results == [
        ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED,
        ContextResult.ACCEPTANCE,
        ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED,
        ContextResult.ACCEPTANCE,
    ]


def test_extended_negotiation_of_storage_and_related_classes_is_passed_over(node: WireNode) -> None:
    """SOP Class Extended (PS3.4 B.3.1) and Common Extended Negotiation (PS3.7 D.3.3.6), as dcm4che sends them."""
    information = UserInformation(
        16_384,
        "1.2.40.0.13.1.3",
        "dcm4che-5.33.1",
        window=AsynchronousOperationsWindow(0, 0),
        roles=(RoleSelection(CT, scu=True, scp=False), RoleSelection(ENHANCED_CT, scu=True, scp=True)),
        extended=(ExtendedNegotiation(CT, b"\2\0\2\0\0\0"), ExtendedNegotiation(STUDY_ROOT_FIND, b"\1\1\1\1\1")),
        common_extended=(
            CommonExtendedNegotiation(PRIVATE_CLASS, STORAGE_SERVICE, (CT, ENHANCED_CT)),
            CommonExtendedNegotiation(ENHANCED_CT, STORAGE_SERVICE),
        ),
    )
    proposals = numbered([(CT, (EXPLICIT,)), (ENHANCED_CT, (EXPLICIT,)), (STUDY_ROOT_FIND, (IMPLICIT,))])

    with proposing(node, proposals, information) as (link, request, accept):
        agreed = negotiated_contexts(request, accept)
        context = PresentationContext(agreed[0].id, agreed[0].abstract_syntax, agreed[0].transfer_syntax)
        assert store(link, context, "1.2.3", b"data") == 0

    answered = accept.user_information
    assert [item.sop_class_uid for item in answered.extended] == [STUDY_ROOT_FIND]
    assert answered.extended[0].application_information == b"\1\0\0\0\0"  # relational queries, and nothing else
    assert answered.common_extended == ()  # it has no answer (PS3.7 D.3.3.6.2)
    assert answered.window == AsynchronousOperationsWindow(1, 1)  # beside queries, which can be cancelled
    assert {role.sop_class_uid: (role.scu, role.scp) for role in answered.roles} == {
        CT: (True, False),
        ENHANCED_CT: (True, True),
    }


def test_get_is_proposed_with_roles_for_every_storage_class(node: WireNode) -> None:
    """dcm4che's getscu: the retrieve model, and 127 storage classes in the SCP role."""
    uid, kept = node.keep_file(bundled("CT_small.dcm"))
    classes = list(dict.fromkeys([CT, *(str(uid) for uid in _STORAGE_CLASSES.values())]))[:127]
    information = UserInformation(0, "1.2.40.0.13.1.3", roles=tuple(RoleSelection(c, False, True) for c in classes))
    proposals = numbered([(STUDY_ROOT_GET, (IMPLICIT,)), *((c, (EXPLICIT, IMPLICIT)) for c in classes)])

    with proposing(node, proposals, information) as (_link, request, accept):
        agreed = negotiated_contexts(request, accept)

    assert len(agreed) == 128
    assert all(context.requester_is_scp for context in agreed[1:])
    assert uid
    assert kept


@pytest.mark.parametrize("maximum_length", [0, 7, 4096, 0xFFFFFFFF])
def test_answers_fit_into_what_the_peer_takes(node: WireNode, maximum_length: int) -> None:
    with proposing(node, numbered([(CT, (EXPLICIT,))]), UserInformation(maximum_length, "1.2.3")) as (link, _, accept):
        context = PresentationContext(1, CT, EXPLICIT)
        assert accept.user_information.maximum_length == 262_144
        assert store(link, context, "1.2.3", b"data") == 0


@pytest.mark.parametrize("name", ["MR_small_bigendian.dcm", "image_dfl.dcm"])
@pytest.mark.parametrize("sop_class", [PRIVATE_CLASS, "1.2.840.10008.5.1.4.1.1.3", "1.2.840.10008.5.1.4.1.1.6"])
def test_rare_syntaxes_of_private_and_retired_classes_are_stored_unchanged(
    node: WireNode, name: str, sop_class: str
) -> None:
    """Retired: Ultrasound Multi-frame and Ultrasound Image Storage of 1993. The bytes are kept, whatever they are."""
    meta, data_set = data_set_of(bundled(name))
    syntax = str(meta.TransferSyntaxUID)

    with proposing(node, numbered([(sop_class, (syntax,))])) as (link, _request, _accept):
        assert store(link, PresentationContext(1, sop_class, syntax), "1.2.3", data_set) == 0

    assert [digest(bytes(incoming.data_set)) for incoming in node.received] == [digest(data_set)]
    assert node.received[0].transfer_syntax_uid == syntax
