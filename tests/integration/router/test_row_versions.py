"""Nobody can change a read or a reader behind the planner's back: the database itself makes the version grow."""

import pytest
from sqlalchemy import func, select, text, update

from dicom_nodes.foundation.database import Database
from router.store import tables as t
from router.store.transaction import SqlStore
from tests.integration.router.region import Region, settled

_NO_CHANGE = {"version", "waiting"}


def _database(region: Region) -> Database:
    store: SqlStore = region.client.app.state.services.store  # type: ignore[attr-defined]
    return store.database


def _versions(region: Region, table: str) -> dict[str, int]:
    with _database(region).read() as connection:
        return {row[0]: row[1] for row in connection.execute(text(f"SELECT id, version FROM {table}"))}


@pytest.mark.parametrize("table", ["read", "reader"])
def test_every_column_that_is_written_anywhere_makes_the_version_grow(region: Region, table: str) -> None:
    region.rxn.say(settled("1.2.1"))
    columns = t.read.c if table == "read" else t.reader.c
    for name in [column.name for column in columns if column.name not in _NO_CHANGE]:
        before = _versions(region, table)
        with _database(region).write() as connection:
            connection.execute(text(f'UPDATE "{table}" SET "{name}" = "{name}"'))
        assert _versions(region, table) == {id_: version + 1 for id_, version in before.items()}, name


def test_why_a_read_waits_is_no_change_of_it(region: Region) -> None:
    region.rxn.say(settled("1.2.1"))
    before = _versions(region, "read")
    with _database(region).write() as connection:
        connection.execute(update(t.read).values(waiting={"choice": "nobody"}))
    assert _versions(region, "read") == before


def test_an_assignment_and_a_credential_make_their_whole_grow(region: Region) -> None:
    region.rxn.say(settled("1.2.1"))
    region.plan()
    for part, whole, key in ((t.assignment, "read", "read_id"), (t.credential, "reader", "reader_id")):
        before = _versions(region, whole)
        with _database(region).write() as connection:
            (owner, count) = connection.execute(select(func.min(part.c[key]), func.count(part.c[key].distinct()))).one()
            connection.execute(update(part).where(part.c[key] == owner).values({key: owner}))
        grown = {id_ for id_, version in _versions(region, whole).items() if version > before[id_]}
        assert count
        assert grown == {owner}
