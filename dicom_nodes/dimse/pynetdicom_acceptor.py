"""pynetdicom as upper layer of the listener: its state machine and PDU codec, none of its service classes.

The association policy, the negotiation of contexts and every DIMSE answer are ours (ADR 030).
"""

import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.acse import ACSE
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext as LibraryContext
from pynetdicom.transport import AddressInformation, RequestHandler, ThreadedAssociationServer

from dicom_nodes.config import Peer
from dicom_nodes.dimse import pynetdicom_codec as codec
from dicom_nodes.dimse.admission import MAXIMUM_WAITING, Admission
from dicom_nodes.dimse.dispatch import AssociationGoneError, Dispatcher
from dicom_nodes.dimse.messages import PresentationContext, Request, Response, StoreRequest
from dicom_nodes.dimse.pynetdicom_transport import BoundedSocket
from dicom_nodes.dimse.services import Caller
from dicom_nodes.dimse.sop_classes import Service, known_transfer_syntax, service_of
from dicom_nodes.rules.acceptance import LOCAL_LIMIT_EXCEEDED, Rejection

_QUERY_TRANSFER_SYNTAXES = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"}


@dataclass(frozen=True, slots=True)
class AcceptorPolicy:
    """What the acceptor asks the listener."""

    may_connect: Callable[[str], bool]
    """(host) → whether it may say anything at all."""
    turned_away: Callable[[str, str], None]
    """(host, why): a connection was closed before it asked for an association."""
    decide: Callable[[str, str, str], Peer | Rejection]
    """(called AE title, calling AE title, host) → the peer or why not."""
    rejected: Callable[[Rejection, str, str], None]
    """(rejection, calling AE title, host)."""
    opened: Callable[[Caller], None]
    closed: Callable[[Caller], None]
    broken: Callable[[BaseException], None]
    maximum_associations: int
    sub_operation_timeout_s: float
    stall_s: float
    first_pdu_s: float = 10.0
    maximum_waiting: int = MAXIMUM_WAITING


class NodeAcse(ACSE):
    """Decides on an association before pynetdicom negotiates it."""

    assoc: "NodeAssociation"

    def _negotiate_as_acceptor(self) -> None:
        request = self.requestor.primitive
        if request is None:
            raise AssociationGoneError
        host = self.requestor.address_info.address if self.requestor.address_info else ""
        called, calling = str(request.called_ae_title).strip(), str(request.calling_ae_title).strip()
        decision = self.assoc.policy.decide(called, calling, host)
        if not isinstance(decision, Rejection) and not self.assoc.takes_place():
            decision = LOCAL_LIMIT_EXCEEDED
        if isinstance(decision, Rejection):
            self.assoc.policy.rejected(decision, calling, host)
            self.send_reject(decision.result, decision.source, decision.reason)
            self.assoc.kill()
            return
        self.acceptor.supported_contexts = supported_contexts(request.presentation_context_definition_list)
        super()._negotiate_as_acceptor()
        if self.assoc.is_established:
            self.assoc.begin(decision)


def supported_contexts(proposed: list[LibraryContext]) -> list[LibraryContext]:
    """What we support of what is proposed: every storage class in every transfer syntax, and our query services.

    The caller's order of preference holds, but transfer syntaxes of the standard come before private ones.
    """
    supported: dict[str, LibraryContext] = {}
    for context in proposed:
        abstract_syntax = str(context.abstract_syntax)
        service = service_of(abstract_syntax)
        if service is None:
            continue
        ours = supported.setdefault(abstract_syntax, LibraryContext())
        ours.abstract_syntax = context.abstract_syntax
        for syntax in context.transfer_syntax:
            if service is Service.STORE or str(syntax) in _QUERY_TRANSFER_SYNTAXES:
                ours.add_transfer_syntax(syntax)
        if service is Service.STORE:
            ours.scu_role = ours.scp_role = True
    for context in supported.values():
        context.transfer_syntax = sorted(context.transfer_syntax, key=lambda uid: not known_transfer_syntax(str(uid)))
    return [context for context in supported.values() if context.transfer_syntax]


