"""Associations that we request, on our own upper layer; see `association.OpenAssociation`."""

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dicom_nodes.dimse import message_codec as codec
from dicom_nodes.dimse.association import NoContextAccepted, NoResponse, Proposal
from dicom_nodes.dimse.association_link import AssociationLink
from dicom_nodes.dimse.connection import Connection, Transport, tick_for
from dicom_nodes.dimse.data_set_sink import MemorySink
from dicom_nodes.dimse.messages import PresentationContext, Request, Response, StoreRequest
from dicom_nodes.dimse.rejection import rejection_error
from dicom_nodes.dimse.tls_settings import TlsCaller
from dicom_nodes.encoding.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import PeerUnavailable
from dicom_nodes.upper_layer.association_pdus import AssociateAccept, AssociateReject, AssociateRequest
from dicom_nodes.upper_layer.command_set import Command, CommandField
from dicom_nodes.upper_layer.dimse_provider import CommandReceived, DimseEvent
from dicom_nodes.upper_layer.events import ReleaseConfirmed, ReleaseRequested
from dicom_nodes.upper_layer.negotiation import negotiated_contexts
from dicom_nodes.upper_layer.pdu_decoder import PDataFragment
from dicom_nodes.upper_layer.presentation_contexts import ProposedContext
from dicom_nodes.upper_layer.provider import Side
from dicom_nodes.upper_layer.user_information import RoleSelection, UserInformation

_MAXIMUM_PDU_BYTES = 262_144


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
        association = OpenedAssociation(link, to.ae_title, contexts, self._timeouts)
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


class OpenedAssociation:
    """An established association; see `association.RequestedAssociation`."""

    def __init__(
        self, link: AssociationLink, ae_title: str, contexts: tuple[PresentationContext, ...], timeouts: Timeouts
    ) -> None:
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

    def request(self, request: Request) -> Response:
        self._send(request)
        while True:
            response = self.response()
            if not response.is_pending:
                return response

    def retrieve(self, request: Request, receive: Callable[[StoreRequest], Response]) -> Response:
        self._send(request)
        while True:
            context, command, data_set = self._next_message()
            if command.command_field == CommandField.C_STORE_RQ:
                self._answer_sub_operation(context, command, data_set, receive)
                continue
            response = self._response(command, data_set)
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
        event = self._next_event()
        if isinstance(event, ReleaseRequested):
            self._link.upper.respond_to_release()
            self._link.flush()
        if not isinstance(event, CommandReceived):
            raise self._broken("ended the association before it answered")
        data_set = self._data_set() if event.command.has_data_set else None
        return self._by_id[event.context_id], event.command, data_set

    def _data_set(self) -> bytes:
        sink = MemorySink()
        while True:
            event = self._next_event()
            if not isinstance(event, PDataFragment):
                raise self._broken("ended the association in the middle of a data set")
            sink.write(event.data)
            if event.is_last:
                return sink.close()

    def _next_event(self) -> DimseEvent | None:
        try:
            return self._link.next_event(self._timeouts.response_s)
        except TimeoutError:
            raise self._broken(f"gave no answer within {self._timeouts.response_s:g} s") from None

    def _answer_sub_operation(
        self,
        context: PresentationContext,
        command: Command,
        data_set: bytes | None,
        receive: Callable[[StoreRequest], Response],
    ) -> None:
        try:
            store = codec.request_of(command, context, data_set or b"")
        except codec.UnexpectedMessageError:
            store = None
        if not isinstance(store, StoreRequest):
            raise self._broken("sends a sub-operation that is not a valid C-STORE")
        answer = receive(store)
        if not self._link.upper.is_established:
            raise self._broken("ended the association before it answered")
        self._link.send(context.id, *codec.response_message(store, answer))

    def _response(self, command: Command, identifier: bytes | None) -> Response:
        try:
            return codec.response_of(command, identifier)
        except codec.UnexpectedMessageError:
            raise self._broken("sends something that is no answer") from None

    def _broken(self, words: str) -> NoResponse:
        self.abort()
        return NoResponse(f"{self._ae_title} {words}")
