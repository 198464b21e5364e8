"""An association as cheap as Python can make it, for senders and receivers that must never be what is measured.

It uses the node's PDU and command codecs, but none of its transport, threads or flows.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dicom_nodes.upper_layer.association_pdus import (
    AssociateAccept,
    AssociateRequest,
    decode_accept,
    decode_request,
    encode_accept,
    encode_request,
)
from dicom_nodes.upper_layer.command_set import Command, decode_command, encode_command
from dicom_nodes.upper_layer.p_data import p_data_pdus
from dicom_nodes.upper_layer.pdu_decoder import Fault, PDataFragment, PduBody, PduDecoder, PduHeader
from dicom_nodes.upper_layer.pdu_types import Buffer, PduType, pdu
from dicom_nodes.upper_layer.presentation_contexts import AnsweredContext, ProposedContext
from dicom_nodes.upper_layer.user_information import (
    AsynchronousOperationsWindow,
    RoleSelection,
    UserInformation,
)

MAXIMUM_PDU = 262_144
_IMPLEMENTATION_CLASS_UID = "2.25.302837465910283746591028374659102837467"
_BUFFER_BYTES = 1 << 20
_BUFFERS_AT_ONCE = 1000
_QUICKACK: int = getattr(socket, "TCP_QUICKACK", 0)
_RELEASE_RQ, _RELEASE_RP = pdu(PduType.RELEASE_RQ, bytes(4)), pdu(PduType.RELEASE_RP, bytes(4))


class AssociationEnded(Exception):
    """The peer rejected, aborted or closed the association, or spoke no DICOM; says which."""


class ReleaseAsked(Exception):
    """The peer asks for release; it has been answered."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that came in; `identifier` is its data set where it was not given to a sink."""

    context_id: int
    command: Command
    size_bytes: int
    identifier: bytes


