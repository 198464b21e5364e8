"""The upper layer service provider: one association, its bytes and its state, without I/O (DICOM PS3.8 section 9).

In: what the transport says (`connected`, `receive_data`, `receive_eof`, `artim_expired`) and what we want (`associate`,
`accept`, `send_p_data`, `release`, `abort` …). Out: `next_event()` until it returns NEED_DATA, and `data_to_send()`.
"""

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum, auto

from dicom_nodes.upper_layer.association_pdus import (
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    decode_accept,
    decode_reject,
    decode_request,
    encode_abort,
    encode_accept,
    encode_reject,
    encode_request,
)
from dicom_nodes.upper_layer.events import (
    CONNECTION_LOST,
    NEED_DATA,
    Aborted,
    ArtimTimer,
    CloseTransport,
    Indication,
    NeedData,
    ReleaseConfirmed,
    ReleaseRequested,
    UpperLayerEvent,
)
from dicom_nodes.upper_layer.faults import AbortReason, AbortSource, LocalProtocolError, PduFault
from dicom_nodes.upper_layer.p_data import p_data_pdus
from dicom_nodes.upper_layer.pdu_decoder import Fault, PDataFragment, PduBody, PduDecoder, PduHeader
from dicom_nodes.upper_layer.pdu_types import Buffer, PduType, pdu
from dicom_nodes.upper_layer.state_machine import (
    EFFECTS,
    PASSES_OVER_CONTENT,
    TRANSITIONS,
    Action,
    Artim,
    Event,
    State,
)

PROTOCOL_VERSION_NOT_SUPPORTED = AssociateReject(result=1, source=2, reason=2)


class Side(Enum):
    """Who asked for the association."""

    REQUESTOR = auto()
    ACCEPTOR = auto()


_EVENT_OF_PDU = {
    PduType.ASSOCIATE_RQ: Event.ASSOCIATE_RQ,
    PduType.ASSOCIATE_AC: Event.ASSOCIATE_AC,
    PduType.ASSOCIATE_RJ: Event.ASSOCIATE_RJ,
    PduType.P_DATA_TF: Event.P_DATA_TF,
    PduType.RELEASE_RQ: Event.RELEASE_RQ,
    PduType.RELEASE_RP: Event.RELEASE_RP,
    PduType.ABORT: Event.ABORT,
}
_DELIVERING = frozenset({State.ESTABLISHED, State.AWAITING_RELEASE_RP})
_RELEASE_BODY = bytes(4)


