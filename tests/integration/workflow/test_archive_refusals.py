"""What the archive denies is not counted as archived, and an old report decides nothing that moved on."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select

from dicom_nodes.foundation.jobs import JobState
from dicom_nodes.model.commitment import CommitmentResult, InstanceReference
from dicom_nodes.spool import tables
from dicom_nodes.spool.service_tables import archive_commitment
from dicom_nodes.spool.store import NodeStore, open_store

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
CT = "1.2.840.10008.5.1.4.1.1.2"
ONE = InstanceReference(CT, "2.25.1")
STUDY = "1.2.3"


@pytest.fixture
def store(database_url: str) -> Iterator[NodeStore]:
    """A node that has one instance, which its archive acknowledged."""
    opened = open_store(database_url, lambda: NOW, "PACS")
    with opened.database.write() as connection:
        connection.execute(
            insert(tables.study).values(
                study_instance_uid=STUDY, origin="RXN", attributes={}, sending_ae_title="CT", last_arrival=NOW
            )
        )
        series = insert(tables.series).values(study_instance_uid=STUDY, series_instance_uid="1.2.4", attributes={})
        kind = insert(tables.instance_kind).values(
            fingerprint="aa", sop_class_uid=CT, transfer_syntax_uid="1.2.840.10008.1.2.1", origin="RXN",
            channel="ACQUIRED", sending_ae_title="CT", attributes={},
        )  # fmt: skip
        keys = [connection.execute(row).inserted_primary_key for row in (series, kind)]
        assert all(keys)
        connection.execute(
            insert(tables.instance).values(
                series_key=keys[0][0], kind_key=keys[1][0], sop_instance_uid="2.25.1", digest="ab", size_bytes=1,
                received_at=NOW, archived_at=NOW, segment=1, epoch=1, offset=0,
            )
        )  # fmt: skip
    yield opened
    opened.database.dispose()


def ask(store: NodeStore, transaction_uid: str) -> None:
    store.archive_commitments.open_transaction(transaction_uid, STUDY, [ONE])
    store.archive_commitments.record_accepted(transaction_uid)


def refuse(store: NodeStore, transaction_uid: str) -> None:
    assert store.archive_commitments.take_result(CommitmentResult(transaction_uid, (), {ONE: 0x0112}), 3)


def to_archive(store: NodeStore) -> list[str]:
    return [item.sop_instance_uid for item in store.studies.instances_to_archive(STUDY)]


def archive_jobs(store: NodeStore) -> list[str]:
    return [job.kind for job in store.jobs.listing([JobState.QUEUED]) if job.destination == "archive"]


def test_what_was_refused_for_the_last_time_does_not_count_as_archived(store: NodeStore) -> None:
    for number in range(3):
        ask(store, f"2.25.10{number}")
        refuse(store, f"2.25.10{number}")
        assert to_archive(store) == ["2.25.1"]
        store.studies.mark_archived(["2.25.1"] if number < 2 else [])
    store.archive_commitments.give_up(STUDY)
    assert to_archive(store) == ["2.25.1"]


def test_the_last_refusal_sends_nothing_again_until_a_person_wishes_it(store: NodeStore) -> None:
    ask(store, "2.25.100")
    assert store.archive_commitments.take_result(CommitmentResult("2.25.100", (), {ONE: 0x0112}), 1)
    assert archive_jobs(store) == []
    store.archive_commitments.give_up(STUDY)
    store.archive_commitments.archive_again(STUDY)
    assert len(archive_jobs(store)) == 1


def test_what_is_damaged_here_is_not_counted_as_evicted_because_it_was_archived(store: NodeStore) -> None:
    assert store.commitment_requests.evicted(["2.25.1"], needs_promise=False) == frozenset()


def test_a_late_report_does_not_override_a_newer_refusal(store: NodeStore) -> None:
    ask(store, "2.25.201")
    ask(store, "2.25.202")
    refuse(store, "2.25.202")
    assert store.archive_commitments.take_result(CommitmentResult("2.25.201", (ONE,), {}), 3)
    with store.database.read() as connection:
        row = connection.execute(select(archive_commitment)).one()
    assert (row.committed_at, row.reason, row.refusals) == (None, 0x0112, 1)
    assert to_archive(store) == ["2.25.1"]


def test_a_late_refusal_does_not_override_a_newer_promise(store: NodeStore) -> None:
    ask(store, "2.25.201")
    ask(store, "2.25.202")
    assert store.archive_commitments.take_result(CommitmentResult("2.25.202", (ONE,), {}), 3)
    refuse(store, "2.25.201")
    assert to_archive(store) == []
    assert not store.archive_commitments.is_open(STUDY)
