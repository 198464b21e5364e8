"""Associations that we request, on our own upper layer; see `association.OpenAssociation`."""

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from dicom_nodes.dimse import message_codec as codec
from dicom_nodes.dimse.association import NoContextAccepted, NoResponse, Proposal
from dicom_nodes.dimse.association_link import AssociationLink
from dicom_nodes.dimse.connection import Connection, Transport, tick_for
from dicom_nodes.dimse.data_set_sink import Intake, MemorySink, OpenSink, new_holding_sink
from dicom_nodes.dimse.messages import PresentationContext, Request, Response, StoreRequest
from dicom_nodes.dimse.rejection import rejection_error
from dicom_nodes.dimse.sop_classes import Service, service_of
from dicom_nodes.dimse.tls_settings import TlsCaller
from dicom_nodes.encoding.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import PeerUnavailable, Refused
from dicom_nodes.model.instance import ReceivedDataSet
from dicom_nodes.upper_layer.association_pdus import AssociateAccept, AssociateReject, AssociateRequest
from dicom_nodes.upper_layer.command_set import RESPONSE, Command, CommandField
from dicom_nodes.upper_layer.dimse_provider import CommandReceived, DimseEvent
from dicom_nodes.upper_layer.events import ReleaseConfirmed, ReleaseRequested
from dicom_nodes.upper_layer.negotiation import negotiated_contexts
from dicom_nodes.upper_layer.pdu_decoder import PDataFragment
from dicom_nodes.upper_layer.presentation_contexts import ProposedContext
from dicom_nodes.upper_layer.provider import Side
from dicom_nodes.upper_layer.user_information import (
    AsynchronousOperationsWindow,
    RoleSelection,
    UserInformation,
)

_MAXIMUM_PDU_BYTES = 262_144
_OPERATIONS_AT_ONCE = 16
"""What we wish to have outstanding when we send, and let a partner have outstanding when it sends to us (C-GET)."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a partner may take: to connect, to negotiate or release, to answer a request; all in seconds."""

    connect_s: float = 10.0
    associate_s: float = 15.0
    response_s: float = 30.0


class AssociationRequester:
    """Opens associations under our AE title, by TLS where `tls` knows the partner's certificate."""

    def __init__(self, own_ae_title: str, timeouts: Timeouts | None = None, tls: TlsCaller | None = None) -> None:
        self._own_ae_title, self._tls = own_ae_title, tls
        self._timeouts = timeouts or Timeouts()

    def __call__(self, to: ApplicationEntity, proposals: Sequence[Proposal]) -> "OpenedAssociation":
        """As `association.OpenAssociation`."""
        link = self._link(self._connect(to), to)
        request = self._request(to, proposals)
        link.upper.associate(request)
        link.upper.connected()
        accept = self._answer(link, to)
        contexts = tuple(
            PresentationContext(context.id, context.abstract_syntax, context.transfer_syntax)
            for context in negotiated_contexts(request, accept)
        )
        association = OpenedAssociation(link, to.ae_title, contexts, self._timeouts, window=_granted(request, accept))
        if not contexts:
            association.release()
            raise NoContextAccepted(f"{to.ae_title} accepts the association but none of what we propose")
        return association

    def _connect(self, to: ApplicationEntity) -> socket.socket:
        try:
            return socket.create_connection((to.host, to.port), timeout=self._timeouts.connect_s)
        except OSError as error:
            why = error.strerror or str(error) or type(error).__name__
            raise PeerUnavailable(f"{to.ae_title} at {to.host}:{to.port} cannot be reached: {why}") from None

    def _link(self, connected: socket.socket, to: ApplicationEntity | None = None) -> AssociationLink:
        timeouts = self._timeouts
        return AssociationLink(
            self._transport(connected, to),
            Side.REQUESTOR,
            stall_s=timeouts.response_s,
            artim_s=min(1.0, timeouts.associate_s),
        )

    def _transport(self, connected: socket.socket, to: ApplicationEntity | None) -> Transport:
        timeouts = self._timeouts
        tick_s, send_s = tick_for(timeouts.associate_s, timeouts.response_s), timeouts.response_s
        if self._tls is None or to is None:
            return Connection(connected, tick_s=tick_s, send_s=send_s)
        return self._tls.connection(connected, to, tick_s=tick_s, send_s=send_s, handshake_s=timeouts.connect_s)

    def _request(self, to: ApplicationEntity, proposals: Sequence[Proposal]) -> AssociateRequest:
        contexts = tuple(
            ProposedContext(2 * number + 1, proposal.abstract_syntax, proposal.transfer_syntaxes)
            for number, proposal in enumerate(proposals)
        )
        as_scp = dict.fromkeys(proposal.abstract_syntax for proposal in proposals if proposal.as_scp)
        return AssociateRequest(
            to.ae_title,
            self._own_ae_title,
            contexts,
            UserInformation(
                _MAXIMUM_PDU_BYTES,
                IMPLEMENTATION_CLASS_UID,
                IMPLEMENTATION_VERSION_NAME,
                window=_wished(proposals),
                roles=tuple(RoleSelection(uid, scu=False, scp=True) for uid in as_scp),
            ),
        )

    def _answer(self, link: AssociationLink, to: ApplicationEntity) -> AssociateAccept:
        """Wait for the answer to our request; the connection is closed unless it is an acceptance."""
        try:
            event = link.next_event(self._timeouts.associate_s)
        except TimeoutError:
            event = None
        if isinstance(event, AssociateAccept):
            return event
        link.upper.abort()
        link.close()
        if isinstance(event, AssociateReject):
            raise rejection_error(
                event.result,
                event.source,
                event.reason,
                own_ae_title=self._own_ae_title,
                called_ae_title=to.ae_title,
            )
        where = f"{to.ae_title} at {to.host}:{to.port}"
        if (failure := link.connection.failure) is not None:
            raise PeerUnavailable(f"{where} cannot be called by TLS: {failure}")
        listed = (
            "is our address listed there" if link.connection.certificate is None else "does it take our certificate"
        )
        raise PeerUnavailable(f"{where} does not answer the association request; {listed}?")


