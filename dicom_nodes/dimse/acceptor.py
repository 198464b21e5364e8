"""One accepted association: negotiated, served request by request, and ended in good order."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from uuid import uuid4

from dicom_nodes.config import Peer
from dicom_nodes.dimse import message_codec as codec
from dicom_nodes.dimse.association_link import AssociationLink
from dicom_nodes.dimse.connection import Transport
from dicom_nodes.dimse.data_set_sink import DataSetSink, Intake, MemorySink, ReceivedT
from dicom_nodes.dimse.dispatch import AssociationGoneError, Dispatcher
from dicom_nodes.dimse.messages import (
    EchoRequest,
    EventReportRequest,
    FindRequest,
    GetRequest,
    MoveRequest,
    NormalizedRequest,
    PresentationContext,
    Request,
    Response,
    StoreRequest,
)
from dicom_nodes.dimse.pacing import Pace
from dicom_nodes.dimse.services import Caller
from dicom_nodes.dimse.sop_classes import Service, service_of
from dicom_nodes.dimse.supported_contexts import acceptance, relational_queries
from dicom_nodes.foundation.certificate import PresentedCertificate
from dicom_nodes.model.instance import ReceivedDataSet
from dicom_nodes.rules.acceptance import LOCAL_LIMIT_EXCEEDED, Rejection
from dicom_nodes.upper_layer.association_pdus import DICOM_APPLICATION_CONTEXT, AssociateReject, AssociateRequest
from dicom_nodes.upper_layer.command_set import RESPONSE, Command, CommandField
from dicom_nodes.upper_layer.dimse_provider import CommandReceived, DimseEvent
from dicom_nodes.upper_layer.events import CONNECTION_LOST, NEED_DATA, Aborted, ReleaseRequested
from dicom_nodes.upper_layer.negotiation import NegotiatedContext, negotiated_contexts
from dicom_nodes.upper_layer.pdu_decoder import PDataFragment
from dicom_nodes.upper_layer.provider import Side
from dicom_nodes.upper_layer.state_machine import State

_APPLICATION_CONTEXT_NOT_SUPPORTED = AssociateReject(result=1, source=1, reason=2)
_LARGEST_IDENTIFIER = 1 << 20
_LARGEST_NORMALIZED = 8 << 20
"""A commitment or a procedure step names each of its instances: some 30,000 of them."""
_LATE_ANSWER = CommandField.N_EVENT_REPORT_RQ | RESPONSE
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class AcceptorPolicy:
    """What an accepted association asks the listener, and how long it waits."""

    may_connect: Callable[[str], bool]
    """(host) → whether it may say anything at all."""
    turned_away: Callable[[str, str], None]
    """(host, why): a connection was closed before it asked for an association."""
    decide: Callable[[str, str, str, PresentedCertificate | None], Peer | Rejection]
    """(called AE title, calling AE title, host, certificate where there is TLS) → the peer or why not."""
    rejected: Callable[[Rejection, str, str], None]
    """(rejection, calling AE title, host)."""
    opened: Callable[[Caller], None]
    closed: Callable[[Caller], None]
    """Called once for each `opened`."""
    cut_off: Callable[[Caller | None, str, str], None]
    """(caller if it came that far, host, why in words): the peer broke the protocol, fell silent or vanished."""
    tls_failed: Callable[[str, str], None]
    """(host, why in words): no TLS came about, or it broke."""
    broken: Callable[[BaseException], None]
    open_sink: Callable[[StoreRequest, Caller], DataSetSink[ReceivedDataSet]]
    """Where a data set goes; the request has none yet."""
    pace_of: Callable[[Peer], Pace | None]
    """How slowly the peer is to be read from, if at all."""
    maximum_pdu_bytes: int
    """For peers that have no limit of their own; `idle_s` likewise."""
    idle_s: float
    shortest_idle_s: float
    """The shortest of any peer."""
    stall_s: float
    sub_operation_timeout_s: float
    artim_s: float = 10.0
    """How long a peer may take to ask for an association, and to close its connection in the end."""


class AcceptedAssociation:
    """An association from the first byte to the last, in the thread that calls `run`; see `dispatch.Exchange`."""

    def __init__(
        self,
        connection: Transport,
        host: str,
        policy: AcceptorPolicy,
        dispatcher: Dispatcher,
        *,
        takes_place: Callable[[Peer], bool],
        leaves: Callable[[], None],
    ) -> None:
        """`takes_place` says whether there is room for an association of the peer; `leaves` gives it back."""
        self._link = AssociationLink(connection, Side.ACCEPTOR, stall_s=policy.stall_s, artim_s=policy.artim_s)
        self._host, self._policy, self._dispatcher = host, policy, dispatcher
        self._contexts: dict[int, PresentationContext] = {}
        self._sub_operation_contexts: tuple[PresentationContext, ...] = ()
        self._window = 1
        self._takes_place, self._leaves = takes_place, leaves
        self._caller: Caller | None = None
        self._idle_s = policy.idle_s
        self._put_back: DimseEvent | None = None
        self._cancelled: set[int] = set()

    def run(self) -> None:
        """Live until the connection is closed; whatever ends it, its end is reported once."""
        try:
            self._converse()
        except Exception as error:  # noqa: BLE001 - the thread's boundary: recorded, and the peer is told by an abort
            self._policy.broken(error)
            self._link.upper.abort()
        finally:
            self._link.close()
            self._leaves()
            if (failure := self._link.connection.failure) is not None:
                self._policy.tls_failed(self._host, failure)
            if self._caller is not None:
                self._policy.closed(self._caller)

    def interrupt(self) -> None:
        """Have the association aborted, from another thread."""
        self._link.interrupt()

    def _converse(self) -> None:
        self._link.upper.connected()
        while (event := self._next_event(self._idle_s)) is not None:
            match event:
                case CommandReceived():
                    self._serve(event.context_id, event.command)
                case AssociateRequest():
                    self._negotiate(event)
                case ReleaseRequested():
                    self._link.upper.respond_to_release()
                case Aborted() if self._caller is not None or event is not CONNECTION_LOST:
                    self._policy.cut_off(self._caller, self._host, event.words)
                case _:
                    pass

    def _next_event(self, idle_s: float) -> DimseEvent | None:
        """What happens next, what was put back first; silence that is too long ends the association."""
        if (put_back := self._put_back) is not None:
            self._put_back = None
            return put_back
        while True:
            try:
                return self._link.next_event(idle_s)
            except TimeoutError:
                self._abort("the peer fell silent")

    # -- negotiation -----------------------------------------------------------------------------------------------
    def _negotiate(self, request: AssociateRequest) -> None:
        called, calling = request.called_ae_title, request.calling_ae_title
        if request.application_context != DICOM_APPLICATION_CONTEXT:
            self._link.upper.reject(_APPLICATION_CONTEXT_NOT_SUPPORTED)
            return
        decision = self._policy.decide(called, calling, self._host, self._link.connection.certificate)
        if not isinstance(decision, Rejection) and not self._takes_place(decision):
            decision = LOCAL_LIMIT_EXCEEDED
        if isinstance(decision, Rejection):
            self._policy.rejected(decision, calling, self._host)
            self._link.upper.reject(AssociateReject(decision.result, decision.source, decision.reason))
            return
        accept = acceptance(request, decision.maximum_pdu_bytes or self._policy.maximum_pdu_bytes)
        self._idle_s = decision.idle_s or self._policy.idle_s
        self._link.keep_to(self._policy.pace_of(decision))
        self._use(negotiated_contexts(request, accept))
        self._caller = Caller(decision, uuid4().hex, relational_queries(accept))
        self._policy.opened(self._caller)
        if (window := accept.user_information.window) is not None:
            self._window = window.performed
        self._link.upper.accept(accept)

    def _use(self, contexts: tuple[NegotiatedContext, ...]) -> None:
        self._contexts = {c.id: PresentationContext(c.id, c.abstract_syntax, c.transfer_syntax) for c in contexts}
        self._sub_operation_contexts = tuple(
            self._contexts[context.id]
            for context in contexts
            if context.requester_is_scp and service_of(context.abstract_syntax) is Service.STORE
        )
        self._link.dimse.use_contexts(self._contexts)

    # -- requests --------------------------------------------------------------------------------------------------
    def _serve(self, context_id: int, command: Command) -> None:
        if command.command_field == CommandField.C_CANCEL_RQ:
            return
        if command.command_field == _LATE_ANSWER and not command.has_data_set:
            return
        try:
            head = codec.request_of(command, self._contexts[context_id], b"")
        except codec.UnexpectedMessageError:
            self._abort("not a request that is served here")
            return
        caller = self._caller
        if caller is None:
            return
        self._cancelled.clear()
        with suppress(AssociationGoneError):
            if not command.has_data_set:
                self._dispatcher.serve(head, caller, self)
            elif isinstance(head, StoreRequest):
                self._serve_store(head, caller)
            else:
                self._serve_small(head, caller)

    def _serve_store(self, head: StoreRequest, caller: Caller) -> None:
        intake = self._filled(Intake(partial(self._policy.open_sink, head, caller)))
        received = intake.close()
        try:
            self._answer_to(replace(head, received=received), intake.failure, caller)
        finally:
            if received is not None:
                received.discard()

    def _serve_small(
        self, head: EchoRequest | FindRequest | GetRequest | MoveRequest | NormalizedRequest, caller: Caller
    ) -> None:
        largest = _LARGEST_NORMALIZED if isinstance(head, NormalizedRequest) else _LARGEST_IDENTIFIER
        intake = self._filled(Intake(lambda: MemorySink(largest)))
        data_set = intake.close() or b""
        request: Request = head
        if isinstance(head, NormalizedRequest):
            request = replace(head, data_set=data_set)
        elif not isinstance(head, EchoRequest):
            request = replace(head, identifier=data_set)
        self._answer_to(request, intake.failure, caller)

    def _answer_to(self, request: Request, failure: Exception | None, caller: Caller) -> None:
        if failure is None:
            self._dispatcher.serve(request, caller, self)
        else:
            self._dispatcher.answer_failure(failure, request, caller, self)

    def _filled(self, intake: Intake[ReceivedT]) -> Intake[ReceivedT]:
        """Read the request's data set to its end, whatever its sink says of it."""
        next_event, wait, stall_s = self._link.dimse.next_event, self._link.wait, self._policy.stall_s
        try:
            while not self._link.is_closed:
                event = next_event()
                if type(event) is PDataFragment:
                    intake.write(event.data)
                    if event.is_last:
                        return intake
                elif event is NEED_DATA:
                    wait(stall_s)
                elif not self._link.keeps_house(event):
                    self._put_back = event
                    break
        except TimeoutError:
            self._abort("the peer fell silent in the middle of a data set")
        except BaseException:
            intake.discard()
            raise
        intake.discard()
        raise AssociationGoneError

    def _abort(self, words: str) -> None:
        self._policy.cut_off(self._caller, self._host, words)
        self._link.upper.abort()
        if self._link.upper.state is not State.AWAITING_CLOSE:
            self._link.close()

    # -- dispatch.Exchange -----------------------------------------------------------------------------------------
    @property
    def contexts(self) -> tuple[PresentationContext, ...]:
        """Contexts on which the caller takes C-STORE from us (role selection, DICOM PS3.7 D.3.3.4)."""
        return self._sub_operation_contexts

    def respond(self, request: Request, response: Response) -> None:
        self._require_alive()
        command, identifier = codec.response_message(request, response)
        if isinstance(request, GetRequest) and response.is_pending and identifier is None:
            self._link.queue(request.context.id, command)
        else:
            self._link.send(request.context.id, command, identifier)

    @property
    def window(self) -> int:
        """How many sub-operations the caller takes at once (DICOM PS3.7 D.3.3.3: what it performs)."""
        return self._window

    def send_store(self, request: StoreRequest) -> None:
        self._require_alive()
        self._link.send(request.context.id, *codec.request_message(request))

    def has_answer(self) -> bool:
        self._look()
        return self._put_back is not None

    def next_answer(self) -> tuple[int | None, Response]:
        self._require_alive()
        while True:
            event = self._next_event(self._policy.sub_operation_timeout_s)
            if not isinstance(event, CommandReceived):
                self._put_back = event
                raise AssociationGoneError
            command = event.command
            if command.command_field == CommandField.C_CANCEL_RQ:
                self._note_cancel(command)
            elif command.command_field != CommandField.C_STORE_RQ | RESPONSE or command.has_data_set:
                self._abort("not the answer to a sub-operation")
                raise AssociationGoneError
            else:
                return command.message_id_being_responded_to, self._answer(command)

    def stays_silent(self, seconds: float) -> bool:
        self._require_alive()
        until = time.monotonic() + seconds
        while self._put_back is None and time.monotonic() < until:
            self._put_back = self._link.poll()
            if self._put_back is None:
                time.sleep(_LOOK_EVERY_S)
        return self._put_back is None and self._link.upper.is_established and not self._link.is_interrupted

    def report(self, request: EventReportRequest) -> Response | None:
        self._require_alive()
        self._link.send(request.context.id, *codec.request_message(request))
        event = self._next_event(self._policy.sub_operation_timeout_s)
        if isinstance(event, CommandReceived) and event.command.command_field == _LATE_ANSWER:
            return self._answer(event.command)
        self._put_back = event
        return None

    def is_cancelled(self, message_id: int) -> bool:
        self._look()
        self._require_alive()
        return message_id in self._cancelled

    def _look(self) -> None:
        """Take in what has come; what is no C-CANCEL waits for its turn."""
        while self._put_back is None and (event := self._link.poll()) is not None:
            if isinstance(event, CommandReceived) and event.command.command_field == CommandField.C_CANCEL_RQ:
                self._note_cancel(event.command)
            else:
                self._put_back = event

    def _answer(self, command: Command) -> Response:
        try:
            return codec.response_of(command, None)
        except codec.UnexpectedMessageError:
            self._abort("an answer without a status")
            raise AssociationGoneError from None

    def _note_cancel(self, command: Command) -> None:
        if command.message_id_being_responded_to is not None:
            self._cancelled.add(command.message_id_being_responded_to)

    def _require_alive(self) -> None:
        """A release or an abort that came in meanwhile is dealt with once the handler has given up."""
        if not self._link.upper.is_established or self._link.is_interrupted:
            raise AssociationGoneError
