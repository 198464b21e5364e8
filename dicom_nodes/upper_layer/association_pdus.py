"""A-ASSOCIATE-RQ, -AC, -RJ and A-ABORT between values and bytes (DICOM PS3.8 9.3.2 to 9.3.4, 9.3.8)."""

import struct
from dataclasses import dataclass

from dicom_nodes.upper_layer.faults import invalid, unexpected
from dicom_nodes.upper_layer.pdu_types import ItemType, PduType, item, items, pdu, uid_of
from dicom_nodes.upper_layer.presentation_contexts import (
    AnsweredContext,
    ProposedContext,
    decode_answered,
    decode_proposed,
    encode_answered,
    encode_proposed,
)
from dicom_nodes.upper_layer.user_information import (
    UserInformation,
    decode_user_information,
    encode_user_information,
)

DICOM_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_FIXED = struct.Struct(">H2x16s16s32x")
"""Protocol version, called and calling AE title: what stands before the items."""
_VERSION_1 = 1


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """An A-ASSOCIATE-RQ."""

    called_ae_title: str
    calling_ae_title: str
    contexts: tuple[ProposedContext, ...]
    user_information: UserInformation
    application_context: str = DICOM_APPLICATION_CONTEXT
    protocol_version: int = _VERSION_1

    @property
    def speaks_version_1(self) -> bool:
        """Bit 0 of the protocol version; the others shall not be tested (DICOM PS3.8 9.3.2)."""
        return bool(self.protocol_version & _VERSION_1)


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    """An A-ASSOCIATE-AC; the AE titles are echoes of the request and not tested (DICOM PS3.8 9.3.3)."""

    called_ae_title: str
    calling_ae_title: str
    contexts: tuple[AnsweredContext, ...]
    user_information: UserInformation
    application_context: str = DICOM_APPLICATION_CONTEXT


@dataclass(frozen=True, slots=True)
class AssociateReject:
    """An A-ASSOCIATE-RJ (DICOM PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int


def encode_request(request: AssociateRequest) -> bytes:
    contexts = b"".join(map(encode_proposed, request.contexts))
    return pdu(PduType.ASSOCIATE_RQ, _body(request, request.protocol_version, contexts))


def encode_accept(accept: AssociateAccept) -> bytes:
    contexts = b"".join(map(encode_answered, accept.contexts))
    return pdu(PduType.ASSOCIATE_AC, _body(accept, _VERSION_1, contexts))


def encode_reject(reject: AssociateReject) -> bytes:
    return pdu(PduType.ASSOCIATE_RJ, bytes((0, reject.result, reject.source, reject.reason)))


def encode_abort(source: int, reason: int) -> bytes:
    return pdu(PduType.ABORT, bytes((0, 0, source, reason)))


def decode_request(body: bytes) -> AssociateRequest:
    """Read what follows the PDU header.

    Raises:
        PduFault: it is not an A-ASSOCIATE-RQ that the standard allows.
    """
    version, called, calling = _fixed(body)
    application, contexts, user = _items(body, ItemType.PRESENTATION_CONTEXT_RQ)
    proposed = tuple(map(decode_proposed, contexts))
    if not proposed:
        raise invalid("no presentation context is proposed")
    _require_distinct(proposed)
    return AssociateRequest(called, calling, proposed, user, application, version)


def decode_accept(body: bytes) -> AssociateAccept:
    """Read what follows the PDU header.

    Raises:
        PduFault: it is not an A-ASSOCIATE-AC that the standard allows.
    """
    _version, called, calling = _fixed(body)
    application, contexts, user = _items(body, ItemType.PRESENTATION_CONTEXT_AC)
    answered = tuple(map(decode_answered, contexts))
    _require_distinct(answered)
    return AssociateAccept(called, calling, answered, user, application)


def decode_reject(body: bytes) -> AssociateReject:
    """Read the four bytes that follow the PDU header; numbers that the standard does not know are kept."""
    return AssociateReject(body[1], body[2], body[3])


def _body(value: AssociateRequest | AssociateAccept, version: int, contexts: bytes) -> bytes:
    called, calling = _ae_bytes(value.called_ae_title), _ae_bytes(value.calling_ae_title)
    application = item(ItemType.APPLICATION_CONTEXT, value.application_context.encode("ascii"))
    user = encode_user_information(value.user_information)
    return _FIXED.pack(version, called, calling) + application + contexts + user


def _ae_bytes(title: str) -> bytes:
    return title.encode("ascii", "replace")[:16].ljust(16)


def _fixed(body: bytes) -> tuple[int, str, str]:
    if len(body) < _FIXED.size:
        raise invalid("the association PDU is cut short")
    version, called, calling = _FIXED.unpack_from(body)
    return version, _ae_title(called), _ae_title(calling)


def _ae_title(content: bytes) -> str:
    """Leading and trailing blanks are not significant; bytes beyond ASCII stay visible as such."""
    return content.decode("ascii", "backslashreplace").strip(" \0")


def _items(body: bytes, context_type: ItemType) -> tuple[str, list[bytes], UserInformation]:
    """(application context, presentation context items, user information); unknown items are passed over."""
    application: list[str] = []
    contexts: list[bytes] = []
    user: list[UserInformation] = []
    for item_type, content in items(body[_FIXED.size :]):
        if item_type == ItemType.APPLICATION_CONTEXT:
            application.append(uid_of(content))
        elif item_type == context_type:
            contexts.append(content)
        elif item_type == ItemType.USER_INFORMATION:
            user.append(decode_user_information(content))
    if len(application) > 1 or len(user) > 1:
        raise unexpected("an item stands there twice")
    if not application or not user:
        raise invalid("the application context or the user information is missing")
    return application[0], contexts, user[0]


def _require_distinct(contexts: tuple[ProposedContext, ...] | tuple[AnsweredContext, ...]) -> None:
    if len({context.id for context in contexts}) != len(contexts):
        raise invalid("a presentation context id stands there twice")
