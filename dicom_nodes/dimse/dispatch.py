"""Takes one request to its handler, and every refusal or failure to an answer that is never success."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dicom_nodes.dimse.availability_scp import take_notification
from dicom_nodes.dimse.commitment_scp import report_here, take_request, take_result
from dicom_nodes.dimse.echo_scp import echo
from dicom_nodes.dimse.find_scp import find
from dicom_nodes.dimse.get_scp import get
from dicom_nodes.dimse.messages import (
    ActionRequest,
    CreateRequest,
    EchoRequest,
    EventReportRequest,
    FindRequest,
    GetRequest,
    MoveRequest,
    NormalizedRequest,
    PresentationContext,
    Request,
    Response,
    SetRequest,
    StoreRequest,
)
from dicom_nodes.dimse.move_scp import move
from dicom_nodes.dimse.procedure_step_scp import create_step, identified, set_step
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.dimse.sop_classes import Service, service_of
from dicom_nodes.dimse.store_scp import store
from dicom_nodes.dimse.worklist_scp import find_worklist
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import Refused

_SERVICES_OF_REQUEST: dict[type, frozenset[Service]] = {
    EchoRequest: frozenset({Service.ECHO}),
    StoreRequest: frozenset({Service.STORE}),
    FindRequest: frozenset({Service.FIND, Service.WORKLIST}),
    GetRequest: frozenset({Service.GET}),
    MoveRequest: frozenset({Service.MOVE}),
    ActionRequest: frozenset({Service.COMMITMENT}),
    EventReportRequest: frozenset({Service.COMMITMENT}),
    CreateRequest: frozenset({Service.PROCEDURE_STEP, Service.AVAILABILITY}),
    SetRequest: frozenset({Service.PROCEDURE_STEP}),
}


class AssociationGoneError(Exception):
    """The caller released, aborted or lost the association while we worked for it."""


class Exchange(Protocol):
    """The association as a handler sees it, while one request is served."""

    @property
    def contexts(self) -> tuple[PresentationContext, ...]:
        """Accepted contexts on which we may send C-STORE sub-operations."""

    def respond(self, request: Request, response: Response) -> None:
        """Raises AssociationGoneError."""

    @property
    def window(self) -> int:
        """How many sub-operations may be outstanding; 1 where nothing else was agreed."""

    def send_store(self, request: StoreRequest) -> None:
        """Send a sub-operation on this association; raises AssociationGoneError."""

    def has_answer(self) -> bool:
        """Whether `next_answer` has something to say already."""

    def next_answer(self) -> tuple[int | None, Response]:
        """(message id being responded to, answer) of the sub-operation answered next; raises AssociationGoneError."""

    def is_cancelled(self, message_id: int) -> bool:
        """Whether a C-CANCEL for this message came in; raises AssociationGoneError."""

    def stays_silent(self, seconds: float) -> bool:
        """Whether the caller keeps the association open for so long without asking for anything more."""

    def report(self, request: EventReportRequest) -> Response | None:
        """Notify the caller on this association; None when it did something else than answer.

        Raises:
            AssociationGoneError.
        """


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Serves requests one after another; the acceptor calls it and knows nothing of what is served."""

    services: DimseServices

    def serve(self, request: Request, caller: Caller, exchange: Exchange) -> None:
        """Answer the request, whatever happens short of the association's end.

        Raises:
            AssociationGoneError: there is nobody left to answer.
        """
        try:
            self._serve(request, caller, exchange)
        except AssociationGoneError:
            raise
        except Exception as error:  # noqa: BLE001 - the handler's boundary: recorded and answered, never success
            self.answer_failure(error, request, caller, exchange)

    def answer_failure(self, error: Exception, request: Request, caller: Caller, exchange: Exchange) -> None:
        """Answer a request that was refused or failed, here or while its data set came in.

        Raises:
            AssociationGoneError: there is nobody left to answer.
        """
        if isinstance(error, Refused):
            self._note("dimse.refused", request, caller, error)
            exchange.respond(request, Response(error.status, str(error), error_id=error.error_id))
            return
        self.services.log.error("dimse.failed", **_who(request, caller), exc_info=error)
        exchange.respond(request, Response(_failure_status(request), "internal failure, try again"))

    def _serve(self, request: Request, caller: Caller, exchange: Exchange) -> None:
        _require_same_service(request)
        match request:
            case EchoRequest():
                exchange.respond(request, echo(caller))
            case StoreRequest():
                exchange.respond(request, store(request, caller, self.services))
            case ActionRequest():
                self._commit(request, caller, exchange)
            case EventReportRequest():
                exchange.respond(request, take_result(request, caller, self.services))
            case CreateRequest() if service_of(request.sop_class_uid) is Service.AVAILABILITY:
                exchange.respond(request, take_notification(request, caller, self.services))
            case CreateRequest():
                created = identified(request)
                exchange.respond(created, create_step(created, caller, self.services))
            case SetRequest():
                exchange.respond(request, set_step(request, caller, self.services))
            case FindRequest() if service_of(request.sop_class_uid) is Service.WORKLIST:
                is_withdrawn: Callable[[], bool] = lambda: exchange.is_cancelled(request.message_id)  # noqa: E731
                for response in find_worklist(request, caller, self.services, is_withdrawn):
                    exchange.respond(request, response)
            case FindRequest():
                is_cancelled: Callable[[], bool] = lambda: exchange.is_cancelled(request.message_id)  # noqa: E731
                for response in find(request, caller, self.services, is_cancelled):
                    exchange.respond(request, response)
            case GetRequest():
                for response in get(request, caller, self.services, exchange):
                    exchange.respond(request, response)
            case MoveRequest():
                for response in move(request, caller, self.services, exchange):
                    exchange.respond(request, response)

    def _commit(self, request: ActionRequest, caller: Caller, exchange: Exchange) -> None:
        asked = take_request(request, caller, self.services)
        exchange.respond(request, Response(Status.SUCCESS))
        try:
            report_here(request, asked, self.services, exchange)
        except AssociationGoneError:
            raise
        except Exception as error:
            self.services.log.error("dimse.failed", **_who(request, caller), exc_info=error)

    def _note(self, event: str, request: Request, caller: Caller, refusal: Refused) -> None:
        self.services.log.warning(event, **_who(request, caller), status=f"{refusal.status:04X}", why=str(refusal))


def _require_same_service(request: Request) -> None:
    context = request.context.abstract_syntax
    if request.sop_class_uid != context or service_of(context) not in _SERVICES_OF_REQUEST[type(request)]:
        raise SopClassNotSupported("the request is not of its presentation context")


class SopClassNotSupported(Refused):
    """0122: the SOP class of the request was not negotiated for it (DICOM PS3.7 annex C.5.6)."""

    status = Status.SOP_CLASS_NOT_SUPPORTED


def _failure_status(request: Request) -> int:
    match request:
        case StoreRequest():
            return Status.OUT_OF_RESOURCES
        case GetRequest() | MoveRequest():
            return Status.CANNOT_PERFORM_SUB_OPERATIONS
    if isinstance(request, NormalizedRequest):
        return Status.PROCESSING_FAILURE
    return Status.CANNOT_UNDERSTAND


def _who(request: Request, caller: Caller) -> dict[str, object]:
    return {
        "peer": caller.peer.ae_title,
        "association": caller.association_id,
        "request": type(request).__name__.removesuffix("Request").lower(),
    }
