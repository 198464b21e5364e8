"""Refused orders and changes of patients are kept at the node, told to the router once, and listed for a person."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from dicom_nodes.contract import MessageRefused
from dicom_nodes.flows.keep_refused import KeepRefused
from dicom_nodes.flows.worklist import ServeWorklist
from dicom_nodes.hl7.ack import read_ack
from dicom_nodes.hl7.adt_intake import AdtIntake
from dicom_nodes.hl7.imaging_order import OrderIssuers
from dicom_nodes.hl7.order_intake import OrderIntake
from dicom_nodes.model.refused_message import RefusedMessage
from dicom_nodes.spool.store import NodeStore, open_store
from readacross.cli import command_line
from tests.peers.node import write_trust_file

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MSH = r"MSH|^~\&|RIS|RXN|READACROSS|RXN|20260301090000||ORM^O01|1|P|2.4"
ADT = MSH.replace("ORM^O01", "ADT^A40")
PID = "PID|1||T100^^^RXN^MR||Marked^Person||19700102|F"
ORDER = [MSH, PID, "ORC|NW|P1|A1||||^^^202603011200", "OBR|1|P1|A1|HEAD^Head^L"]


def message(*segments: str) -> bytes:
    return "\r".join([*segments, ""]).encode()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    (tmp_path / "data").mkdir()
    opened = open_store(f"sqlite:///{tmp_path}/data/node.db", lambda: NOW, "PACS")
    yield opened
    opened.database.dispose()


def orders_of(store: NodeStore) -> OrderIntake:
    keep = KeepRefused(store.refused_messages)
    return OrderIntake(ServeWorklist(store.worklist).take, OrderIssuers("RXN", "RXN"), {"CT": "CT1"}, keep=keep)


def patients_of(store: NodeStore) -> AdtIntake:
    return AdtIntake(store.patient_changes.take, "RXN", keep=KeepRefused(store.refused_messages))


def refusals(store: NodeStore) -> list[MessageRefused]:
    return [body for _, _, body in store.outbox.pending(100)[1] if isinstance(body, MessageRefused)]


def test_a_refused_order_is_kept_told_once_and_shown(store: NodeStore, tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as events:
        for _ in range(2):
            assert b"MSA|AE|1" in orders_of(store)(message(*ORDER))
    assert [event["place"] for event in events] == ["OBR-24", "OBR-24"]
    (told,) = refusals(store)
    assert (told.channel, told.answer, told.reason) == ("hl7_order", "AE", "OBR-24: modality is missing")
    assert "Marked" not in told.model_dump_json() + str(events)
    trust_file, saved = str(write_trust_file(tmp_path)), tmp_path / "original.hl7"
    commands = command_line(["refused", "parked"])
    assert "OBR-24" in CliRunner().invoke(commands, ["refused", trust_file]).output
    CliRunner().invoke(commands, ["refused", trust_file, "--save", told.refusal_id, str(saved)])
    assert saved.read_bytes() == message(*ORDER)


def test_an_order_that_contradicts_what_is_known_or_is_too_long_is_kept(store: NodeStore) -> None:
    intake = orders_of(store)
    intake(message(MSH, PID, "ORC|CA|P9|A9"))
    intake.refuse_too_long(message(MSH)[:60], 10**9, 10**6)
    assert [told.reason for told in refusals(store)] == [
        "ORC-1: no such order is known here",
        "MSH: the message has 1000000000 bytes; at most 1000000 are taken",
    ]


@pytest.mark.parametrize("header", [ADT, ADT.replace("A40", "A34"), ADT.replace("|P|", "||"), ADT.replace("^A40", "")])
def test_a_refused_change_of_identity_is_kept(store: NodeStore, header: str) -> None:
    raw = message(header, PID)
    patients_of(store)(raw)
    (told,) = refusals(store)
    assert told.channel == "hl7_adt"
    assert store.orders.refused_original(told.refusal_id) == raw


def test_what_changes_nobody_or_is_for_training_is_refused_and_not_kept(store: NodeStore) -> None:
    patients = patients_of(store)
    for raw in (message(ADT.replace("A40", "A01"), PID), message(ADT.replace("|P|", "|T|"), PID)):
        assert b"MSA|AR" in patients(raw)
    assert b"MSA|AR" in orders_of(store)(message(MSH.replace("|P|", "|T|"), *ORDER[1:]))
    assert refusals(store) == []


def test_a_refusal_that_cannot_be_kept_is_answered_try_again(store: NodeStore) -> None:
    def fails(refused: RefusedMessage) -> None:
        raise OSError("disk full")

    ack = read_ack(AdtIntake(store.patient_changes.take, "RXN", keep=fails)(message(ADT, PID)))
    assert (ack.code, "try again" in ack.words) == ("AR", True)
