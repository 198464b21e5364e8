"""Between pynetdicom's primitives and our messages; data sets and identifiers pass as bytes, never decoded."""

from io import BytesIO
from typing import Any

from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_ECHO, C_FIND, C_GET, C_MOVE, C_STORE
from pynetdicom.presentation import PresentationContext as LibraryContext

from dicom_nodes.dimse.messages import (
    EchoRequest,
    FindRequest,
    GetRequest,
    MoveOriginator,
    MoveRequest,
    PresentationContext,
    Request,
    Response,
    StoreRequest,
    SubOperations,
)

_COMMENT_LENGTH = 64


class UnexpectedMessageError(Exception):
    """A message that is no complete DIMSE-C request of a service we know."""


def accepted_context(context: LibraryContext) -> PresentationContext:
    """Our value for a negotiated context."""
    return PresentationContext(
        int(context.context_id or 0), str(context.abstract_syntax or ""), str(context.transfer_syntax[0])
    )


def request_of(primitive: Any, context: PresentationContext) -> Request:
    """Our value for a request primitive.

    Raises:
        UnexpectedMessageError: not a valid request, or one we do not serve.
    """
    if not primitive.is_valid_request:
        raise UnexpectedMessageError
    message_id, sop_class = int(primitive.MessageID), str(primitive.AffectedSOPClassUID)
    match primitive:
        case C_ECHO():
            return EchoRequest(context, message_id, sop_class)
        case C_STORE():
            return StoreRequest(
                context,
                message_id,
                sop_class,
                str(primitive.AffectedSOPInstanceUID),
                _bytes(primitive.DataSet),
                _originator(primitive),
            )
        case C_FIND():
            return FindRequest(context, message_id, sop_class, _bytes(primitive.Identifier))
        case C_GET():
            return GetRequest(context, message_id, sop_class, _bytes(primitive.Identifier))
        case C_MOVE():
            destination = str(primitive.MoveDestination or "").strip()
            return MoveRequest(context, message_id, sop_class, _bytes(primitive.Identifier), destination)
    raise UnexpectedMessageError


def request_primitive(request: Request) -> Any:
    """The primitive of a request that we send."""
    primitive: Any
    match request:
        case EchoRequest():
            primitive = C_ECHO()
        case StoreRequest():
            primitive = C_STORE()
            primitive.AffectedSOPInstanceUID = request.sop_instance_uid
            primitive.DataSet = BytesIO(request.data_set)
            if request.originator is not None:
                primitive.MoveOriginatorApplicationEntityTitle = request.originator.ae_title
                primitive.MoveOriginatorMessageID = request.originator.message_id
        case FindRequest() | GetRequest() | MoveRequest():
            primitive = {FindRequest: C_FIND, GetRequest: C_GET, MoveRequest: C_MOVE}[type(request)]()
            primitive.Identifier = BytesIO(request.identifier)
            if isinstance(request, MoveRequest):
                primitive.MoveDestination = request.destination
    if not isinstance(request, EchoRequest):
        primitive.Priority = 2
    primitive.MessageID = request.message_id
    primitive.AffectedSOPClassUID = request.sop_class_uid
    return primitive


def response_primitive(request: Request, response: Response) -> Any:
    """The primitive of our answer to `request` (DICOM PS3.7 9.3)."""
    kinds: dict[type, type] = {
        EchoRequest: C_ECHO,
        StoreRequest: C_STORE,
        FindRequest: C_FIND,
        GetRequest: C_GET,
        MoveRequest: C_MOVE,
    }
    primitive: Any = kinds[type(request)]()
    primitive.MessageIDBeingRespondedTo = request.message_id
    primitive.AffectedSOPClassUID = request.sop_class_uid
    primitive.Status = response.status
    if isinstance(request, StoreRequest):
        primitive.AffectedSOPInstanceUID = request.sop_instance_uid
    if response.comment:
        primitive.ErrorComment = response.comment.encode("ascii", "replace").decode()[:_COMMENT_LENGTH]
    if response.identifier is not None:
        primitive.Identifier = BytesIO(response.identifier)
    if response.sub_operations is not None:
        _set_counters(primitive, response)
    return primitive


def response_of(primitive: Any) -> Response:
    """Our value for a response primitive.

    Raises:
        UnexpectedMessageError: it is none.
    """
    if not primitive.is_valid_response:
        raise UnexpectedMessageError
    counters = None
    if isinstance(primitive, C_GET | C_MOVE):
        counters = SubOperations(
            remaining=primitive.NumberOfRemainingSuboperations or 0,
            completed=primitive.NumberOfCompletedSuboperations or 0,
            failed=primitive.NumberOfFailedSuboperations or 0,
            warning=primitive.NumberOfWarningSuboperations or 0,
        )
    identifier = getattr(primitive, "Identifier", None)
    return Response(
        status=int(primitive.Status),
        comment=str(getattr(primitive, "ErrorComment", None) or ""),
        identifier=None if identifier is None else _bytes(identifier),
        sub_operations=counters,
    )


def send(association: Association, primitive: Any, context_id: int) -> None:
    """Queue a message for the wire."""
    association.dimse.send_msg(primitive, context_id)


def _set_counters(primitive: Any, response: Response) -> None:
    counters = response.sub_operations
    if counters is None:
        return
    if response.is_pending or response.status == 0xFE00:
        primitive.NumberOfRemainingSuboperations = counters.remaining
    primitive.NumberOfCompletedSuboperations = counters.completed
    primitive.NumberOfFailedSuboperations = counters.failed
    primitive.NumberOfWarningSuboperations = counters.warning


def _originator(primitive: C_STORE) -> MoveOriginator | None:
    title, message_id = primitive.MoveOriginatorApplicationEntityTitle, primitive.MoveOriginatorMessageID
    return None if title is None or message_id is None else MoveOriginator(str(title), int(message_id))


def _bytes(stream: BytesIO | None) -> bytes:
    return b"" if stream is None else stream.getvalue()
