"""What a report says never changes, once accepted nothing of it does, none is removed: the database sees to it."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dicom_nodes.contract import AlertCode, PatientIdentity, ReportAuthor, ReportSection
from dicom_nodes.foundation.database import Database
from router.flows.take_report import report_of
from router.model.errors import Conflict
from router.model.report import Disposition
from router.store import tables as t
from router.store.memo import Memo
from router.store.unwritten import Place, Unwritten
from tests.integration.router.region import START, Region, received

CONTENT = {
    "node": "'ZZZ'", "channel": "'api'", "accession_number": "'X'", "accession_issuer": "'X'", "patient_issuer": "'X'",
    "patient_id": "'X'", "nhs_number": "'X'", "birth_date": "'1999-01-01'", "status": "'P'", "text": "'other'",
    "registration": "'X'", "author_name": "'X'", "authored_at": "'2020-01-01 00:00:00'", "original_reference": "'X'",
    "received_at": "'2020-01-01 00:00:00'", "original_digest": "'X'", "transaction_uid": "'1.2'", "sections": "'[1]'",
    "authors": "'[1]'", "addendum": "true", "alert_codes": "'[1]'", "id": "'other'",
}  # fmt: skip
SETTLED = {
    "study_instance_uid": "'9.9'", "disposition": "'WAITING'", "read_id": "NULL", "version": "7", "reasons": "'[1]'",
}  # fmt: skip


def database_of(region: Region) -> Database:
    database = region.client.app.state.services.store.database  # type: ignore[attr-defined]
    assert isinstance(database, Database)
    return database


def refused(database: Database, statement: str) -> str:
    with pytest.raises(DBAPIError) as caught, database.write() as connection:
        connection.execute(text(statement))
    return str(caught.value.orig)


def test_an_accepted_report_cannot_be_changed_in_anything(region: Region) -> None:
    region.offer()
    region.rxl.say(received())
    assert set(CONTENT) | set(SETTLED) == set(t.report.c.keys())
    database = database_of(region)
    for column, value in (CONTENT | SETTLED).items():
        assert "never changes" in refused(database, f"UPDATE report SET {column} = {value}"), column
    assert region.get("/reports")[0]["disposition"] == "ACCEPTED"


def test_what_a_waiting_report_says_cannot_be_changed_but_what_becomes_of_it_can(region: Region) -> None:
    region.rxl.say(received())
    database = database_of(region)
    for column, value in CONTENT.items():
        assert "what a report says never changes" in refused(database, f"UPDATE report SET {column} = {value}"), column
    with database.write() as connection:
        connection.execute(text("UPDATE report SET version = 7"))


def test_no_report_and_no_original_is_removed(region: Region) -> None:
    region.rxl.say(received())
    database = database_of(region)
    assert "removed" in refused(database, "DELETE FROM report")
    with database.write() as connection:
        values = "VALUES ('r', 'text/plain', 'd', '', '2026-01-01 00:00:00')"
        connection.execute(
            text(f"INSERT INTO report_original (report_id, media_type, digest, original, received_at) {values}")
        )
    for change in ("DELETE FROM report_original", "UPDATE report_original SET digest = 'e'"):
        assert refused(database, change)


def test_a_report_is_not_replaced(sqlite_region: Region) -> None:
    sqlite_region.rxl.say(received(text="first"))
    with database_of(sqlite_region).write() as connection:
        columns = ", ".join(column.name for column in t.report.c if column.name != "text")
        connection.execute(
            text(f"INSERT OR REPLACE INTO report ({columns}, text) SELECT {columns}, 'second' FROM report")
        )
    assert [report["text"] for report in sqlite_region.get("/reports")] == ["first"]


def test_sections_authors_and_codes_are_kept(region: Region) -> None:
    said = received(
        sections=(ReportSection(title="Findings", text="Łucja's <5 mm"),),
        authors=(ReportAuthor(registration="C1000001", name="A"), ReportAuthor(registration=None, role="assistant")),
        addendum=True,
        alert_codes=(AlertCode(value="CR1", scheme="99RXN", text="critical"),),
        patient=PatientIdentity(issuer=None, patient_id=None),
    )
    region.rxl.say(said)
    services = region.client.app.state.services  # type: ignore[attr-defined]
    with services.store.read() as tx:
        kept = tx.reports.get(said.report_id)
    assert [(one.title, one.text) for one in kept.sections] == [("Findings", "Łucja's <5 mm")]
    assert [(one.registration, one.role) for one in kept.authors] == [("C1000001", "author"), (None, "assistant")]
    assert (kept.addendum, [code.value for code in kept.alert_codes]) == (True, ["CR1"])


def test_an_accepted_report_stays_so_also_within_one_transaction(region: Region) -> None:
    """Where rows wait to be written together, the database sees the last one only."""
    region.offer()
    report = report_of("RXL", received(), START, START)
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    read = region.read()["id"]

    def settle_twice(**after: object) -> None:
        with store.write() as tx:
            tx.reports.get(report.id)
            tx.reports.add(report)
            accepted = replace(report, disposition=Disposition.ACCEPTED, read_id=read, version=1)
            tx.reports.settle(accepted)
            tx.reports.settle(replace(accepted, **after))

    for after in ({"disposition": Disposition.WAITING}, {"version": 2}, {"read_id": None}, {"reasons": ("other",)}):
        with pytest.raises((DBAPIError, Conflict), match="never changes"):
            settle_twice(**after)
    settle_twice()
    assert [one["disposition"] for one in region.get("/reports")] == ["ACCEPTED"]


@pytest.mark.parametrize("place", [Place.REPORT, Place.REPORT_SETTLED, Place.ASSIGNMENT])
def test_a_row_that_waited_and_was_not_written_fails_its_transaction(sqlite_region: Region, place: Place) -> None:
    statements = {
        Place.REPORT: "INSERT INTO report_original SELECT * FROM report_original WHERE report_id = :id",
        Place.REPORT_SETTLED: "UPDATE report SET read_id = NULL WHERE id = :id",
        Place.ASSIGNMENT: "UPDATE assignment SET reason = 'x' WHERE read_id = :id",
    }
    with database_of(sqlite_region).write() as connection:
        unwritten = Unwritten(connection, Memo(is_kept=True))
        unwritten.put(place, "1", text(statements[place]), {"id": "none"})
        with pytest.raises(Conflict, match="was changed beside"):
            unwritten.flush()
