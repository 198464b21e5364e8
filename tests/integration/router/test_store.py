"""The database itself keeps the ledger; migrations and tables agree; seeds are applied once per content."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from dicom_nodes.foundation.database import open_database
from router.app import issue_token, open_store, trace_study
from router.config import RouterSettings, load_router_settings
from router.model.errors import Invalid
from router.model.reader import Credential
from router.store import tables as t
from router.store import tokens
from router.store.schema import _alembic, migrate
from router.store.transaction import SqlStore
from tests.integration.router.region import START, Region, running_region, settled, write_region


@pytest.mark.parametrize("table", t.APPEND_ONLY)
@pytest.mark.parametrize("change", ["UPDATE {} SET node = 'ZZZ'", "DELETE FROM {}"])
def test_what_only_grows_cannot_be_changed(region: Region, table: str, change: str) -> None:
    region.assign()
    database = region.client.app.state.services.store.database  # type: ignore[attr-defined]
    with pytest.raises(DBAPIError, match=f"{table} only grows"), database.write() as connection:
        connection.execute(text(change.format(table)))


@pytest.mark.parametrize("table", t.APPEND_ONLY)
@pytest.mark.parametrize(
    "change",
    [
        "INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        "REPLACE INTO {table} SELECT * FROM {table} LIMIT 1",
        "INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT DO UPDATE SET node = 'ZZZ'",
    ],
)
def test_what_only_grows_cannot_be_replaced(sqlite_region: Region, table: str, change: str) -> None:
    sqlite_region.assign()
    database = sqlite_region.client.app.state.services.store.database  # type: ignore[attr-defined]
    with pytest.raises(DBAPIError, match=f"{table} only grows"), database.write() as connection:
        connection.execute(text(change.format(table=table)))


@pytest.mark.parametrize("change", ["UPDATE study_revision SET manifest_digest = 'x'", "DELETE FROM study_revision"])
def test_the_manifest_that_orders_are_read_through_stays(region: Region, change: str) -> None:
    region.assign()
    database = region.client.app.state.services.store.database  # type: ignore[attr-defined]
    with pytest.raises(DBAPIError, match="study_revision only grows"), database.write() as connection:
        connection.execute(text(change))


def test_an_orders_place_in_the_log_cannot_be_taken(sqlite_region: Region) -> None:
    sqlite_region.assign()
    database = sqlite_region.client.app.state.services.store.database  # type: ignore[attr-defined]
    columns = "node, seq, issued_at, body"
    usurp = f"INSERT OR REPLACE INTO node_order (order_id, {columns}) SELECT 'other', {columns} FROM node_order"
    with pytest.raises(DBAPIError, match="node_order only grows"), database.write() as connection:
        connection.execute(text(usurp))


@pytest.mark.peers("postgresql")
@pytest.mark.parametrize(
    ("table", "key"), [("ledger", "id"), ("fact", "node, outbox_id, seq"), ("node_order", "order_id")]
)
def test_what_only_grows_cannot_be_upserted(tmp_path: Path, postgresql_url: str, table: str, key: str) -> None:
    with running_region(tmp_path / "region", postgresql_url) as region:
        region.assign()
        database = region.client.app.state.services.store.database  # type: ignore[attr-defined]
        change = f"INSERT INTO {table} SELECT * FROM {table} ON CONFLICT ({key}) DO UPDATE SET node = 'ZZZ'"
        with pytest.raises(DBAPIError, match=f"{table} only grows"), database.write() as connection:
            connection.execute(text(change))


@pytest.mark.peers("postgresql")
@pytest.mark.parametrize("table", t.APPEND_ONLY)
def test_what_only_grows_cannot_be_truncated(postgresql_url: str, table: str) -> None:
    database = open_database(postgresql_url)
    migrate(database)
    with pytest.raises(DBAPIError, match=f"{table} only grows"), database.write() as connection:
        connection.execute(text(f"TRUNCATE {table} CASCADE"))
    database.dispose()


def test_a_migration_is_never_put_before_one_that_databases_have() -> None:
    """Alembic takes it for done there: the schema would lack it, and nobody would be told."""
    had = "0001 0002 0020 0010 0011 0012 0030 0035 0036 0040 0045 0050 0055 0060 0061 0070"
    database = open_database("sqlite://")
    with database.read() as connection:
        script = ScriptDirectory.from_config(_alembic(connection))
    database.dispose()
    chain = [revision.revision for revision in script.walk_revisions()][::-1]
    assert " ".join(chain).startswith(had)


@pytest.mark.parametrize("head", ["0040", "0045"])
def test_a_database_of_before_gets_what_came_since(database_url: str, head: str) -> None:
    database = open_database(database_url)
    with database.write() as connection:
        command.upgrade(_alembic(connection), head)
    migrate(database)
    with database.read() as connection:
        assert {"version"} <= {column["name"] for column in inspect(connection).get_columns("read")}
        connection.execute(text("SELECT max(version) FROM reader"))
    database.dispose()


def test_migrations_and_tables_agree(database_url: str) -> None:
    database = open_database(database_url)
    migrate(database)
    migrate(database)
    with database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), t.metadata)
    database.dispose()
    assert differences == []


def test_the_order_log_keeps_its_name_over_restarts(tmp_path: Path, database_url: str) -> None:
    settings = write_region(tmp_path, database_url)
    names = set()
    for _ in range(2):
        store = open_store(settings)
        with store.read() as tx:
            names.add(tx.orders.log_id())
        store.database.dispose()
    assert len(names) == 1


def test_what_the_api_changed_survives_a_restart_until_the_file_changes(tmp_path: Path, database_url: str) -> None:
    settings = write_region(tmp_path, database_url)
    store = open_store(settings)
    with store.write() as tx:
        reader = tx.readers.get("reader-1")
        assert reader is not None
        assert tx.readers.revoke("reader-1", reader.credentials[0].id, START)
    store.database.dispose()

    store = open_store(settings)
    with store.read() as tx:
        again = tx.readers.get("reader-1")
        assert again is not None
        assert again.credentials[0].revoked_at == START
        assert len(tx.readers.sessions("reader-1")) == 1
    store.database.dispose()

    file = tmp_path / "readers.toml"
    file.write_text(file.read_text().replace("Dr reader-1", "Dr Renamed"))
    store = open_store(load_router_settings(settings.file))
    with store.read() as tx:
        renamed = tx.readers.get("reader-1")
        assert renamed is not None
        assert renamed.name == "Dr Renamed"
        assert [credential.revoked_at for credential in renamed.credentials] == [START]
    store.database.dispose()


def edited(settings: RouterSettings, old: str, new: str) -> SqlStore:
    """The store after a restart with an edited readers.toml."""
    file = settings.file.parent / "readers.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    return open_store(load_router_settings(settings.file))


def credentials(store: SqlStore, reader_id: str = "reader-1") -> list[Credential]:
    with store.read() as tx:
        reader = tx.readers.get(reader_id)
    assert reader is not None
    store.database.dispose()
    return list(reader.credentials)


def test_an_edited_entry_keeps_what_the_api_gave_and_took(tmp_path: Path, database_url: str) -> None:
    settings = write_region(tmp_path, database_url)
    store = open_store(settings)
    given = Credential("given-by-api", "RTX", START, START + timedelta(days=1))
    with store.write() as tx:
        (seeded,) = tx.readers.get("reader-1").credentials  # type: ignore[union-attr]
        tx.readers.revoke("reader-1", seeded.id, START)
        tx.readers.add_credential("reader-1", given)
        reader = tx.readers.get("reader-1")
        assert reader is not None
        tx.readers.put(replace(reader, active=False))
    store.database.dispose()
    longer = 'valid_until = 2028-01-01T00:00:00Z }, { trust = "RXL", valid_from = 2026-01-01T00:00:00Z, valid_until'
    store = edited(settings, "valid_until", longer)
    with store.read() as tx:
        again = tx.readers.get("reader-1")
    assert again is not None
    assert not again.active
    now = {credential.trust: credential for credential in credentials(store)}
    assert now["RTX"] == given
    assert (now["RXN"].revoked_at, now["RXN"].valid_until.year) == (START, 2028)
    assert now["RXL"].holds("RXL", START)


def test_a_credential_taken_out_of_the_file_ends_and_comes_back_with_it(tmp_path: Path, database_url: str) -> None:
    settings = write_region(tmp_path, database_url)
    open_store(settings).database.dispose()
    line = next(text for text in (tmp_path / "readers.toml").read_text().splitlines() if "credentials" in text)
    (ended,) = credentials(edited(settings, line, "credentials = []"))
    assert not ended.holds("RXN", START)
    (back,) = credentials(edited(settings, "credentials = []", line))
    assert back.holds("RXN", START)


def test_changing_a_reader_by_the_api_touches_no_credential(region: Region) -> None:
    body = {k: v for k, v in region.get("/readers/reader-1").items() if k not in {"id", "credentials"}}
    before = region.get("/readers/reader-1")["credentials"]
    region.client.delete(f"/readers/reader-1/credentials/{before[0]['id']}", headers=region.staff)
    revoked = region.get("/readers/reader-1")["credentials"]
    answer = region.client.put("/readers/reader-1", json={**body, "name": "Dr New"}, headers=region.staff)
    assert (answer.json()["name"], answer.json()["credentials"]) == ("Dr New", revoked)
    assert revoked[0]["revoked_at"] is not None


def test_a_token_is_stored_only_as_its_digest_and_can_be_revoked(tmp_path: Path, database_url: str) -> None:
    settings = write_region(tmp_path, database_url)
    secret = issue_token(settings, "reader", "reader-1")
    store = open_store(settings)
    with store.write() as tx:
        stored = repr(tx.connection.execute(t.token.select()).all())
        assert secret not in stored
        assert secret.removeprefix("rx_reader_") not in stored
        caller = tokens.caller_of(tx.connection, secret)
        assert caller is not None
        assert (caller.role, caller.subject) == ("reader", "reader-1")
        assert tokens.caller_of(tx.connection, secret[:-1]) is None
        assert tokens.revoke(tx.connection, caller.token_id, START)
        assert tokens.caller_of(tx.connection, secret) is None
    store.database.dispose()


@pytest.mark.parametrize(("role", "subject"), [("reader", "nobody"), ("node", "RTX"), ("node", "ZZZ")])
def test_a_token_for_somebody_unknown_is_refused(tmp_path: Path, role: tokens.Role, subject: str) -> None:
    settings = write_region(tmp_path, "sqlite:///router.sqlite")
    with pytest.raises(Invalid):
        issue_token(settings, role, subject)


def test_the_trace_reads_the_same_rows_as_the_api(region: Region) -> None:
    region.rxn.say(settled())
    (by_uid,) = trace_study(region.settings, "1.2.3.4")
    (by_accession,) = trace_study(region.settings, "A-1.2.3.4")
    assert by_uid == by_accession
    assert by_uid.model_dump(mode="json") == region.get("/ledger", study_instance_uid="1.2.3.4")[0]
    assert trace_study(region.settings, "9.9.9") == []


def test_last_weeks_reads_are_sampled_when_they_are_very_many(region: Region) -> None:
    region.rxn.say(*(settled(f"1.2.{number}") for number in range(7)))
    since, until = region.clock() - timedelta(hours=1), region.clock() + timedelta(hours=1)
    with region.client.app.state.services.store.read() as tx:  # type: ignore[attr-defined]
        assert [len(tx.reads.arrived(since, until, most)[0]) for most in (100, 7, 3)] == [7, 7, 2]
        assert [tx.reads.arrived(since, until, most)[1] for most in (100, 7, 3)] == [1, 1, 3]
        assert tx.reads.arrived(since, since, 3) == ([], 1)