class Wire:
    """A connection that speaks DICOM; used by one thread."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._view = memoryview(bytearray(_BUFFER_BYTES))
        self._decoder = PduDecoder()
        self.peer_maximum = MAXIMUM_PDU
        self.acknowledges_at_once = True
        self._acknowledge()

    # -- association -----------------------------------------------------------------------------------------------
    def request(
        self,
        called: str,
        calling: str,
        contexts: Sequence[ProposedContext],
        *,
        window: int | None = None,
        roles: Sequence[str] = (),
    ) -> AssociateAccept:
        """Ask for an association; `roles` are SOP classes of which we want to be SCP.

        Raises:
            AssociationEnded: it is not accepted, or one of the contexts is not.
        """
        user = UserInformation(
            MAXIMUM_PDU,
            _IMPLEMENTATION_CLASS_UID,
            window=None if window is None else AsynchronousOperationsWindow(window, 1),
            roles=tuple(RoleSelection(uid, scu=False, scp=True) for uid in roles),
        )
        self._socket.sendall(encode_request(AssociateRequest(called, calling, tuple(contexts), user)))
        answer = self._body()
        if answer.pdu_type != PduType.ASSOCIATE_AC:
            raise AssociationEnded(f"{called} answered an association request with {answer.pdu_type.name}")
        accept = decode_accept(answer.content)
        refused = [context.id for context in accept.contexts if context.result]
        if refused:
            raise AssociationEnded(f"{called} does not accept {len(refused)} of {len(contexts)} presentation contexts")
        self._established(accept.user_information)
        return accept

    def accept(self) -> AssociateRequest:
        """Accept whatever is asked for, in the first transfer syntax."""
        asked = self._body()
        if asked.pdu_type != PduType.ASSOCIATE_RQ:
            raise AssociationEnded(f"{asked.pdu_type.name} instead of an association request")
        request = decode_request(asked.content)
        contexts = tuple(AnsweredContext(item.id, 0, item.transfer_syntaxes[0]) for item in request.contexts)
        user = UserInformation(
            MAXIMUM_PDU, _IMPLEMENTATION_CLASS_UID, window=request.user_information.window,
            roles=request.user_information.roles,
        )  # fmt: skip
        answer = AssociateAccept(request.called_ae_title, request.calling_ae_title, contexts, user)
        self._socket.sendall(encode_accept(answer))
        self._established(request.user_information)
        return request

    def release(self) -> None:
        """End the association in good order; a peer that ends it otherwise does no harm any more."""
        try:
            self._socket.sendall(_RELEASE_RQ)
            self._body()
        except (OSError, AssociationEnded, ReleaseAsked):
            pass
        self.close()

    def close(self) -> None:
        self._socket.close()

    # -- messages --------------------------------------------------------------------------------------------------
    def send(self, buffers: Sequence[Buffer]) -> None:
        """Write all of them, with as few system calls as possible."""
        for start in range(0, len(buffers), _BUFFERS_AT_ONCE):
            part = buffers[start : start + _BUFFERS_AT_ONCE]
            sent = self._socket.sendmsg(part)
            for buffer in part:
                if sent >= len(buffer):
                    sent -= len(buffer)
                else:
                    self._socket.sendall(memoryview(buffer)[sent:])
                    sent = 0

    def send_message(self, context_id: int, command: Command, data_set: bytes | None = None) -> None:
        """Send a small message."""
        pdus = list(p_data_pdus(context_id, encode_command(command), self.peer_maximum, True, True))
        if data_set is not None:
            pdus += p_data_pdus(context_id, data_set, self.peer_maximum, False, True)
        self._socket.sendall(b"".join(pdus))

    def receive(self, sink: Callable[[Command], Callable[[memoryview], None] | None] | None = None) -> Message:
        """The next message; `sink(command)` gives what takes its data set, None keeps it for `identifier`.

        Raises:
            ReleaseAsked: the peer releases the association instead.
            AssociationEnded: it ended otherwise.
        """
        parts: list[bytes] = []
        fragment = self._fragment()
        while not (fragment.is_command and fragment.is_last):
            parts.append(bytes(fragment.data))
            fragment = self._fragment()
        command = decode_command(b"".join((*parts, fragment.data)))
        context_id = fragment.context_id
        if not command.has_data_set:
            return Message(context_id, command, 0, b"")
        identifier, size_bytes = bytearray(), 0
        take = (sink(command) if sink else None) or identifier.extend
        while True:
            fragment = self._fragment()
            size_bytes += len(fragment.data)
            take(fragment.data)
            if fragment.is_last:
                return Message(context_id, command, size_bytes, bytes(identifier))

    # -- PDUs ------------------------------------------------------------------------------------------------------
    def _established(self, peer: UserInformation) -> None:
        self.peer_maximum = peer.maximum_length
        self._decoder.takes_data = True

    def _fragment(self) -> PDataFragment:
        event = self._next()
        if isinstance(event, PDataFragment):
            return event
        if event.pdu_type == PduType.RELEASE_RQ:
            self._socket.sendall(_RELEASE_RP)
            raise ReleaseAsked
        raise AssociationEnded(f"the peer sent {event.pdu_type.name}")

    def _body(self) -> PduBody:
        event = self._next()
        if isinstance(event, PDataFragment):
            raise AssociationEnded("P-DATA where none may come")
        return event

    def _next(self) -> PDataFragment | PduBody:
        while True:
            event = self._decoder.next()
            if event is None:
                count = self._socket.recv_into(self._view)
                if not count:
                    raise AssociationEnded("the connection was closed")
                self._acknowledge()
                self._decoder.receive(self._view[:count])
            elif isinstance(event, Fault):
                raise AssociationEnded(str(event.fault))
            elif not isinstance(event, PduHeader):
                return event

    def _acknowledge(self) -> None:
        """Have the kernel acknowledge at once; it forgets this wish, so it is made again after every read."""
        if _QUICKACK and self.acknowledges_at_once:
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


def connected(host: str, port: int, timeout_s: float | None = None) -> Wire:
    """A connection to a peer; `timeout_s` of silence is an error."""
    connection = socket.create_connection((host, port), timeout=30)
    connection.settimeout(timeout_s)
    return Wire(connection)
