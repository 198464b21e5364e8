"""At the start of a node: every life that the tables lead to is found, without reading a row for each instance."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event, insert

from dicom_nodes.foundation.database import Database, open_database
from dicom_nodes.spool import tables
from dicom_nodes.spool.lives import lives_led_to
from dicom_nodes.spool.location import SegmentLife
from tests.peers.postgresql import fresh_database

NOW = datetime(2026, 11, 27, tzinfo=UTC)
VOUCHED, NEW, OF_TWO_LIVES, EVICTED, QUARANTINE = 1, 2, 3, 4, 90


def an_instance(number: int, segment: int | None, epoch: int | None) -> dict[str, object]:
    return {
        "series_key": 1, "size_bytes": 10, "received_at": NOW, "epoch": epoch, "offset": 4096 * number,
        "segment": segment, "kind_key": 1, "sop_instance_uid": f"1.2.3.{number}", "digest": "00" * 32,
    }  # fmt: skip


def an_object_aside(number: int, segment: int, epoch: int) -> dict[str, object]:
    return {
        "quarantine_id": f"q{number}", "reason": "damaged", "sop_class_uid": "1.2", "sop_instance_uid": "1.2.3",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1", "digest": "00" * 32, "size_bytes": 10, "origin": "RXN",
        "sending_ae_title": "CT1", "received_at": NOW, "segment": segment, "epoch": epoch, "offset": 4096,
    }  # fmt: skip


INSTANCES = [
    *(an_instance(n, VOUCHED, 11) for n in range(40)),
    *(an_instance(n, NEW, 22) for n in range(40, 80)),
    an_instance(80, OF_TWO_LIVES, 33),
    an_instance(81, OF_TWO_LIVES, 34),
    *(an_instance(n, None, None) for n in range(82, 90)),
]
WHOLE = [
    {"segment": VOUCHED, "epoch": 11, "wanted_bytes": 40 * 8192},
    {"segment": EVICTED, "epoch": 44, "wanted_bytes": 0},
]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'node.db'}"
    else:
        url = fresh_database(request.getfixturevalue("postgresql_server"))
    database = open_database(url)
    tables.metadata.create_all(database.engine)
    yield database
    database.dispose()


def fill(database: Database, rows: Sequence[dict[str, object]], aside: Sequence[dict[str, object]] = ()) -> None:
    with database.write() as connection:
        connection.execute(insert(tables.instance), list(rows))
        connection.execute(insert(tables.whole_segment), WHOLE)
        if aside:
            connection.execute(insert(tables.quarantine), list(aside))


@pytest.mark.peers
def test_every_life_with_an_object_is_found_and_no_other(database: Database) -> None:
    fill(database, INSTANCES, [an_object_aside(1, NEW, 22), an_object_aside(2, QUARANTINE, 55)])
    with database.read() as connection:
        assert lives_led_to(connection) == {
            SegmentLife(VOUCHED, 11),
            SegmentLife(NEW, 22),
            SegmentLife(OF_TWO_LIVES, 33),
            SegmentLife(OF_TWO_LIVES, 34),
            SegmentLife(QUARANTINE, 55),
        }


def test_nothing_is_led_to_from_empty_tables(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'node.db'}")
    tables.metadata.create_all(database.engine)
    with database.read() as connection:
        assert lives_led_to(connection) == frozenset()
    database.dispose()


def test_no_statement_reads_a_row_of_every_instance(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'node.db'}")
    tables.metadata.create_all(database.engine)
    fill(database, INSTANCES)
    sent: list[tuple[str, object]] = []
    event.listen(
        database.engine, "before_cursor_execute", lambda _c, _cu, statement, p, *_: sent.append((statement, p))
    )
    with database.read() as connection:
        lives_led_to(connection)
        plans = [
            row[3]
            for statement, parameters in list(sent)
            if "FROM instance" in statement
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
        ]
    database.dispose()
    assert any("COVERING INDEX ix_instance_place (segment>?)" in plan for plan in plans), plans
    assert not [plan for plan in plans if plan.startswith("SCAN instance")], plans
