"""Acknowledgements: what we answer reads back, and what a RIS answers is understood or refused."""

from datetime import UTC, datetime

import hl7apy.parser
import pytest

from dicom_nodes.hl7.ack import build_ack, read_ack
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.message import Message
from dicom_nodes.model.report import AckCode
from tests.fakes.report_samples import oru, oru_with


def now() -> datetime:
    return datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


FAULT = Hl7Fault(Place("OBX", 5, 2), "text holds a | and more", ErrorCode.DATA_TYPE)


def test_accepting_names_the_message_and_goes_back_to_its_sender() -> None:
    raw = build_ack(oru(), AckCode.AA, now)
    header = Message(raw).header
    assert [header.value(field) for field in (3, 4, 5, 6, 11, 12)] == [
        "READACROSS",
        "RXL",
        "READER",
        "RXL",
        "P",
        "2.5.1",
    ]
    assert header.first(9).raw == b"ACK^R01^ACK"
    assert header.value(7) == "20260701130000+0100"
    answer = read_ack(raw)
    assert (answer.code, answer.control_id, answer.words) == (AckCode.AA, "MSG00001", "")


def test_refusing_says_what_and_where() -> None:
    raw = build_ack(oru(), AckCode.AE, now, FAULT)
    (err,) = Message(raw).named("ERR")
    assert err.first(2).raw == b"OBX^2^5"
    assert err.first(3).raw == b"102^Data type error^HL70357"
    assert (err.value(4), err.value(8)) == ("E", FAULT.words)
    assert read_ack(raw).words.startswith("OBX[2]-5: text holds a | and more")


@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4"])
def test_a_sender_of_before_2_5_gets_the_one_field_that_its_err_has(version: str) -> None:
    raw = build_ack(oru_with("|P|2.5.1", f"|P|{version}"), AckCode.AE, now, FAULT)
    (err,) = Message(raw).named("ERR")
    assert err.raw == b"ERR|OBX^2^5^102&Data type error&HL70357"
    assert "OBX[2]-5: text holds a | and more" in read_ack(raw).words
    assert hl7apy.parser.parse_message(raw.decode(), validation_level=2).err.err_1.value


@pytest.mark.parametrize("fault", [None, FAULT])
def test_hl7apy_finds_the_answer_valid(fault: Hl7Fault | None) -> None:
    raw = build_ack(oru(), AckCode.AE if fault else AckCode.AA, now, fault)
    assert hl7apy.parser.parse_message(raw.decode(), validation_level=2).validate()


def test_an_unreadable_message_is_answered_with_its_control_id_where_it_has_one() -> None:
    assert read_ack(build_ack(oru_with("UNICODE UTF-8", "KLINGON"), AckCode.AE, now, FAULT)).control_id == "MSG00001"
    for raw in (b"", b"hello", b"\xff" * 100):
        answer = read_ack(build_ack(raw, AckCode.AR, now, FAULT))
        assert (answer.code, answer.control_id) == (AckCode.AR, "")


def ack(msa: str, *more: str) -> bytes:
    return "\r".join(["MSH|^~\\&|RIS|RXN|||20260701||ACK|1|P|2.3", msa, *more]).encode()


def test_words_come_from_msa_and_err() -> None:
    answer = read_ack(ack("MSA|AR|C1|Unknown patient", "ERR||PID^1^3|204^Unknown key^HL70357|E||||Not found"))
    assert (answer.code, answer.control_id) == (AckCode.AR, "C1")
    assert answer.words == "Unknown patient; Not found; Unknown key; PID"


@pytest.mark.parametrize(
    "raw",
    [b"", b"OK", ack(""), ack("MSA|CA|C1"), ack("MSA|ZZ|C1"), ack("MSA||C1"), ack("MSA").replace(b"\rMSA", b"")],
)
def test_what_is_no_application_acknowledgement_is_refused(raw: bytes) -> None:
    with pytest.raises(Hl7Fault):
        read_ack(raw)