class UpperLayerProvider:
    """One association, used by one thread."""

    def __init__(self, side: Side, *, largest_p_data: int | None = None) -> None:
        """`largest_p_data` is the longest P-DATA-TF taken from the peer; None takes any (nothing is allocated)."""
        self._side = side
        self._state = State.IDLE
        self._decoder = PduDecoder(largest_p_data)
        self._events: deque[Indication] = deque()
        self._outgoing: list[Buffer] = []
        self._answers_release = False
        self._peer_maximum_length = 0
        self._associate_request = b""
        self._readers: dict[PduType, Callable[[bytes], None]] = {
            PduType.ASSOCIATE_RQ: self._associate_rq,
            PduType.ASSOCIATE_AC: self._associate_ac,
            PduType.ASSOCIATE_RJ: self._associate_rj,
            PduType.RELEASE_RQ: self._release_rq,
            PduType.RELEASE_RP: self._release_rp,
            PduType.ABORT: self._abort,
        }

    @property
    def state(self) -> State:
        return self._state

    @property
    def is_established(self) -> bool:
        return self._state is State.ESTABLISHED

    @property
    def is_between_pdus(self) -> bool:
        """Whether the peer is at liberty to say nothing: it does not stand in the middle of a PDU."""
        return self._decoder.is_between_pdus

    @property
    def pdus_ended(self) -> int:
        """How many of the peer's PDUs have ended; while it stays the same, the same one is under way."""
        return self._decoder.pdus_ended

    @property
    def kept_bytes(self) -> int:
        """How much of the peer's bytes is held back: split headers and unfinished association PDUs."""
        return self._decoder.kept_bytes

    # -- the transport ---------------------------------------------------------------------------------------------
    def connected(self) -> None:
        """The connection stands: Evt5 for an acceptor, Evt2 for a requester."""
        if self._side is Side.ACCEPTOR:
            self._request(Event.TRANSPORT_INDICATION)
        else:
            self._request(Event.TRANSPORT_CONFIRM, send=self._associate_request)

    def receive_data(self, data: Buffer) -> None:
        """Take bytes in; only after `next_event()` returned NEED_DATA. Fragments will be views of `data`."""
        self._decoder.receive(data)

    def receive_eof(self) -> None:
        """The peer closed the connection, or it broke."""
        self._decoder.discard()
        if (Event.TRANSPORT_CLOSED, self._state) in TRANSITIONS:
            self._fire(Event.TRANSPORT_CLOSED, CONNECTION_LOST)

    def artim_expired(self) -> None:
        """The timer ran out; without effect when it was stopped meanwhile."""
        if (Event.ARTIM_EXPIRED, self._state) in TRANSITIONS:
            self._fire(Event.ARTIM_EXPIRED)

    def next_event(self) -> UpperLayerEvent | NeedData:
        """What happened next."""
        while True:
            if self._events:
                return self._events.popleft()
            decoded = self._decoder.next()
            if decoded is None:
                return NEED_DATA
            if type(decoded) is PDataFragment:
                if self._decoder.takes_data:
                    return decoded
            elif type(decoded) is PduHeader:
                self._begin(decoded.pdu_type)
            elif type(decoded) is PduBody:
                self._take_in(decoded)
            elif type(decoded) is Fault:
                self.refuse(decoded.fault)

    def data_to_send(self) -> list[Buffer]:
        """Buffers to be written in this order; they are handed out once."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    # -- the service user ------------------------------------------------------------------------------------------
    def associate(self, request: AssociateRequest) -> None:
        """Ask for an association; the connection must be made next, then `connected()` sends the request."""
        self._request(Event.A_ASSOCIATE_REQUEST)
        self._associate_request = encode_request(request)

    def accept(self, accept: AssociateAccept) -> None:
        """Answer an AssociateRequest."""
        self._request(Event.A_ASSOCIATE_ACCEPT, send=encode_accept(accept))

    def reject(self, reject: AssociateReject) -> None:
        """Answer an AssociateRequest."""
        self._request(Event.A_ASSOCIATE_REJECT, send=encode_reject(reject))

    def send_p_data(self, context_id: int, data: Buffer, *, is_command: bool, is_last: bool = True) -> None:
        """Send (a part of) a command set or data set; `data` is not copied and must stay as it is until sent."""
        self._request(Event.P_DATA_REQUEST)
        self._outgoing += p_data_pdus(context_id, data, self._peer_maximum_length, is_command, is_last)

    def release(self) -> None:
        """Ask for the association's orderly end."""
        self._request(Event.A_RELEASE_REQUEST, send=pdu(PduType.RELEASE_RQ, _RELEASE_BODY))

    def respond_to_release(self) -> None:
        """Answer ReleaseRequested; in a collision the acceptor's answer waits for the requester's (AR-10)."""
        if self._state is State.COLLISION_ACCEPTOR_AWAITING_RP:
            self._answers_release = True
            return
        self._request(Event.A_RELEASE_RESPONSE, send=pdu(PduType.RELEASE_RP, _RELEASE_BODY))

    def abort(self, source: int = AbortSource.SERVICE_USER, reason: int = AbortReason.NOT_SPECIFIED) -> None:
        """End the association at once; without effect where there is none."""
        if (Event.A_ABORT_REQUEST, self._state) in TRANSITIONS:
            self._fire(Event.A_ABORT_REQUEST, abort=encode_abort(source, reason))

    def refuse(self, fault: PduFault) -> None:
        """Abort because of what the peer sent, and read nothing more of it (Evt19)."""
        self._decoder.discard()
        self._abort_for(Event.INVALID_PDU, fault)

    # -- the state machine -----------------------------------------------------------------------------------------
    def _begin(self, pdu_type: PduType) -> None:
        if not self._is_awaited(pdu_type):
            self._decoder.skip_body()

    def _is_awaited(self, pdu_type: PduType) -> bool:
        """Whether the PDU's content matters in this state; where it does not, do at once what the table says."""
        event = _EVENT_OF_PDU[pdu_type]
        action = TRANSITIONS.get((event, self._state))
        if action in PASSES_OVER_CONTENT:
            self._abort_for(event, PduFault(AbortReason.UNEXPECTED_PDU, f"{pdu_type.name} in {self._place}"))
            return False
        return action is not None

    @property
    def _place(self) -> str:
        return f"Sta{self._state.value}"

    def _take_in(self, body: PduBody) -> None:
        if not self._is_awaited(body.pdu_type):
            return
        try:
            self._readers[body.pdu_type](body.content)
        except PduFault as fault:
            self.refuse(fault)

    def _associate_rq(self, content: bytes) -> None:
        request = decode_request(content)
        self._peer_maximum_length = request.user_information.maximum_length
        if request.speaks_version_1:
            self._fire(Event.ASSOCIATE_RQ, request)
            return
        self._fire(Event.ASSOCIATE_RQ)
        self.reject(PROTOCOL_VERSION_NOT_SUPPORTED)

    def _associate_ac(self, content: bytes) -> None:
        accept = decode_accept(content)
        self._peer_maximum_length = accept.user_information.maximum_length
        self._fire(Event.ASSOCIATE_AC, accept)

    def _associate_rj(self, content: bytes) -> None:
        self._fire(Event.ASSOCIATE_RJ, decode_reject(content))

    def _release_rq(self, _content: bytes) -> None:
        self._fire(Event.RELEASE_RQ, ReleaseRequested(self._state is State.AWAITING_RELEASE_RP))

    def _release_rp(self, _content: bytes) -> None:
        self._fire(Event.RELEASE_RP, ReleaseConfirmed())
        if self._answers_release and self._state is State.COLLISION_ACCEPTOR_AWAITING_PRIMITIVE:
            self.respond_to_release()

    def _abort(self, content: bytes) -> None:
        source, reason = content[2], content[3]
        self._fire(Event.ABORT, Aborted(source, reason, f"the peer aborted ({source}, {reason})", by_peer=True))

    def _request(self, event: Event, send: bytes | None = None) -> None:
        if (event, self._state) not in TRANSITIONS:
            raise LocalProtocolError(f"{event.name} in {self._place}")
        self._fire(event)
        if send is not None:
            self._outgoing.append(send)

    def _abort_for(self, event: Event, fault: PduFault) -> None:
        if (event, self._state) not in TRANSITIONS:
            return
        source = AbortSource.SERVICE_PROVIDER
        indication = Aborted(source, fault.reason, fault.words)
        self._fire(event, indication, abort=encode_abort(source, fault.reason))

    def _fire(self, event: Event, indication: Indication | None = None, abort: bytes = b"") -> None:
        """Do what the tables say. AA-1 for a PDU names the provider: only then is the reason significant."""
        before = self._state
        action = TRANSITIONS[event, before]
        effect = EFFECTS[action]
        self._state = effect.next_state
        if action is Action.AR_8 and self._side is Side.ACCEPTOR:
            self._state = State.COLLISION_ACCEPTOR_AWAITING_RP
        self._decoder.takes_data = self._state in _DELIVERING
        if effect.aborts:
            self._outgoing.append(abort)
        if indication is not None and before is not State.AWAITING_CLOSE and before is not State.IDLE:
            self._events.append(indication)
        self._events.extend(_housekeeping(effect.artim, self._state))


def _housekeeping(artim: Artim | None, state: State) -> Iterable[Indication]:
    if artim is not None:
        yield ArtimTimer(artim)
    if state is State.IDLE:
        yield CloseTransport()
