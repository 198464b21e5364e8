"""Between command sets and our messages; data sets and identifiers pass as bytes, never decoded (PS3.7 9.3, 10.3)."""

from dicom_nodes.dimse.messages import (
    ActionRequest,
    CreateRequest,
    EchoRequest,
    EventReportRequest,
    FindRequest,
    GetRequest,
    MoveOriginator,
    MoveRequest,
    NormalizedRequest,
    PresentationContext,
    Request,
    Response,
    SetRequest,
    StoreRequest,
    SubOperations,
)
from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.upper_layer.command_set import (
    DATA_SET_PRESENT,
    MEDIUM_PRIORITY,
    NO_DATA_SET,
    RESPONSE,
    Command,
    CommandField,
)

_LONGEST_COMMENT = 64
_CANCELLED = 0xFE00
_FIELD_OF_REQUEST: dict[type, CommandField] = {
    EchoRequest: CommandField.C_ECHO_RQ,
    StoreRequest: CommandField.C_STORE_RQ,
    FindRequest: CommandField.C_FIND_RQ,
    GetRequest: CommandField.C_GET_RQ,
    MoveRequest: CommandField.C_MOVE_RQ,
    ActionRequest: CommandField.N_ACTION_RQ,
    EventReportRequest: CommandField.N_EVENT_REPORT_RQ,
    CreateRequest: CommandField.N_CREATE_RQ,
    SetRequest: CommandField.N_SET_RQ,
}
_OF_REQUESTED_INSTANCE = (ActionRequest, SetRequest)
"""Their requests name a Requested SOP Class and Instance UID, those of the others an Affected one (PS3.7 10.3)."""
_OF_AN_INSTANCE = (StoreRequest, ActionRequest, EventReportRequest, CreateRequest, SetRequest)
_NORMALIZED = frozenset(
    {CommandField.N_ACTION_RQ, CommandField.N_EVENT_REPORT_RQ, CommandField.N_CREATE_RQ, CommandField.N_SET_RQ}
)
_WITH_COUNTERS = frozenset({CommandField.C_GET_RQ | RESPONSE, CommandField.C_MOVE_RQ | RESPONSE})


class UnexpectedMessageError(Exception):
    """A message that is no complete DIMSE request or response of a service we know."""


def request_of(command: Command, context: PresentationContext, data_set: bytes) -> Request:
    """Our value for a request.

    Raises:
        UnexpectedMessageError: it lacks what every request has, or is one we do not serve.
    """
    message_id, sop_class = command.message_id, command.affected_sop_class_uid or command.requested_sop_class_uid
    if message_id is None or not sop_class:
        raise UnexpectedMessageError
    if command.command_field in _NORMALIZED:
        return _normalized_request_of(command, context, message_id, sop_class, data_set)
    match command.command_field:
        case CommandField.C_ECHO_RQ:
            return EchoRequest(context, message_id, sop_class)
        case CommandField.C_STORE_RQ if command.affected_sop_instance_uid:
            instance = command.affected_sop_instance_uid
            return StoreRequest(context, message_id, sop_class, instance, data_set, _originator(command))
        case CommandField.C_FIND_RQ:
            return FindRequest(context, message_id, sop_class, data_set)
        case CommandField.C_GET_RQ:
            return GetRequest(context, message_id, sop_class, data_set)
        case CommandField.C_MOVE_RQ:
            return MoveRequest(context, message_id, sop_class, data_set, command.move_destination or "")
    raise UnexpectedMessageError


def _normalized_request_of(
    command: Command, context: PresentationContext, message_id: int, sop_class: str, data_set: bytes
) -> NormalizedRequest:
    instance = command.affected_sop_instance_uid or command.requested_sop_instance_uid or ""
    if command.command_field == CommandField.N_CREATE_RQ:
        return CreateRequest(context, message_id, sop_class, instance, data_set)
    if instance:
        match command.command_field:
            case CommandField.N_SET_RQ:
                return SetRequest(context, message_id, sop_class, instance, data_set)
            case CommandField.N_ACTION_RQ if command.action_type_id is not None:
                return ActionRequest(context, message_id, sop_class, instance, command.action_type_id, data_set)
            case CommandField.N_EVENT_REPORT_RQ if command.event_type_id is not None:
                return EventReportRequest(context, message_id, sop_class, instance, command.event_type_id, data_set)
    raise UnexpectedMessageError


