"""MLLP framing in any portions, with bounded memory."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_nodes.hl7.mllp import Deframer, Event, Garbage, Message, TooLong, frame

BODY = st.binary(max_size=40).filter(lambda body: b"\x1c" not in body and b"\x0b" not in body)
JUNK = st.binary(max_size=10).filter(lambda junk: b"\x0b" not in junk)


def received(stream: bytes, portions: list[int], limit: int) -> tuple[list[Event], int]:
    deframer, events, peak = Deframer(limit), [], 0
    cuts = sorted({cut % (len(stream) + 1) for cut in portions} | {0, len(stream)})
    for start, end in pairwise(cuts):
        events += deframer.receive(stream[start:end])
        peak = max(peak, deframer.buffered_bytes)
    return [*events, *deframer.finish()], peak


@settings(deadline=None)
@given(st.lists(st.tuples(JUNK, BODY)), st.lists(st.integers(0, 2000)))
def test_any_segmentation_gives_the_same_events(messages: list[tuple[bytes, bytes]], portions: list[int]) -> None:
    stream = b"".join(junk + frame(body) for junk, body in messages)
    expected: list[Event] = []
    for junk, body in messages:
        if stray := len(junk.translate(None, b"\r\n")):
            expected.append(Garbage(stray))
        expected.append(Message(body) if len(body) <= 20 else TooLong(body[:20], len(body)))
    events, _ = received(stream, portions, limit=20)
    assert events == expected


def test_a_message_at_the_limit_is_whole_and_one_byte_more_is_too_long() -> None:
    for portions in ([], list(range(200))):
        assert received(frame(b"x" * 64), portions, 64)[0] == [Message(b"x" * 64)]
        assert received(frame(b"x" * 65), portions, 64)[0] == [TooLong(b"x" * 64, 65)]


def test_a_message_that_never_ends_takes_no_memory() -> None:
    deframer = Deframer(4096)
    assert list(deframer.receive(b"\x0bMSH|")) == []
    for _ in range(200):
        assert list(deframer.receive(b"y" * 65536)) == []
        assert deframer.buffered_bytes <= 2 * 4096 + 2
    assert deframer.in_message
    (event,) = deframer.receive(b"\x1c\r")
    assert isinstance(event, TooLong)
    assert event.size_bytes == 4 + 200 * 65536
    assert event.head.startswith(b"MSH|y")
    assert list(deframer.receive(frame(b"next"))) == [Message(b"next")]


def test_the_end_block_may_arrive_in_two_portions_after_a_too_long_message() -> None:
    deframer = Deframer(1024)
    assert list(deframer.receive(b"\x0b" + b"z" * 5000 + b"\x1c")) == []
    assert list(deframer.receive(b"\r")) == [TooLong(b"z" * 1024, 5000)]


@pytest.mark.parametrize(("stream", "left"), [(b"", 0), (b"GET / HTTP/1.1\r\n", 14), (b"\x0bMSH|half", 9)])
def test_a_stream_that_ends_early_leaves_garbage(stream: bytes, left: int) -> None:
    deframer = Deframer(100)
    list(deframer.receive(stream))
    assert list(deframer.finish()) == ([Garbage(left)] if left else [])
