"""Reports by MLLP over real sockets: taken durably before AA, bad input refused, neighbours unharmed."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from dicom_nodes.config import Hl7Listener
from dicom_nodes.flows.take_report import TakeReport
from dicom_nodes.hl7.ack import read_ack
from dicom_nodes.hl7.listener import MllpListener
from dicom_nodes.hl7.message import Message
from dicom_nodes.hl7.mllp import frame
from dicom_nodes.hl7.report_intake import OruIntake
from dicom_nodes.hl7.sender import MllpRisSender
from dicom_nodes.model.report import AckCode
from tests.fakes.mllp_peer import exchange
from tests.fakes.report_fakes import MemoryReportStore
from tests.fakes.report_samples import TRUST, oru, oru_with, outgoing_report, ris_settings


@contextmanager
def listening(store: MemoryReportStore, **changes: object) -> Iterator[int]:
    settings = {"listen": "127.0.0.1:0", "allowed_hosts": ("127.0.0.0/8",), "max_message_bytes": 65536, **changes}
    listener = MllpListener(Hl7Listener.model_validate(settings), OruIntake(TakeReport(store)))
    listener.start()
    try:
        yield listener.port
    finally:
        listener.stop()


def test_a_report_is_taken_and_a_repeat_is_the_same_report() -> None:
    store = MemoryReportStore()
    with listening(store) as port:
        answers = exchange(port, frame(oru()) * 2, frame(oru_with("MSG00001", "MSG00002")), answers=3)
    assert [read_ack(answer).code for answer in answers] == [AckCode.AA] * 3
    assert [read_ack(answer).control_id for answer in answers] == ["MSG00001", "MSG00001", "MSG00002"]
    assert [report.original for report in store.taken.values()] == [oru(), oru_with("MSG00001", "MSG00002")]


def test_aa_comes_only_after_the_report_is_durable() -> None:
    release, asked = threading.Event(), threading.Event()

    class SlowStore(MemoryReportStore):
        def take(self, report_id, report):
            asked.set()
            assert release.wait(10)
            super().take(report_id, report)

    store = SlowStore()
    with listening(store) as port, socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(frame(oru()))
        assert asked.wait(5)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert store.taken == {}
        release.set()
        connection.settimeout(5)
        assert b"MSA|AA|MSG00001" in connection.recv(4096)
        assert len(store.taken) == 1


def test_a_report_that_cannot_be_kept_is_ar_try_again_and_later_aa() -> None:
    store = MemoryReportStore(failure=OSError("disk"))
    with listening(store) as port:
        (answer,) = exchange(port, frame(oru()))
        assert read_ack(answer).code is AckCode.AR
        assert "try again" in read_ack(answer).words
        assert store.taken == {}
        store.failure = None
        (answer,) = exchange(port, frame(oru()))
        assert read_ack(answer).code is AckCode.AA


@pytest.mark.parametrize(
    ("bad", "code", "place"),
    [
        (b"PID|1||9990000018\r", AckCode.AR, "MSH^1"),
        (b"this is not HL7 at all", AckCode.AR, "MSH^1"),
        (b"", AckCode.AR, "MSH^1"),
        (b"\x00\xff" * 500, AckCode.AR, "MSH^1"),
        (oru_with("UNICODE UTF-8", "KLINGON"), AckCode.AE, "MSH^1^18"),
        (oru_with("ORU^R01^ORU_R01", "ADT^A08"), AckCode.AR, "MSH^1^9"),
        (oru_with("9990000018", "9990000019"), AckCode.AE, "PID^1^3"),
        (oru() + b"OBX|3|TX|||" + b"x" * 2_000_000 + b"\r", AckCode.AR, "MSH^1"),
    ],
)
def test_bad_input_is_refused_saying_where_and_the_connection_goes_on(bad: bytes, code: AckCode, place: str) -> None:
    store = MemoryReportStore()
    with listening(store) as port, socket.create_connection(("127.0.0.1", port), 5) as neighbour:
        neighbour.sendall(frame(oru_with("MSG00001", "NEIGHBOUR"))[:100])
        refused, taken = exchange(port, frame(bad), frame(oru()), answers=2)
        neighbour.sendall(frame(oru_with("MSG00001", "NEIGHBOUR"))[100:])
        assert b"MSA|AA|NEIGHBOUR" in neighbour.recv(4096)
    assert read_ack(refused).code is code
    assert Message(refused).named("ERR")[0].first(2).text() == place
    assert read_ack(taken).code is AckCode.AA
    assert len(store.taken) == 2


def test_a_too_long_message_is_answered_under_its_own_control_id() -> None:
    with listening(MemoryReportStore()) as port:
        (answer,) = exchange(port, frame(oru() + b"x" * 2_000_000))
    assert read_ack(answer).control_id == "MSG00001"
    assert "at most 65536" in read_ack(answer).words


def test_bytes_outside_a_frame_are_passed_over_and_logged() -> None:
    with structlog.testing.capture_logs() as events, listening(MemoryReportStore()) as port:
        (answer,) = exchange(port, b"GET / HTTP/1.1\r\n\r\n", frame(oru()))
    assert read_ack(answer).code is AckCode.AA
    assert {
        key: event[key] for event in events if event["event"] == "hl7.garbage" for key in ("event", "size_bytes")
    } == {"event": "hl7.garbage", "size_bytes": 14}


@pytest.mark.parametrize("behind", ["QZX|more", "QZX", "QZX|more\rand more"])
def test_text_behind_an_unescaped_return_is_never_logged_as_a_segment(behind: str) -> None:
    with structlog.testing.capture_logs() as events, listening(MemoryReportStore()) as port:
        (answer,) = exchange(port, frame(oru_with("No haemorrhage.", f"No haemorrhage.\r{behind}")))
    assert read_ack(answer).code is AckCode.AE
    assert [event["place"] for event in events if event["event"] == "report.refused"] == ["another segment"]


def test_a_host_that_is_not_allowed_is_closed_at_once_and_logged() -> None:
    store = MemoryReportStore()
    elsewhere = ("10.1.2.0/24",)
    with structlog.testing.capture_logs() as events, listening(store, allowed_hosts=elsewhere) as port:
        assert exchange(port) == []
    refused = [event for event in events if event["event"] == "hl7.connection_refused"]
    assert [(event["host"], event["reason"]) for event in refused] == [("127.0.0.1", "host not allowed")]


def test_a_message_that_never_ends_is_cut_off_even_while_bytes_drip() -> None:
    with listening(MemoryReportStore(), idle_s=0.5) as port:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.settimeout(0.05)
            connection.sendall(b"\x0bMSH|")
            closed = False
            for _ in range(200):
                try:
                    connection.sendall(b"x")
                    closed = connection.recv(1) == b""
                except TimeoutError:
                    continue
                except OSError:
                    closed = True
                if closed:
                    break
        assert closed
        assert read_ack(exchange(port, frame(oru()))[0]).code is AckCode.AA


def test_stopping_answers_the_message_in_hand() -> None:
    release, asked = threading.Event(), threading.Event()

    class SlowStore(MemoryReportStore):
        def take(self, report_id, report):
            asked.set()
            assert release.wait(10)
            super().take(report_id, report)

    store = SlowStore()
    settings = Hl7Listener(listen="127.0.0.1:0", allowed_hosts=("127.0.0.1",))
    listener = MllpListener(settings, OruIntake(TakeReport(store)))
    listener.start()
    with socket.create_connection(("127.0.0.1", listener.port), 5) as connection:
        connection.sendall(frame(oru()))
        assert asked.wait(5)
        stopping = threading.Thread(target=listener.stop)
        stopping.start()
        release.set()
        assert b"MSA|AA|MSG00001" in connection.recv(4096)
        stopping.join(5)
        assert not stopping.is_alive()
        assert connection.recv(1) == b""


def test_our_own_sender_and_listener_understand_each_other() -> None:
    store = MemoryReportStore()
    report = outgoing_report(text="< > & | ^ ~ \\ \r\n € Ł تقرير 😀 ")
    with listening(store) as port:
        acknowledgement = MllpRisSender(ris_settings(f"127.0.0.1:{port}"), TRUST).send(report)
    assert acknowledgement.code is AckCode.AA
    (taken,) = store.taken.values()
    assert taken.text == report.text


def test_no_patient_data_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    store = MemoryReportStore()
    marked = oru_with("No haemorrhage.", "MARKEDTEXT")
    with structlog.testing.capture_logs() as events, listening(store) as port:
        exchange(
            port, frame(marked), frame(marked.replace(b"9990000018", b"9990000019")), frame(b"MARKEDTEXT"), answers=3
        )
        store.failure = OSError("MARKEDTEXT")
        exchange(port, frame(marked))
    logged = repr([{**event, "exc_info": type(event.get("exc_info"))} for event in events]) + "".join(
        capsys.readouterr()
    )
    assert len(events) == 4
    assert not [mark for mark in ("MARKEDTEXT", "99900000", "H123456", "RXN000123", "Brien", "1960") if mark in logged]
