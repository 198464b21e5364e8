"""Messages however they are cut: into PDVs, PDUs, TCP segments; and bytes that are no messages at all."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_nodes.upper_layer.association_pdus import encode_abort, encode_request
from dicom_nodes.upper_layer.command_set import NO_DATA_SET, Command, CommandField, encode_command
from dicom_nodes.upper_layer.dimse_provider import LARGEST_COMMAND_SET, CommandReceived
from dicom_nodes.upper_layer.events import NEED_DATA, Aborted
from dicom_nodes.upper_layer.pdu_decoder import LARGEST_ASSOCIATION_PDU, PDataFragment
from dicom_nodes.upper_layer.state_machine import State
from tests.unit.upper_layer.wire import CT, MR, REQUEST, Peer, acceptor, established, messages

STORE = Command(
    CommandField.C_STORE_RQ, 1, message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.3", priority=0
)
ECHO = Command(CommandField.C_ECHO_RQ, message_id=2, affected_sop_class_uid="1.2.840.10008.1.1")
RELEASE_RQ = b"\5\0\0\0\0\4" + bytes(4)


def pdv(context_id: int, control: int, value: bytes) -> bytes:
    return struct.pack(">LBB", len(value) + 2, context_id, control) + value


def p_data(*pdvs: bytes) -> bytes:
    return struct.pack(">BxL", 4, sum(map(len, pdvs))) + b"".join(pdvs)


def cut_into_pdvs(context_id: int, kind: int, content: bytes, sizes: list[int]) -> list[bytes]:
    """PDVs of these sizes in turn; the last one is marked as such."""
    pieces, at, turn = [], 0, 0
    while at < len(content) or not pieces:
        size = sizes[turn % len(sizes)]
        last = at + size >= len(content)
        pieces.append(pdv(context_id, kind | (2 if last else 0), content[at : at + size]))
        at, turn = at + size, turn + 1
    return pieces


def grouped(pdvs: list[bytes], per_pdu: int) -> bytes:
    return b"".join(p_data(*pdvs[at : at + per_pdu]) for at in range(0, len(pdvs), per_pdu))


DATA = bytes(range(256)) * 3
SIZES = st.lists(st.integers(1, 300), min_size=1, max_size=5)


@st.composite
def sessions(draw: st.DrawFn) -> tuple[bytes, list[object]]:
    """(the bytes of several messages and perhaps a release, what was said in them)."""
    wire, said = b"", []
    for number in range(draw(st.integers(1, 4))):
        data = draw(st.just(b"") | st.binary(min_size=1, max_size=40) | st.just(DATA))
        context_id = draw(st.sampled_from([1, 3]))
        command = Command(
            CommandField.C_STORE_RQ, 1, message_id=number, affected_sop_class_uid=MR, affected_sop_instance_uid="1.2"
        )
        pdvs = cut_into_pdvs(context_id, 1, encode_command(command), draw(SIZES))
        pdvs += cut_into_pdvs(context_id, 0, data, draw(SIZES))
        wire += grouped(pdvs, draw(st.integers(1, 5)))
        said += [CommandReceived(context_id, command), (context_id, data)]
    return wire, said


@st.composite
def segments_of(draw: st.DrawFn, wire: bytes) -> list[bytes]:
    cuts = sorted(set(draw(st.lists(st.integers(0, len(wire)), max_size=30))) | {0, len(wire)})
    return [wire[start:end] for start, end in pairwise(cuts)]


@given(sessions(), st.data())
def test_the_same_bytes_give_the_same_events_however_they_arrive(
    session: tuple[bytes, list[object]], data: st.DataObject
) -> None:
    wire, said = session
    _, whole = established()
    _, segmented = established()

    whole.take(wire)
    for segment in data.draw(segments_of(wire)):
        segmented.take(segment)

    assert messages(whole.events) == said
    assert messages(segmented.events) == said


@given(sessions())
@settings(max_examples=20)
def test_byte_by_byte_is_no_different_and_keeps_next_to_nothing(session: tuple[bytes, list[object]]) -> None:
    wire, said = session
    _, called = established()

    for at in range(len(wire)):
        called.take(wire[at : at + 1])
        assert called.dimse.kept_bytes < 300

    assert messages(called.events) == said
    assert called.dimse.is_between_messages


@given(st.integers(0, 300), st.integers(1, 4))
def test_an_association_request_may_arrive_in_pieces(cut: int, times: int) -> None:
    wire = encode_request(REQUEST)
    called = acceptor()

    size = max(1, min(cut, len(wire)) // times)
    for at in range(0, len(wire), size):
        called.take(wire[at : at + size])

    assert REQUEST in called.events


@given(sessions(), st.data())
@settings(max_examples=200)
def test_mutated_bytes_end_in_one_right_abort_or_in_messages_and_never_in_an_exception(
    session: tuple[bytes, list[object]], data: st.DataObject
) -> None:
    wire = bytearray(session[0])
    for _ in range(data.draw(st.integers(1, 3))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    _, called = established(largest_p_data=1 << 20)

    for segment in data.draw(segments_of(bytes(wire))):
        called.take(segment)
        assert called.dimse.kept_bytes <= len(wire)

    check_end(called)


@given(st.binary(max_size=400), st.booleans(), st.data())
@settings(max_examples=200)
def test_noise_ends_in_the_right_abort_or_waits(noise: bytes, is_established: bool, data: st.DataObject) -> None:
    called = established()[1] if is_established else acceptor()

    for segment in data.draw(segments_of(noise)):
        called.take(segment)

    check_end(called)


def check_end(called: Peer) -> None:
    aborts = [event for event in called.events if isinstance(event, Aborted)]
    assert len(aborts) <= 1
    if aborts and not aborts[0].by_peer:
        (abort,) = aborts
        assert abort.source == 2
        assert abort.reason in {1, 2, 5, 6}
        assert called.sent().startswith(encode_abort(2, abort.reason))
        assert called.upper.state in {State.AWAITING_CLOSE, State.IDLE}
    called.upper.receive_eof()
    called.pending()
    assert called.upper.state is State.IDLE


COMMAND = encode_command(STORE)
WHOLE_COMMAND = p_data(pdv(1, 3, COMMAND))


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 1),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 1),
        (bytes(6), 1),
        (encode_request(REQUEST), 2),
        (b"\3\0\0\0\0\4\0\1\1\3", 2),
        (b"\6\0\0\0\0\4" + bytes(4), 2),
        (b"\5\0\0\0\0\5" + bytes(5), 6),
        (b"\7\0\0\0\0\0", 6),
        (b"\1\0\xff\xff\xff\xff", 6),
        (p_data(), 6),
        (p_data(b"\0\0\0\1\1\3"), 6),
        (p_data(b"\xff\xff\xff\xff\1\3"), 6),
        (p_data(pdv(1, 3, COMMAND), b"\0\0\0"), 6),
        (p_data(pdv(9, 3, COMMAND)), 6),
        (p_data(pdv(1, 3, b"no command")), 6),
        (p_data(pdv(1, 2, b"data")), 5),
        (WHOLE_COMMAND + p_data(pdv(3, 2, b"data")), 5),
        (WHOLE_COMMAND + WHOLE_COMMAND, 5),
        (p_data(pdv(1, 1, COMMAND[:20])) + p_data(pdv(3, 3, COMMAND[20:])), 5),
        (p_data(pdv(1, 3, encode_command(ECHO))) + p_data(pdv(1, 2, b"data")), 5),
        (b"\4\0\x00\x20\x00\x00", 6),
    ],
)
def test_each_fault_has_its_reason(wire: bytes, reason: int) -> None:
    _, called = established(largest_p_data=1 << 20)

    called.take(wire + WHOLE_COMMAND)

    (abort,) = [event for event in called.events if isinstance(event, Aborted)]
    assert (abort.source, abort.reason) == (2, reason)
    assert called.sent() == encode_abort(2, reason)
    assert called.upper.state is State.AWAITING_CLOSE


def test_a_command_set_without_end_is_cut_off_at_its_bound() -> None:
    _, called = established()
    piece = p_data(pdv(1, 1, bytes(10_000)))

    for _ in range(LARGEST_COMMAND_SET // 10_000):
        called.take(piece)
    assert called.upper.is_established
    called.take(piece)

    assert called.sent() == encode_abort(2, 6)
    assert called.dimse.kept_bytes <= LARGEST_COMMAND_SET


def test_a_declared_length_is_not_an_allocation() -> None:
    called = acceptor()

    called.take(struct.pack(">BxL", 1, LARGEST_ASSOCIATION_PDU) + b"x" * 100)

    assert called.dimse.kept_bytes == 100


def test_a_pdu_of_four_gigabytes_is_handed_on_as_it_comes() -> None:
    _, called = established()
    called.take(WHOLE_COMMAND)

    called.take(struct.pack(">BxL", 4, 0xFFFFFFFF) + struct.pack(">LBB", 0xFFFFFFFF - 4, 1, 2))
    handed_on = 0
    for _ in range(5):
        (fragment,) = called.take(bytes(100_000))
        assert isinstance(fragment, PDataFragment)
        assert not fragment.is_last
        handed_on += len(fragment.data)

    assert (handed_on, called.dimse.kept_bytes) == (500_000, 0)


def test_fragments_are_views_of_the_buffer_that_was_received_into() -> None:
    _, called = established()
    called.take(WHOLE_COMMAND)
    buffer = bytearray(p_data(pdv(1, 2, b"data")))

    called.upper.receive_data(buffer)
    fragment = called.dimse.next_event()

    assert isinstance(fragment, PDataFragment)
    buffer[-1:] = b"!"
    assert bytes(fragment.data) == b"dat!"
    assert called.dimse.next_event() is NEED_DATA


@pytest.mark.parametrize("maximum_length", [0, 7, 8, 100, 16_384, 0xFFFFFFFF])
def test_what_we_send_fits_the_peer_and_arrives_whole(maximum_length: int) -> None:
    calling, called = established(maximum_length)
    data = bytes(1001) if 0 < maximum_length < 100 else bytes(range(256)) * 2400

    calling.dimse.send_command(1, STORE)
    calling.dimse.send_data_set(1, data[:501], is_last=False)
    calling.dimse.send_data_set(1, data[501:])
    wire = calling.sent()
    called.take(wire)

    assert messages(called.events) == [CommandReceived(1, STORE), (1, data)]
    at, longest = 0, 0
    while at < len(wire):
        (length,) = struct.unpack_from(">L", wire, at + 2)
        longest, at = max(longest, length), at + 6 + length
    assert longest <= (maximum_length or 262_144)


def test_sending_does_not_copy_the_data_set() -> None:
    calling, _ = established(0)
    data = bytearray(1 << 20)

    calling.dimse.send_data_set(1, data)

    views = [buffer for buffer in calling.upper.data_to_send() if isinstance(buffer, memoryview)]
    assert all(view.obj is data for view in views)
    assert sum(map(len, views)) == len(data)


def test_a_command_says_whether_a_data_set_follows() -> None:
    assert STORE.has_data_set
    assert not ECHO.has_data_set
    assert ECHO.command_data_set_type == NO_DATA_SET


def test_the_wire_of_another_implementation_is_read() -> None:
    from io import BytesIO

    from pynetdicom.dimse_messages import C_STORE_RQ
    from pynetdicom.dimse_primitives import C_STORE
    from pynetdicom.pdu import P_DATA_TF

    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = 1, 2
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = CT, "1.2.3"
    primitive.DataSet = BytesIO(DATA)
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    wire = b""
    for data in message.encode_msg(1, 100):
        pdu = P_DATA_TF()
        pdu.from_primitive(data)
        wire += pdu.encode()
    _, called = established()

    called.take(wire)

    received, data_set = messages(called.events)
    assert isinstance(received, CommandReceived)
    assert received.command.affected_sop_instance_uid == "1.2.3"
    assert data_set == (1, DATA)


def test_our_wire_is_read_by_another_implementation() -> None:
    from pynetdicom.dimse_messages import DIMSEMessage
    from pynetdicom.pdu import P_DATA_TF

    calling, _ = established(100)
    calling.dimse.send_command(1, STORE)
    calling.dimse.send_data_set(1, DATA)
    wire, at, message, ended = calling.sent(), 0, DIMSEMessage(), False
    while at < len(wire):
        (length,) = struct.unpack_from(">L", wire, at + 2)
        pdu = P_DATA_TF()
        pdu.decode(wire[at : at + 6 + length])
        ended = message.decode_msg(pdu.to_primitive())
        at += 6 + length

    assert ended
    primitive = message.message_to_primitive()
    assert primitive.AffectedSOPInstanceUID == "1.2.3"
    assert primitive.DataSet.getvalue() == DATA


def test_release_after_messages_is_seen_in_its_place() -> None:
    _, called = established()

    called.take(WHOLE_COMMAND + p_data(pdv(1, 2, b"data")) + RELEASE_RQ)

    assert [type(event).__name__ for event in called.events] == ["CommandReceived", "PDataFragment", "ReleaseRequested"]