def request_message(request: Request) -> tuple[Command, Buffer | None]:
    """(command set, data set) of a request that we send."""
    if isinstance(request, NormalizedRequest):
        return _normalized_message(request), request.data_set
    originator = request.originator if isinstance(request, StoreRequest) else None
    is_echo = isinstance(request, EchoRequest)
    command = Command(
        _FIELD_OF_REQUEST[type(request)],
        NO_DATA_SET if is_echo else DATA_SET_PRESENT,
        message_id=request.message_id,
        affected_sop_class_uid=request.sop_class_uid,
        affected_sop_instance_uid=request.sop_instance_uid if isinstance(request, StoreRequest) else None,
        priority=None if is_echo else MEDIUM_PRIORITY,
        move_destination=request.destination if isinstance(request, MoveRequest) else None,
        move_originator_ae_title=originator.ae_title if originator else None,
        move_originator_message_id=originator.message_id if originator else None,
    )
    match request:
        case EchoRequest():
            return command, None
        case StoreRequest():
            return command, request.data_set
    return command, request.identifier


def _normalized_message(request: NormalizedRequest) -> Command:
    instance = request.sop_instance_uid or None
    is_requested = isinstance(request, _OF_REQUESTED_INSTANCE)
    return Command(
        _FIELD_OF_REQUEST[type(request)],
        DATA_SET_PRESENT,
        message_id=request.message_id,
        affected_sop_class_uid=None if is_requested else request.sop_class_uid,
        affected_sop_instance_uid=None if is_requested else instance,
        requested_sop_class_uid=request.sop_class_uid if is_requested else None,
        requested_sop_instance_uid=instance if is_requested else None,
        event_type_id=request.event_type_id if isinstance(request, EventReportRequest) else None,
        action_type_id=request.action_type_id if isinstance(request, ActionRequest) else None,
    )


def response_message(request: Request, response: Response) -> tuple[Command, bytes | None]:
    """(command set, identifier) of our answer to `request`."""
    counters = response.sub_operations
    says_remaining = counters is not None and (response.is_pending or response.status == _CANCELLED)
    comment = response.comment.encode("ascii", "replace").decode("ascii")[:_LONGEST_COMMENT]
    command = Command(
        _FIELD_OF_REQUEST[type(request)] | RESPONSE,
        NO_DATA_SET if response.identifier is None else DATA_SET_PRESENT,
        message_id_being_responded_to=request.message_id,
        affected_sop_class_uid=request.sop_class_uid,
        affected_sop_instance_uid=request.sop_instance_uid if isinstance(request, _OF_AN_INSTANCE) else None,
        status=response.status,
        error_comment=comment or None,
        error_id=response.error_id,
        event_type_id=request.event_type_id if isinstance(request, EventReportRequest) else None,
        action_type_id=request.action_type_id if isinstance(request, ActionRequest) else None,
        number_of_remaining_suboperations=counters.remaining if counters and says_remaining else None,
        number_of_completed_suboperations=counters.completed if counters else None,
        number_of_failed_suboperations=counters.failed if counters else None,
        number_of_warning_suboperations=counters.warning if counters else None,
    )
    return command, response.identifier


def response_of(command: Command, identifier: bytes | None) -> Response:
    """Our value for a response.

    Raises:
        UnexpectedMessageError: it is none.
    """
    if not command.is_response or command.status is None:
        raise UnexpectedMessageError
    counters = None
    if command.command_field in _WITH_COUNTERS:
        counters = SubOperations(
            remaining=command.number_of_remaining_suboperations or 0,
            completed=command.number_of_completed_suboperations or 0,
            failed=command.number_of_failed_suboperations or 0,
            warning=command.number_of_warning_suboperations or 0,
        )
    return Response(command.status, command.error_comment or "", identifier, counters, command.error_id)


def _originator(command: Command) -> MoveOriginator | None:
    title, message_id = command.move_originator_ae_title, command.move_originator_message_id
    return None if title is None or message_id is None else MoveOriginator(title, message_id)
