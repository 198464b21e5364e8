"""What we accept of a proposal: every storage class in every transfer syntax, and our own services (PS3.4 annexes)."""

from dicom_nodes.dimse.sop_classes import Service, known_transfer_syntax, service_of
from dicom_nodes.encoding.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_nodes.upper_layer.association_pdus import AssociateAccept, AssociateRequest
from dicom_nodes.upper_layer.negotiation import answer_contexts, answer_roles, preferred
from dicom_nodes.upper_layer.presentation_contexts import AnsweredContext, ContextResult, ProposedContext
from dicom_nodes.upper_layer.user_information import (
    AsynchronousOperationsWindow,
    ExtendedNegotiation,
    UserInformation,
)

_QUERY_TRANSFER_SYNTAXES = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"})
_MOST_OPERATIONS = 64
"""What a sender may have outstanding, or we towards a receiver; it waits in the connection, not in our memory."""
_OF_A_REQUESTING_SCP = frozenset({Service.STORE, Service.COMMITMENT})
"""C-GET sends to the requester; a commitment is reported by whoever promised it (DICOM PS3.4 J.3.3)."""
_ALONE = frozenset({Service.STORE, Service.ECHO})


def acceptance(request: AssociateRequest, maximum_length: int) -> AssociateAccept:
    """Our A-ASSOCIATE-AC; `maximum_length` is the largest P-DATA-TF we take in."""
    contexts = answer_contexts(request.contexts, _select)
    return AssociateAccept(
        request.called_ae_title,
        request.calling_ae_title,
        contexts,
        UserInformation(
            maximum_length,
            IMPLEMENTATION_CLASS_UID,
            IMPLEMENTATION_VERSION_NAME,
            window=_window(request, contexts),
            roles=answer_roles(request, lambda uid: service_of(uid) in _OF_A_REQUESTING_SCP),
            extended=tuple(map(_answered, filter(_is_find, request.user_information.extended))),
        ),
    )


def relational_queries(accept: AssociateAccept) -> frozenset[str]:
    """SOP classes for which relational queries were agreed (DICOM PS3.4 C.5.1.1)."""
    extended = accept.user_information.extended
    return frozenset(item.sop_class_uid for item in extended if item.application_information[:1] == b"\1")


def _select(context: ProposedContext) -> str | ContextResult:
    """The requester's first wish, but syntaxes of the standard come before private ones."""
    service = service_of(context.abstract_syntax)
    if service is None:
        return ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED
    if service is Service.STORE:
        offered = context.transfer_syntaxes
    else:
        offered = tuple(uid for uid in context.transfer_syntaxes if uid in _QUERY_TRANSFER_SYNTAXES)
    return preferred(offered, known_transfer_syntax) or ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED


def _window(request: AssociateRequest, contexts: tuple[AnsweredContext, ...]) -> AsynchronousOperationsWindow | None:
    """Storage may be pipelined; a service that can be cancelled may not, or its C-CANCEL would wait in the queue.

    What the requester performs is what we may have outstanding towards it: the sub-operations of its C-GET.
    """
    asked = request.user_information.window
    if asked is None:
        return None
    accepted = {answer.id for answer in contexts if answer.result == ContextResult.ACCEPTANCE}
    services = {service_of(context.abstract_syntax) for context in request.contexts if context.id in accepted}
    if not services <= _ALONE:
        return AsynchronousOperationsWindow(1, _at_most_ours(asked.performed) if Service.GET in services else 1)
    return AsynchronousOperationsWindow(_at_most_ours(asked.invoked), 1)


def _at_most_ours(asked: int) -> int:
    return min(asked or _MOST_OPERATIONS, _MOST_OPERATIONS)


def _is_find(item: ExtendedNegotiation) -> bool:
    return service_of(item.sop_class_uid) is Service.FIND


def _answered(item: ExtendedNegotiation) -> ExtendedNegotiation:
    """Relational queries as asked for; combined date-time, fuzzy matching and time zone adjustment are not offered."""
    asked = item.application_information
    return ExtendedNegotiation(item.sop_class_uid, asked[:1] + bytes(len(asked) - 1) if asked else b"")