class NodeAssociation(Association):
    """An accepted association; requests go to our dispatcher instead of the library's service classes."""

    def __init__(self, server: "NodeServer") -> None:
        super().__init__(server.ae, MODE_ACCEPTOR)
        self.acse = NodeAcse(self)
        self.policy = server.policy
        self._server = server
        self._dispatcher = server.dispatcher
        self._admission = server.admission
        self._caller: Caller | None = None
        self.bind(evt.EVT_CONN_CLOSE, self._connection_closed)

    def takes_place(self) -> bool:
        """Take one of the node's places for associations until the end."""
        return self._admission.takes_place(self)

    def drop(self) -> None:
        """Make room: close the connection, from whatever thread; the association ends by itself then."""
        host = self.requestor.address_info.address if self.requestor.address_info else ""
        self.policy.turned_away(host, "too many connections ask for nothing")
        connection = self.dul.socket.socket if self.dul.socket else None
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def begin(self, peer: Peer) -> None:
        """Remember who called, and what was negotiated."""
        relational = {str(uid) for uid, info in self.requestor.sop_class_extended.items() if info[:1] == b"\x01"}
        self._caller = Caller(peer, uuid4().hex, frozenset(relational))
        self.policy.opened(self._caller)

    def run_reactor(self) -> None:
        """The association's life; whatever ends it, its end is reported once."""
        try:
            super().run_reactor()
        finally:
            self._admission.left(self)
            if self._caller is not None:
                self.policy.closed(self._caller)

    def _connection_closed(self, _event: object) -> None:
        """Wake `run_reactor` when a connection ends before it asked for anything: the library waits out its timer."""
        if self.requestor.primitive is None and self.dul.to_user_queue.empty():
            to_user_queue: Any = self.dul.to_user_queue
            to_user_queue.put(None)

    def _serve_request(self, msg: Any, context_id: int) -> None:
        negotiated = self._accepted_cx.get(context_id)
        if negotiated is None or self._caller is None:
            self.abort()
            return
        self.dimse.cancel_req = {}
        try:
            request = codec.request_of(msg, codec.accepted_context(negotiated))
            self._dispatcher.serve(request, self._caller, self)
        except AssociationGoneError:
            return
        except codec.UnexpectedMessageError:
            self.abort()
        except Exception as error:  # noqa: BLE001 - the worker's boundary: recorded, and the peer is told by an abort
            self.policy.broken(error)
            self.abort()
        finally:
            self.dimse.cancel_req = {}
            self.dul._idle_timer.restart()

    # -- dispatch.Exchange -----------------------------------------------------------------------------------------
    @property
    def contexts(self) -> tuple[PresentationContext, ...]:
        """Contexts on which the caller takes C-STORE from us (role selection, DICOM PS3.7 D.3.3.4)."""
        return tuple(
            codec.accepted_context(context)
            for context in self.accepted_contexts
            if context.as_scu and service_of(str(context.abstract_syntax)) is Service.STORE
        )

    def respond(self, request: Request, response: Response) -> None:
        self._require_alive()
        codec.send(self, codec.response_primitive(request, response), request.context.id)

    def store(self, request: StoreRequest) -> Response:
        self._require_alive()
        codec.send(self, codec.request_primitive(request), request.context.id)
        deadline = time.monotonic() + self.policy.sub_operation_timeout_s
        while True:
            primitive = self._next_message()
            if primitive is not None:
                return self._sub_operation_answer(primitive)
            if time.monotonic() > deadline:
                self.abort()
                raise AssociationGoneError

    def is_cancelled(self, message_id: int) -> bool:
        self._require_alive()
        return self.dimse.cancel_req.pop(message_id, None) is not None

    def _next_message(self) -> Any:
        self._require_alive()
        try:
            return self.dimse.msg_queue.get(timeout=0.05)[1]
        except queue.Empty:
            return None

    def _sub_operation_answer(self, primitive: Any) -> Response:
        if not isinstance(primitive, C_STORE):
            self.abort()
            raise AssociationGoneError
        try:
            return codec.response_of(primitive)
        except codec.UnexpectedMessageError:
            self.abort()
            raise AssociationGoneError from None

    def _require_alive(self) -> None:
        ended = not self.is_established or self._kill or not self.dul.is_alive()
        if ended or self.dul.peek_next_pdu() is not None:
            raise AssociationGoneError


