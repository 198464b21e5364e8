"""Any bytes at all: a message is read or refused with a fault, and what was parsed is written back as it came."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.message import Message
from dicom_nodes.hl7.mllp import Deframer, Garbage, TooLong, frame
from dicom_nodes.hl7.mllp import Message as Framed
from dicom_nodes.hl7.oru import read_oru
from dicom_nodes.model.report import AckCode
from tests.fakes.report_samples import LINES

PIECES = [
    *(line.encode() for line in LINES),
    b"\r",
    b"\r\n",
    b"\n",
    b"|",
    b"^",
    b"~",
    b"\\",
    b"&",
    b"\\.br\\",
    b"\\X",
    b"\xff",
]
MSH_HEADS = [LINES[0].encode(), b"MSH|^~\\&|A", b"MSH$*%!@$A", b"MSH|^", b"MSH"]
messages = st.builds(
    lambda head, rest: head + b"".join(rest),
    st.sampled_from(MSH_HEADS),
    st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)), max_size=25),
)


@settings(deadline=None, max_examples=400)
@given(st.one_of(messages, st.binary(max_size=200)))
def test_any_bytes_are_read_or_refused_and_written_back(raw: bytes) -> None:
    with suppress(Hl7Fault):
        message = Message(raw)
        assert bytes(message) == raw
        for segment in message.segments:
            for number in range(1, 40):
                with suppress(Hl7Fault):
                    segment.value(number)
                for repetition in segment.repetitions(number):
                    with suppress(Hl7Fault):
                        repetition.text()
    assert outcome(raw) in {"taken", AckCode.AE, AckCode.AR}


def outcome(raw: bytes) -> str:
    try:
        read_oru(raw)
    except Hl7Fault as fault:
        str(fault).encode("ascii")
        return fault.ack
    return "taken"


@settings(deadline=None)
@given(messages)
def test_value_is_the_first_components_first_subcomponent(raw: bytes) -> None:
    """The short way to a value and the long one say the same, or refuse alike."""
    with suppress(Hl7Fault):
        for segment in Message(raw).segments:
            for number in range(1, 34):
                said: list[str] = []
                for ask in (lambda: segment.value(number, 2), lambda: segment.first(number).component(2)):  # noqa: B023
                    try:
                        said.append(ask())
                    except Hl7Fault as fault:
                        said.append(str(fault))
                assert said[0] == said[1]


@settings(deadline=None)
@given(
    st.lists(st.one_of(messages, st.binary(max_size=40)).filter(lambda raw: b"\x1c\x0d" not in raw), max_size=5),
    st.lists(st.integers(1, 50), max_size=40),
)
def test_messages_are_found_however_the_stream_is_split(sent: list[bytes], sizes: list[int]) -> None:
    """A message that ends in 0x1C would end one byte early, so none is sent."""
    sent = [raw for raw in sent if not raw.endswith(b"\x1c")]
    stream = b"".join(map(frame, sent))
    deframer, events = Deframer(1 << 16), []
    for size in [*sizes, len(stream)]:
        portion, stream = stream[:size], stream[size:]
        events += list(deframer.receive(portion)) if portion else []
    events += deframer.finish()
    assert [event.data for event in events if isinstance(event, Framed)] == sent
    assert len(events) == len(sent)


@settings(deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(1, 20), max_size=40), st.integers(1, 64))
def test_any_stream_gives_events_and_holds_bounded_memory(stream: bytes, sizes: list[int], limit: int) -> None:
    deframer = Deframer(limit)
    for size in [*sizes, len(stream)]:
        portion, stream = stream[:size], stream[size:]
        for event in deframer.receive(portion):
            assert isinstance(event, Framed | TooLong | Garbage)
        assert deframer.buffered_bytes <= 2 * limit + 2
    list(deframer.finish())
    assert deframer.buffered_bytes == 0
