"""Reports that cannot be read are kept at the node, told to the router once, and listed for a person."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dicom_nodes.contract import ReportReceived, ReportRefused
from dicom_nodes.flows.take_report import TakeReport
from dicom_nodes.hl7.intake import Hl7Intake
from dicom_nodes.hl7.oru import read_reports
from dicom_nodes.hl7.report_intake import OruIntake
from dicom_nodes.spool.store import NodeStore, open_store
from readacross.cli import command_line
from tests.fakes.report_samples import MSH, OBR, ORC, PID, TEXT, oru, oru_with
from tests.peers.node import write_trust_file

BAD = oru_with("9990000018", "9990000019")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def facts(store: NodeStore) -> list[object]:
    return [body for _, _, body in store.outbox.pending(100)[1]]


def test_a_refused_report_is_kept_and_told_once(database_url: str) -> None:
    store = open_store(database_url, lambda: NOW, "PACS")
    intake = OruIntake(TakeReport(store.orders))
    for _ in range(2):
        assert b"MSA|AE|MSG00001" in intake(BAD)
    (fact,) = facts(store)
    assert isinstance(fact, ReportRefused)
    assert (fact.answer, fact.reason) == ("AE", "PID-3: NHS number does not pass its check digit (modulus 11)")
    assert store.orders.refused_original(fact.refusal_id) == BAD
    store.database.dispose()


def test_a_refused_message_tells_the_router_of_its_alert_codes_and_whose_it_is(database_url: str) -> None:
    store = open_store(database_url, lambda: NOW, "PACS")
    reports = OruIntake(TakeReport(store.orders))
    intake = Hl7Intake(reports, reports)
    alert = "OBX|3|CWE|ALERT^Alert^L||CRITICAL^Critical finding^99ALERT||||||F"
    whole = oru(MSH, PID, ORC, OBR, TEXT, alert, "text behind a carriage return")
    assert b"MSA|AE" in intake(whole)
    assert b"MSA|AR" in intake.refuse_too_long(whole[:150], 10**9, 10**6)
    intake(b"BHS|^~\\&\r" + oru(MSH, PID, ORC, OBR, TEXT) + b"\rBTS|7\r" + alert.encode())
    unread, cut, batch = (fact for fact in facts(store) if isinstance(fact, ReportRefused))
    assert ("CRITICAL", "99ALERT") in {(code.value, code.scheme) for code in unread.alert_codes}
    assert (unread.accession_number, unread.accession_issuer, unread.looked_through) == ("RXN000123", "RXN", True)
    assert unread.patient is not None
    assert (unread.patient.patient_id, unread.patient.nhs_number) == ("H123456", "9990000018")
    assert (cut.patient, cut.looked_through) == (None, False)
    assert [code.value for code in batch.alert_codes] == ["ALERT", "CRITICAL"]
    store.database.dispose()


def test_what_is_no_report_is_refused_and_not_kept(database_url: str) -> None:
    store = open_store(database_url, lambda: NOW, "PACS")
    intake = OruIntake(TakeReport(store.orders))
    for other in (oru_with("ORU^R01^ORU_R01", "ADT^A08"), oru_with("|P|2.5.1", "|T|2.5.1")):
        assert b"MSA|AR" in intake(other)
    assert facts(store) == []
    store.database.dispose()


def test_reports_of_one_message_are_kept_together(database_url: str) -> None:
    store = open_store(database_url, lambda: NOW, "PACS")
    raw = oru(MSH, PID, ORC, OBR, TEXT, "ORC|RE||RXN000999^^^RXN", OBR, TEXT)
    ids = TakeReport(store.orders).all(read_reports(raw))
    said = facts(store)
    assert [fact.report_id for fact in said if isinstance(fact, ReportReceived)] == list(ids)
    store.database.dispose()


def test_refused_reports_are_listed_and_written_out(tmp_path: Path) -> None:
    trust_file = write_trust_file(tmp_path)
    (tmp_path / "data").mkdir()
    store = open_store(f"sqlite:///{tmp_path}/data/node.db", lambda: NOW, "PACS")
    OruIntake(TakeReport(store.orders))(BAD)
    (fact,) = facts(store)
    assert isinstance(fact, ReportRefused)
    store.database.dispose()
    run = CliRunner().invoke(command_line(["refused", "parked"]), ["refused", str(trust_file)])
    assert "PID-3" in run.output
    saved = tmp_path / "original.hl7"
    command = ["refused", str(trust_file), "--save", fact.refusal_id, str(saved)]
    assert CliRunner().invoke(command_line(["refused", "parked"]), command).exit_code == 0
    assert saved.read_bytes() == BAD
    assert CliRunner().invoke(command_line(["refused", "parked"]), command).exit_code == 1


@pytest.mark.peers("postgresql")
def test_a_postgresql_database_of_before_takes_the_longer_channel_names(postgresql_url: str) -> None:
    from sqlalchemy import text

    store = open_store(postgresql_url, lambda: NOW, "PACS")
    with store.database.write() as connection:
        connection.execute(text("ALTER TABLE received_report ALTER COLUMN channel TYPE VARCHAR(10)"))
    store.database.dispose()
    store = open_store(postgresql_url, lambda: NOW, "PACS")
    with store.database.write() as connection:
        values = "VALUES ('r', 'encapsulated_pdf', 'x', 'd', '', now())"
        columns = "report_id, channel, original_reference, original_digest, original, received_at"
        connection.execute(text(f"INSERT INTO received_report ({columns}) {values}"))
    store.database.dispose()