class NodeRequestHandler(RequestHandler):
    """Starts an association for each connection."""

    server: "NodeServer"

    def handle(self) -> None:
        """Start the association, and drop the connection that has to make room for it."""
        association = self._create_association()
        evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
        dropped = self.server.admission.arrived(association, self.remote.address)
        try:
            association.start()
        except RuntimeError:
            self.server.admission.left(association)
            raise
        finally:
            if dropped is not None:
                dropped.drop()

    def _create_association(self) -> NodeAssociation:
        association = NodeAssociation(self.server)
        association.name = f"AcceptorThread@{uuid4().hex[:12]}"
        if not isinstance(self.request, socket.socket):
            raise TypeError("a DICOM listener takes TCP connections only")
        policy = self.server.policy
        association.set_socket(BoundedSocket(association, self.request, policy.stall_s, policy.first_pdu_s))
        association.acceptor.maximum_length = self.ae.maximum_pdu_size
        association.acceptor.ae_title = self.server.ae_title
        association.acceptor.address_info = AddressInformation.from_tuple(self.server.server_address)
        association.acceptor.implementation_class_uid = self.ae.implementation_class_uid
        association.acceptor.implementation_version_name = self.ae.implementation_version_name
        association.requestor.address_info = self.remote
        return association


class NodeServer(ThreadedAssociationServer):
    """The listening socket and its associations."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(
        self, ae: ApplicationEntity, address: tuple[str, int], policy: AcceptorPolicy, dispatcher: Dispatcher
    ) -> None:
        self.policy = policy
        self.dispatcher = dispatcher
        self.admission: Admission[NodeAssociation] = Admission(policy.maximum_associations, policy.maximum_waiting)
        super().__init__(ae, address, ae.ae_title, [], request_handler=NodeRequestHandler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="dicom-listener", daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self) -> None:
        """Accept connections in a thread of its own."""
        self.ae._servers.append(self)
        self._thread.start()

    def stop(self, drain_s: float) -> None:
        """Accept no more; let associations end by themselves for `drain_s`, then abort what is left."""
        self.shutdown()
        self._thread.join()
        deadline = time.monotonic() + drain_s
        while self.active_associations and time.monotonic() < deadline:
            time.sleep(0.02)
        for association in self.active_associations:
            association.abort()
        for association in self.active_associations:
            association.join(timeout=5)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Close connections from hosts that no peer calls from, before a byte of theirs is read."""
        del request
        host = str(client_address[0])
        if self.policy.may_connect(host):
            return True
        self.policy.turned_away(host, "no peer may call from this host")
        return False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Called in the `except` of a connection that could not be taken."""
        del request, client_address
        self.policy.broken(ConnectionError("a connection could not be taken"))


def make_server(
    ae_title: str, address: tuple[str, int], maximum_pdu_bytes: int, idle_s: float, policy: AcceptorPolicy,
    dispatcher: Dispatcher,
) -> NodeServer:  # fmt: skip
    """Bind the listening socket; nothing is accepted before `start()`."""
    ae = ApplicationEntity(ae_title)
    ae.maximum_associations = sys.maxsize  # the library counts connections; `Admission` counts associations
    ae.maximum_pdu_size = maximum_pdu_bytes
    ae.acse_timeout = policy.first_pdu_s
    ae.network_timeout = idle_s
    return NodeServer(ae, address, policy, dispatcher)
