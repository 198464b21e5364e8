"""Requested associations on pynetdicom's state machine, without its association thread.

In the library that thread and the caller take messages from one queue, which loses a response now and then; here
the caller is the only reader.
"""

import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.uid import UID
from pynetdicom._globals import MODE_REQUESTOR
from pynetdicom.ae import ApplicationEntity as LibraryEntity
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import A_ASSOCIATE, SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import build_context
from pynetdicom.transport import AddressInformation

from dicom_nodes.dimse import pynetdicom_codec as codec
from dicom_nodes.dimse.association import NoContextAccepted, NoResponse, Proposal
from dicom_nodes.dimse.messages import PresentationContext, Request, Response, StoreRequest
from dicom_nodes.dimse.pynetdicom_transport import DiallingSocket
from dicom_nodes.dimse.rejection import rejection_error
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import PeerUnavailable

_MAXIMUM_PDU_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a partner may take: to connect, to negotiate or release, to answer a request; all in seconds."""

    connect_s: float = 10.0
    associate_s: float = 15.0
    response_s: float = 30.0


class PynetdicomRequester:
    """Opens associations under our AE title."""

    def __init__(self, own_ae_title: str, timeouts: Timeouts | None = None) -> None:
        self._own_ae_title = own_ae_title
        self._timeouts = timeouts or Timeouts()

    def __call__(self, to: ApplicationEntity, proposals: Sequence[Proposal]) -> "PynetdicomAssociation":
        """As `association.OpenAssociation`."""
        association, dialling = self._prepare(to, proposals)
        association.request()
        if association.is_established:
            return PynetdicomAssociation(association, self._timeouts.response_s)
        reason = self._why_not(association, dialling, to)
        association.kill()
        raise reason

    def _prepare(self, to: ApplicationEntity, proposals: Sequence[Proposal]) -> tuple[Association, DiallingSocket]:
        entity = LibraryEntity(self._own_ae_title)
        entity.acse_timeout = self._timeouts.associate_s
        entity.network_timeout = None
        association = Association(entity, MODE_REQUESTOR)
        dialling = DiallingSocket(
            association, (to.host, to.port), self._timeouts.connect_s, stall_s=self._timeouts.response_s
        )
        association.set_socket(dialling)
        association.acceptor.ae_title = to.ae_title
        association.acceptor.address_info = AddressInformation("127.0.0.1", to.port)
        association.requestor.address_info = AddressInformation("127.0.0.1", 0)
        association.requestor.ae_title = self._own_ae_title
        association.requestor.maximum_length = _MAXIMUM_PDU_BYTES
        association.requestor.implementation_class_uid = entity.implementation_class_uid
        association.requestor.implementation_version_name = entity.implementation_version_name
        contexts = []
        for number, proposal in enumerate(proposals):
            context = build_context(proposal.abstract_syntax, list(proposal.transfer_syntaxes))
            context.context_id = 2 * number + 1
            contexts.append(context)
        association.requestor.requested_contexts = contexts
        for abstract_syntax in {proposal.abstract_syntax for proposal in proposals if proposal.as_scp}:
            role = SCP_SCU_RoleSelectionNegotiation()
            role.sop_class_uid = UID(abstract_syntax)
            role.scu_role, role.scp_role = False, True
            association.requestor.add_negotiation_item(role)
        return association, dialling

    def _why_not(self, association: Association, dialling: DiallingSocket, to: ApplicationEntity) -> Exception:
        if dialling.failure is not None:
            why = dialling.failure.strerror or str(dialling.failure) or type(dialling.failure).__name__
            return PeerUnavailable(f"{to.ae_title} at {to.host}:{to.port} cannot be reached: {why}")
        answer = association.acceptor.primitive
        if association.is_rejected and isinstance(answer, A_ASSOCIATE):
            numbers = int(answer.result or 0), int(answer.result_source or 0), int(answer.diagnostic or 0)
            return rejection_error(*numbers, own_ae_title=self._own_ae_title, called_ae_title=to.ae_title)
        if isinstance(answer, A_ASSOCIATE):
            return NoContextAccepted(f"{to.ae_title} accepts the association but none of what we propose")
        where = f"{to.ae_title} at {to.host}:{to.port}"
        return PeerUnavailable(f"{where} does not answer the association request; is our address listed there?")


class PynetdicomAssociation:
    """An established association; see `association.RequestedAssociation`."""

    def __init__(self, association: Association, response_s: float) -> None:
        self._association = association
        self._response_s = response_s

    @property
    def contexts(self) -> tuple[PresentationContext, ...]:
        return tuple(codec.accepted_context(context) for context in self._association.accepted_contexts)

    def request(self, request: Request) -> Response:
        codec.send(self._association, codec.request_primitive(request), request.context.id)
        while True:
            response = self._response(self._next_message()[1])
            if not response.is_pending:
                return response

    def retrieve(self, request: Request, receive: Callable[[StoreRequest], Response]) -> Response:
        codec.send(self._association, codec.request_primitive(request), request.context.id)
        accepted = {context.id: context for context in self.contexts}
        while True:
            context_id, primitive = self._next_message()
            if isinstance(primitive, C_STORE):
                self._answer_sub_operation(primitive, accepted.get(context_id), receive)
                continue
            response = self._response(primitive)
            if not response.is_pending:
                return response

    def release(self) -> None:
        if self._association.is_established:
            self._association.acse.negotiate_release()
        else:
            self.abort()

    def abort(self) -> None:
        if self._association.is_established:
            self._association.abort()
        self._association.kill()

    def _answer_sub_operation(
        self, primitive: C_STORE, context: PresentationContext | None, receive: Callable[[StoreRequest], Response]
    ) -> None:
        try:
            store = codec.request_of(primitive, context) if context is not None else None
        except codec.UnexpectedMessageError:
            store = None
        if context is None or not isinstance(store, StoreRequest):
            raise self._broken("sends a sub-operation that is not a valid C-STORE")
        codec.send(self._association, codec.response_primitive(store, receive(store)), context.id)

    def _response(self, primitive: Any) -> Response:
        try:
            return codec.response_of(primitive)
        except codec.UnexpectedMessageError:
            raise self._broken("sends something that is no answer") from None

    def _next_message(self) -> tuple[int, Any]:
        deadline = time.monotonic() + self._response_s
        dul = self._association.dul
        while True:
            try:
                context_id, primitive = self._association.dimse.msg_queue.get(timeout=0.1)
            except queue.Empty:
                ended = dul.peek_next_pdu() is not None or not dul.is_alive()
                if ended and self._association.dimse.msg_queue.empty():
                    raise self._broken("ended the association before it answered") from None
                if time.monotonic() > deadline:
                    raise self._broken(f"gave no answer within {self._response_s:g} s") from None
            else:
                if primitive is None:  # the library's sign that the association was released or aborted
                    raise self._broken("ended the association before it answered")
                return int(context_id or 0), primitive

    def _broken(self, words: str) -> NoResponse:
        name = self._association.acceptor.ae_title
        self.abort()
        return NoResponse(f"{name} {words}")