def _wished(proposals: Sequence[Proposal]) -> AsynchronousOperationsWindow | None:
    """Several C-STORE at once, in the direction in which instances will flow (DICOM PS3.7 D.3.3.3)."""
    storage = [proposal for proposal in proposals if service_of(proposal.abstract_syntax) is Service.STORE]
    if any(proposal.as_scp for proposal in storage):
        return AsynchronousOperationsWindow(1, _OPERATIONS_AT_ONCE)
    return AsynchronousOperationsWindow(_OPERATIONS_AT_ONCE, 1) if storage else None


def _granted(request: AssociateRequest, accept: AssociateAccept) -> int:
    """How many operations we may have outstanding: never more than we asked for, 1 where one side says nothing."""
    wished, granted = request.user_information.window, accept.user_information.window
    if wished is None or granted is None:
        return 1
    return min(wished.invoked, granted.invoked or wished.invoked)


class OpenedAssociation:
    """An established association; see `association.RequestedAssociation`."""

    def __init__(
        self,
        link: AssociationLink,
        ae_title: str,
        contexts: tuple[PresentationContext, ...],
        timeouts: Timeouts,
        *,
        window: int = 1,
    ) -> None:
        self._window = window
        self._put_back: DimseEvent | None = None
        self._link, self._ae_title, self._timeouts = link, ae_title, timeouts
        self._contexts = contexts
        self._by_id = {context.id: context for context in contexts}
        link.dimse.use_contexts(self._by_id)

    @property
    def link(self) -> AssociationLink:
        """The wire itself, for whoever must say what no request says."""
        return self._link

    @property
    def contexts(self) -> tuple[PresentationContext, ...]:
        return self._contexts

    @property
    def window(self) -> int:
        return self._window

    def send_store(self, request: StoreRequest) -> None:
        self._send(request)

    def has_answer(self) -> bool:
        self._put_back = self._put_back or self._link.poll()
        return self._put_back is not None

    def next_answer(self) -> tuple[int | None, Response]:
        _context, command, data_set = self._next_message()
        if command.command_field != CommandField.C_STORE_RQ | RESPONSE:
            raise self._broken("sends something that is no answer to a C-STORE")
        return command.message_id_being_responded_to, self._response(command, data_set)

    def request(self, request: Request) -> Response:
        self._send(request)
        while True:
            response = self.response()
            if not response.is_pending:
                return response

    def retrieve(
        self, request: Request, receive: Callable[[StoreRequest], Response], open_sink: OpenSink = new_holding_sink
    ) -> Response:
        self._send(request)
        while True:
            context, command = self._next_command()
            if command.command_field == CommandField.C_STORE_RQ:
                self._serve_sub_operation(context, command, receive, open_sink)
                continue
            response = self._response(command, self._data_set() if command.has_data_set else None)
            if not response.is_pending:
                return response

    def response(self) -> Response:
        """Wait for the next answer, pending or not.

        Raises:
            NoResponse: the association is of no more use.
        """
        _context, command, data_set = self._next_message()
        return self._response(command, data_set)

    def release(self) -> None:
        if not self._link.upper.is_established:
            self.abort()
            return
        self._link.upper.release()
        deadline = time.monotonic() + self._timeouts.associate_s
        try:
            while time.monotonic() < deadline:
                event = self._link.next_event(self._timeouts.associate_s)
                if event is None or isinstance(event, ReleaseConfirmed):
                    break
                if isinstance(event, ReleaseRequested):
                    self._link.upper.respond_to_release()
        except TimeoutError:
            pass
        self.abort()

    def abort(self) -> None:
        """End the association, without effect where it has ended, and let the connection go."""
        self._link.upper.abort()
        self._link.close()

    def _send(self, request: Request) -> None:
        if not self._link.upper.is_established:
            raise self._broken("ended the association before it was asked")
        self._link.send(request.context.id, *codec.request_message(request))

    def _next_message(self) -> tuple[PresentationContext, Command, bytes | None]:
        """(context, command set, data set) of the next message."""
        context, command = self._next_command()
        return context, command, self._data_set() if command.has_data_set else None

    def _next_command(self) -> tuple[PresentationContext, Command]:
        """(context, command set) of the next message; its data set, if it has one, is still to be taken."""
        event = self._next_event()
        if isinstance(event, ReleaseRequested):
            self._link.upper.respond_to_release()
            self._link.flush()
        if not isinstance(event, CommandReceived):
            raise self._broken("ended the association before it answered")
        return self._by_id[event.context_id], event.command

    def _data_set(self) -> bytes:
        sink = MemorySink()
        self._pour_into(sink.write)
        return sink.close()

    def _pour_into(self, write: Callable[[memoryview], None]) -> None:
        """Hand every fragment of the data set that follows to `write`."""
        while True:
            event = self._next_event()
            if not isinstance(event, PDataFragment):
                raise self._broken("ended the association in the middle of a data set")
            write(event.data)
            if event.is_last:
                return

    def _next_event(self) -> DimseEvent | None:
        put_back, self._put_back = self._put_back, None
        if put_back is not None:
            return put_back
        try:
            return self._link.next_event(self._timeouts.response_s)
        except TimeoutError:
            raise self._broken(f"gave no answer within {self._timeouts.response_s:g} s") from None

    def _serve_sub_operation(
        self,
        context: PresentationContext,
        command: Command,
        receive: Callable[[StoreRequest], Response],
        open_sink: OpenSink,
    ) -> None:
        try:
            store = codec.request_of(command, context, b"")
        except codec.UnexpectedMessageError:
            store = None
        if not isinstance(store, StoreRequest):
            raise self._broken("sends a sub-operation that is not a valid C-STORE")
        intake = Intake(partial(open_sink, store))
        try:
            if command.has_data_set:
                self._pour_into(intake.write)
            answer = self._answer_of(intake, store, receive)
        finally:
            intake.discard()
        if not self._link.upper.is_established:
            raise self._broken("ended the association before it answered")
        self._link.send(context.id, *codec.response_message(store, answer))

    @staticmethod
    def _answer_of(
        intake: Intake[ReceivedDataSet], store: StoreRequest, receive: Callable[[StoreRequest], Response]
    ) -> Response:
        received = intake.close()
        if received is not None:
            try:
                return receive(replace(store, received=received))
            finally:
                received.discard()
        failure = intake.failure
        if isinstance(failure, Refused):
            return Response(failure.status, str(failure))
        event_log().error("dimse.failed", request="store", exc_info=failure)
        return Response(Status.OUT_OF_RESOURCES, "internal failure, try again")

    def _response(self, command: Command, identifier: bytes | None) -> Response:
        try:
            return codec.response_of(command, identifier)
        except codec.UnexpectedMessageError:
            raise self._broken("sends something that is no answer") from None

    def _broken(self, words: str) -> NoResponse:
        self.abort()
        return NoResponse(f"{self._ae_title} {words}")
