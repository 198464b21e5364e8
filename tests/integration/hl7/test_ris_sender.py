"""The RIS sender against real sockets that answer well, badly, late or not at all."""

import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from dicom_nodes.hl7.ack import build_ack
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.mllp import frame
from dicom_nodes.hl7.oru import read_oru
from dicom_nodes.hl7.outgoing_oru import control_id
from dicom_nodes.hl7.sender import MllpRisSender
from dicom_nodes.model.errors import NothingSent, PeerRefused, PeerUnavailable
from dicom_nodes.model.report import AckCode
from tests.fakes.mllp_peer import MllpPeer
from tests.fakes.report_samples import TRUST, outgoing_report, ris_settings


def now() -> datetime:
    return datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def answering(code: AckCode) -> Callable[[bytes], bytes]:
    fault = None if code is AckCode.AA else Hl7Fault(Place("PID", 3), "patient not known", ErrorCode.UNKNOWN_KEY)
    return lambda message: frame(build_ack(message, code, now, fault))


def sender(peer_address: str, timeout_s: float = 5.0, **changes: object) -> MllpRisSender:
    return MllpRisSender(ris_settings(peer_address, timeout_s=timeout_s, **changes), TRUST)


@pytest.mark.parametrize("code", list(AckCode))
def test_the_ris_answer_is_returned_whatever_it_is(code: AckCode) -> None:
    report = outgoing_report(text="3 < 5 mm | ^ & ~ \\ €\r\nŁ")
    with MllpPeer(answering(code)) as ris:
        acknowledgement = sender(ris.address).send(report)
    assert (acknowledgement.code, acknowledgement.control_id) == (code, control_id(report))
    assert ("patient not known" in acknowledgement.words) is (code is not AckCode.AA)
    assert read_oru(ris.received[0]).text == report.text


def test_a_report_sent_again_is_the_same_message() -> None:
    with MllpPeer(answering(AckCode.AA)) as ris:
        assert sender(ris.address).send(outgoing_report()).code is AckCode.AA
        again = sender(ris.address).send(outgoing_report())
    assert again.control_id == control_id(outgoing_report())
    assert ris.received[0] == ris.received[1]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda message: b"", "closed the connection without an answer"),
        (lambda message: frame(build_ack(message, AckCode.AA, now))[:-9], "in the middle of its answer"),
        (lambda message: b"HTTP/1.1 400 Bad Request\r\n\r\n", "without an answer|no MLLP message"),
        (lambda message: b"junk" + frame(b"more"), "no MLLP message"),
        (lambda message: frame(b"MSH|^~\\&|RIS"), "no acknowledgement: MSA"),
        (lambda message: frame(b"not HL7"), "no acknowledgement: MSH"),
        (lambda message: frame(message), "no acknowledgement: MSA"),
        (lambda message: frame(build_ack(message, AckCode.AA, now).replace(b"MSA|AA|", b"MSA|CA|")), "commit"),
        (
            lambda message: frame(build_ack(message, AckCode.AA, now).replace(b"MSA|AA|", b"MSA|AA|X")),
            "another message",
        ),
        (lambda message: frame(b"MSH|" + b"x" * 300_000), "no MLLP message"),
    ],
)
def test_an_answer_that_is_none_is_a_reason_to_try_again(answer: Callable[[bytes], bytes], words: str) -> None:
    with MllpPeer(answer) as ris, pytest.raises(PeerUnavailable, match=words) as caught:
        sender(ris.address).send(outgoing_report())
    assert caught.value.retryable
    assert not isinstance(caught.value, NothingSent), "it may have arrived"
    assert ris.address in str(caught.value)


def test_silence_ends_at_the_time_limit() -> None:
    started = time.monotonic()
    with (
        MllpPeer(lambda message: None) as ris,
        pytest.raises(PeerUnavailable, match=r"no answer within 0\.3 s") as caught,
    ):
        sender(ris.address, timeout_s=0.3).send(outgoing_report())
    assert not isinstance(caught.value, NothingSent), "it may have arrived"
    assert time.monotonic() - started < 5


def test_nobody_listening_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NothingSent, match="nothing listens there"):
        sender(f"127.0.0.1:{port}").send(outgoing_report())


def test_text_the_ris_cannot_carry_is_refused_before_anything_is_sent() -> None:
    with MllpPeer(answering(AckCode.AA)) as ris:
        with pytest.raises(PeerRefused, match="nothing was sent"):
            sender(ris.address, charset="8859/1").send(outgoing_report(text="Łokieć"))
        assert ris.received == []
