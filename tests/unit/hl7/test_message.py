"""Parsing without loss: bytes back as they came, delimiters, escapes and character sets as the message says."""

import hl7
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_nodes.hl7.escapes import STANDARD, escape, unescape
from dicom_nodes.hl7.faults import Hl7Fault, Place
from dicom_nodes.hl7.message import Message
from tests.fakes.report_samples import LINES, oru

PLACE = Place("OBX", 5)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["PID|1", "OBX|2|TX|a^b~c&d", "", "ZZZ|é\\T\\", "NTE"])), st.sampled_from(["\r", "\r\n"])
)
def test_what_was_parsed_is_written_back_byte_for_byte(lines: list[str], end: str) -> None:
    raw = end.join(["MSH|^~\\&|A", *lines]).encode()
    assert bytes(Message(raw)) == raw


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8")))
def test_escaped_text_is_unescaped_to_itself(text: str) -> None:
    for line_breaks in (False, True):
        written = escape(text, line_breaks=line_breaks)
        assert not set(written) & set("|^~&\r\n\x0b\x1c")
        assert unescape(written.encode(), STANDARD, PLACE).decode() == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (rb"\F\\S\\T\\R\\E\ ", "|^&~\\ "),
        (rb"a\.br\b\.sp2\c", "a\nb\n\nc"),
        (rb"\X41\\XC581\ukasz", "AŁukasz"),
        (rb"\H\bold\N\ plain", "bold plain"),
        (rb"C:\temp", "C:\\temp"),
        (rb"C:\temp\new", "C:\\temp\\new"),
        (rb"\\T\ ", "\\& "),
        (rb"\X4\ \XZZ\ \Q\ ", "\\X4\\ \\XZZ\\ \\Q\\ "),
        (rb"\.in+4\indented", "indented"),
    ],
)
def test_escape_sequences(written: bytes, text: str) -> None:
    assert unescape(written, STANDARD, PLACE).decode() == text


def test_text_that_switches_its_character_set_is_refused() -> None:
    with pytest.raises(Hl7Fault, match=r"OBX-5: .*switches its character set"):
        unescape(rb"abc\M2442\def", STANDARD, PLACE)


def test_delimiters_are_the_messages_own() -> None:
    message = Message(b"MSH$*%!@$SENDER*X$$$$$ORU*R01$1$P$2.5.1\rPID$1$$A!S!B*C@D%E\r")
    pid = message.named("PID")[0]
    assert message.header.value(3, 2) == "X"
    assert [pid.first(3).component(1), pid.first(3).component(2, 2)] == ["A*B", "D"]
    assert pid.repetitions(3)[1].component(1) == "E"


def test_fields_are_those_that_another_parser_finds() -> None:
    raw = oru()
    ours, theirs = Message(raw), hl7.parse(raw.decode())
    for name, fields in {
        "MSH": (3, 4, 9, 10, 12, 18),
        "PID": (3, 5, 7),
        "OBR": (3, 4, 22, 24, 25),
        "OBX": (2, 3, 11),
    }.items():
        for number in fields:
            found = "~".join(field.raw.decode() for field in ours.named(name)[0].repetitions(number))
            assert found == str(theirs.segment(name)[number])


@pytest.mark.parametrize(
    ("msh_18", "data", "text"),
    [
        ("", "Siân".encode(), "Siân"),
        ("UNICODE UTF-8", "Łukasz €".encode(), "Łukasz €"),
        ("8859/1", "Siân".encode("latin-1"), "Siân"),
        ("8859/15", "5 €".encode("iso8859-15"), "5 €"),
        ("8859/2", "Łukasz".encode("iso8859-2"), "Łukasz"),
        ("ASCII", b"plain", "plain"),
    ],
)
def test_character_sets(msh_18: str, data: bytes, text: str) -> None:
    raw = f"MSH|^~\\&|||||||ORU^R01|1|P|2.5.1||||||{msh_18}\rNTE|1||".encode() + data + b"\r"
    assert Message(raw).named("NTE")[0].first(3).text() == text


@pytest.mark.parametrize(
    ("msh_18", "data", "words"),
    [
        ("", "Siân".encode("latin-1"), "byte 0xE2 is no character here: MSH-18 is absent"),
        ("ASCII", "Siân".encode(), "byte 0xC3"),
        ("UNICODE UTF-8", "Siân".encode("latin-1"), "byte 0xE2"),
        ("8859/1", "“quoted”".encode("cp1252"), "windows-1252"),
        ("8859/3", b"\xa5", "byte 0xA5"),
        ("UNICODE UTF-8", b"a\x00b", r"control character U\+0000"),
        ("UNICODE UTF-8", rb"a\X1B\b", r"control character U\+001B"),
    ],
)
def test_bytes_that_are_no_characters_are_refused_with_their_place(msh_18: str, data: bytes, words: str) -> None:
    raw = f"MSH|^~\\&|||||||ORU^R01|1|P|2.5.1||||||{msh_18}\rNTE|1||".encode() + data + b"\r"
    with pytest.raises(Hl7Fault, match=f"NTE-3: .*{words}"):
        Message(raw).named("NTE")[0].first(3).text()


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"", "MSH"),
        (b"PID|1\r", "MSH"),
        (b"not HL7 at all", "MSH"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "MSH"),
        (b"MSH|||||||||\r", "MSH-2"),
        (b"MSH|^^^^|A|B\r", "MSH-2"),
        (b"MSH|^~\\&|||||||ORU|1|P|2.5||||||KLINGON\r", "MSH-18"),
        (b"MSH|^~\\&|||||||ORU|1|P|2.5||||||ASCII~8859/1\r", "MSH-18"),
        (b"MSH|^~\\&|A\rOBX|1|TX|||first line\rsecond line||||||F\r", "OBX"),
    ],
)
def test_what_is_no_message_is_refused_with_its_place(raw: bytes, place: str) -> None:
    with pytest.raises(Hl7Fault) as caught:
        Message(raw)
    assert str(caught.value.place) == place


def test_segments_may_end_in_line_feeds() -> None:
    message = Message("\n".join(LINES).encode())
    assert [segment.name for segment in message.segments] == ["MSH", "PID", "ORC", "OBR", "OBX", "OBX"]
