"""The tables against PS3.8 Table 9-10 as another implementation has it, and every cell driven through the provider."""

import pytest
from pynetdicom.fsm import ACTIONS, TRANSITION_TABLE

from dicom_nodes.upper_layer.association_pdus import (
    AssociateReject,
    encode_abort,
    encode_accept,
    encode_reject,
    encode_request,
)
from dicom_nodes.upper_layer.events import Aborted, ArtimTimer, CloseTransport, ReleaseConfirmed, ReleaseRequested
from dicom_nodes.upper_layer.faults import LocalProtocolError
from dicom_nodes.upper_layer.provider import Side, UpperLayerProvider
from dicom_nodes.upper_layer.state_machine import EFFECTS, TRANSITIONS, Action, Artim, Event, State
from tests.unit.upper_layer.wire import REQUEST, Peer, accept, acceptor, established, indications, requester

RELEASE_RQ, RELEASE_RP = b"\5\0\0\0\0\4" + bytes(4), b"\6\0\0\0\0\4" + bytes(4)
P_DATA = b"\4\0\0\0\0\x0a" + b"\0\0\0\6\1\0data"
PDUS = {
    Event.ASSOCIATE_AC: encode_accept(accept()),
    Event.ASSOCIATE_RJ: encode_reject(AssociateReject(1, 1, 3)),
    Event.ASSOCIATE_RQ: encode_request(REQUEST),
    Event.P_DATA_TF: P_DATA,
    Event.RELEASE_RQ: RELEASE_RQ,
    Event.RELEASE_RP: RELEASE_RP,
    Event.ABORT: encode_abort(0, 0),
    Event.INVALID_PDU: b"\x2a\0\0\0\0\4" + bytes(4),
}


def test_transitions_are_those_of_table_9_10() -> None:
    ours = {(f"Evt{event.value}", f"Sta{state.value}"): action.value for (event, state), action in TRANSITIONS.items()}

    assert ours == TRANSITION_TABLE


def test_every_action_leads_where_the_standard_says() -> None:
    assert set(EFFECTS) == set(Action)
    for action, effect in EFFECTS.items():
        allowed = ACTIONS[action.value][2]
        assert f"Sta{effect.next_state.value}" in ((allowed,) if isinstance(allowed, str) else allowed)


def test_every_state_is_left_when_the_connection_ends_or_the_timer_runs_out() -> None:
    for state in set(State) - {State.IDLE}:
        assert EFFECTS[TRANSITIONS[Event.TRANSPORT_CLOSED, state]].next_state is State.IDLE
    waiting = {State.TRANSPORT_OPEN, State.AWAITING_CLOSE}
    assert {state for event, state in TRANSITIONS if event is Event.ARTIM_EXPIRED} == waiting


def in_state(state: State) -> Peer:
    """A provider brought into the state by what leads there."""
    calling, called = established()
    match state:
        case State.TRANSPORT_OPEN:
            return acceptor()
        case State.AWAITING_ASSOCIATE_RESPONSE_PRIMITIVE:
            called = acceptor()
            called.take(encode_request(REQUEST))
            return called
        case State.AWAITING_ASSOCIATE_PDU:
            return requester()
        case State.AWAITING_TRANSPORT:
            peer = Peer(Side.REQUESTOR)
            peer.upper.associate(REQUEST)
            return peer
        case State.AWAITING_RELEASE_RP:
            calling.upper.release()
            return calling
        case State.AWAITING_RELEASE_PRIMITIVE:
            called.take(RELEASE_RQ)
            return called
        case State.COLLISION_REQUESTOR_AWAITING_PRIMITIVE:
            calling.upper.release()
            calling.take(RELEASE_RQ)
            return calling
        case State.COLLISION_ACCEPTOR_AWAITING_RP:
            called.upper.release()
            called.take(RELEASE_RQ)
            return called
        case State.COLLISION_REQUESTOR_AWAITING_RP:
            calling.upper.release()
            calling.take(RELEASE_RQ)
            calling.upper.respond_to_release()
            return calling
        case State.COLLISION_ACCEPTOR_AWAITING_PRIMITIVE:
            called.upper.release()
            called.take(RELEASE_RQ + RELEASE_RP)
            return called
        case State.AWAITING_CLOSE:
            called.upper.abort()
            return called
        case State.IDLE:
            return Peer(Side.ACCEPTOR)
    return called


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", PDUS)
def test_every_pdu_in_every_state_does_what_the_table_says(event: Event, state: State) -> None:
    peer = in_state(state)
    assert peer.upper.state is state
    peer.sent()
    peer.pending()

    happened = peer.take(PDUS[event])

    sent, action = peer.sent(), TRANSITIONS.get((event, state))
    if action is None:
        assert (sent, happened, peer.upper.state) == (b"", [], state)
        return
    effect = EFFECTS[action]
    expected = effect.next_state
    if action is Action.AR_8:
        is_requester = peer.upper._side is Side.REQUESTOR
        expected = (
            State.COLLISION_REQUESTOR_AWAITING_PRIMITIVE if is_requester else State.COLLISION_ACCEPTOR_AWAITING_RP
        )
    if event is Event.P_DATA_TF and action in {Action.DT_2, Action.AR_6}:
        assert (sent, peer.upper.state) == (encode_abort(2, 5), State.AWAITING_CLOSE)  # data before any command
        return
    assert peer.upper.state is expected
    reason = 1 if event is Event.INVALID_PDU else 2
    assert sent == (encode_abort(2, reason) if effect.aborts else b"")
    assert (ArtimTimer(effect.artim) in happened) == (effect.artim is not None)
    assert (CloseTransport() in happened) == (effect.next_state is State.IDLE)


@pytest.mark.parametrize("state", State)
def test_the_end_of_the_connection_in_every_state_ends_in_idle_and_says_so_once(state: State) -> None:
    peer = in_state(state)
    peer.pending()

    peer.upper.receive_eof()
    peer.upper.receive_eof()

    happened = peer.pending()
    assert peer.upper.state is State.IDLE
    assert happened.count(CloseTransport()) == (0 if state is State.IDLE else 1)
    told = [event for event in happened if isinstance(event, Aborted)]
    assert len(told) == (0 if state in {State.IDLE, State.AWAITING_CLOSE} else 1)


@pytest.mark.parametrize("state", State)
def test_the_timer_closes_the_connection_where_it_runs_and_does_nothing_elsewhere(state: State) -> None:
    peer = in_state(state)
    peer.pending()

    peer.upper.artim_expired()

    runs = state in {State.TRANSPORT_OPEN, State.AWAITING_CLOSE}
    assert peer.upper.state is (State.IDLE if runs else state)
    assert (CloseTransport() in peer.pending()) is runs


@pytest.mark.parametrize("state", State)
def test_what_we_may_not_ask_for_is_our_own_error(state: State) -> None:
    asks = {
        Event.A_ASSOCIATE_REQUEST: lambda upper: upper.associate(REQUEST),
        Event.A_ASSOCIATE_ACCEPT: lambda upper: upper.accept(accept()),
        Event.A_ASSOCIATE_REJECT: lambda upper: upper.reject(AssociateReject(1, 1, 1)),
        Event.P_DATA_REQUEST: lambda upper: upper.send_p_data(1, b"", is_command=True),
        Event.A_RELEASE_REQUEST: lambda upper: upper.release(),
    }
    for event, ask in asks.items():
        upper: UpperLayerProvider = in_state(state).upper
        if (event, state) in TRANSITIONS:
            ask(upper)
            assert upper.state is EFFECTS[TRANSITIONS[event, state]].next_state
        else:
            with pytest.raises(LocalProtocolError):
                ask(upper)
            assert upper.state is state


def test_release_is_asked_answered_and_confirmed() -> None:
    calling, called = established()

    calling.upper.release()
    assert indications(called.take(calling.sent())) == [ReleaseRequested()]
    called.upper.respond_to_release()
    assert called.pending() == [ArtimTimer(Artim.START)]

    assert calling.take(called.sent()) == [ReleaseConfirmed(), CloseTransport()]
    called.upper.receive_eof()
    assert called.pending() == [ArtimTimer(Artim.STOP), CloseTransport()]


@pytest.mark.parametrize("acceptor_answers_first", [False, True])
def test_both_sides_releasing_at_once_end_in_order(acceptor_answers_first: bool) -> None:
    calling, called = established()
    calling.upper.release()
    called.upper.release()
    to_called, to_calling = calling.sent(), called.sent()

    assert calling.take(to_calling) == [ReleaseRequested(collision=True)]
    assert called.take(to_called) == [ReleaseRequested(collision=True)]
    if acceptor_answers_first:
        called.upper.respond_to_release()
        assert called.sent() == b""
    calling.upper.respond_to_release()
    assert ReleaseConfirmed() in called.take(calling.sent())
    if not acceptor_answers_first:
        called.upper.respond_to_release()

    assert calling.take(called.sent()) == [ReleaseConfirmed(), CloseTransport()]
    called.upper.receive_eof()
    assert (calling.upper.state, called.upper.state) == (State.IDLE, State.IDLE)


def test_data_that_was_under_way_when_we_asked_for_release_is_still_handed_over() -> None:
    from dicom_nodes.upper_layer.command_set import Command

    calling, called = established()
    called.dimse.send_command(1, Command(0x8030, message_id_being_responded_to=1, status=0))
    calling.upper.release()

    (received,) = calling.take(called.sent())

    assert type(received).__name__ == "CommandReceived"
