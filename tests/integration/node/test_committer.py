"""The committer gives nothing up: a database that is away is waited out, what it refuses is set aside and shown."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from dicom_nodes.contract import StudySettled
from dicom_nodes.foundation.database import is_temporary
from dicom_nodes.model.instance import Channel, InstanceHeader, Provenance, QuarantinedInstance, SpooledInstance
from dicom_nodes.spool.catalogue_rows import OTHER_ACCESSIONS
from dicom_nodes.spool.committer import Committer
from dicom_nodes.spool.location import Place, SegmentLife
from dicom_nodes.spool.store import NodeStore, open_store
from tests.peers.processes import wait_until

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
CT = "1.2.840.10008.5.1.4.1.1.2"
LIFE = SegmentLife(1, 1)


def spooled(number: int, **header: object) -> SpooledInstance:
    known: dict[str, object] = {"patient_id": "H1", "patient_id_issuer": "RXN", **header}
    head = InstanceHeader(CT, f"1.2.3.{number}", "1.2.3", "1.2.3.0", "1.2.840.10008.1.2.1", **known)  # type: ignore[arg-type]
    provenance = Provenance("RXN", Channel.ACQUIRED, "CT1", NOW)
    return SpooledInstance(head, provenance, f"d{number}", 10, Place(LIFE, 4096 * number).location)


class Database:
    """Commits into a list, unless it is away or will not take an instance."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.away = False
        self.refuses: set[str] = set()

    def commit(self, batch: Sequence[SpooledInstance]) -> None:
        if self.away:
            raise OperationalError("INSERT", {}, OSError("server closed the connection"), connection_invalidated=True)
        if any(item.header.sop_instance_uid in self.refuses for item in batch):
            raise ValueError("not this one")
        self.rows += [item.header.sop_instance_uid for item in batch]


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def committer(database: Database) -> Iterator[Committer]:
    committer = Committer(database.commit)
    committer.start()
    yield committer
    committer.stop()


def test_a_database_that_is_away_is_waited_out(committer: Committer, database: Database) -> None:
    database.away = True
    committer.note(spooled(1))
    wait_until(lambda: committer.database_away, "it is noticed")
    assert committer.find("1.2.3.1") is not None
    assert not committer.wait_until_committed(0.05)
    database.away = False
    assert committer.wait_until_committed(10)
    assert database.rows == ["1.2.3.1"]
    assert not committer.database_away


def test_a_refused_instance_is_set_aside_while_the_others_go_on(committer: Committer, database: Database) -> None:
    database.refuses = {"1.2.3.2"}
    for number in (1, 2, 3):
        committer.note(spooled(number))
    wait_until(lambda: committer.set_aside == 1 and len(database.rows) == 2, "the others are committed")
    committer.note(spooled(4))
    wait_until(lambda: "1.2.3.4" in database.rows, "later ones too")
    assert committer.set_aside == 1
    assert committer.find("1.2.3.2") is not None
    database.refuses = set()
    wait_until(lambda: committer.set_aside == 0 and "1.2.3.2" in database.rows, "and it in the end")


def test_stopping_does_not_wait_for_a_database_that_is_away(database: Database) -> None:
    committer = Committer(database.commit)
    committer.start()
    database.away = True
    committer.note(spooled(1))
    committer.stop()
    assert not committer.is_alive


@pytest.fixture
def store(database_url: str) -> Iterator[NodeStore]:
    store = open_store(database_url, lambda: NOW, "pacs")
    yield store
    store.database.dispose()


def test_an_image_the_database_refuses_does_not_keep_its_study_back(store: NodeStore) -> None:
    """On PostgreSQL a value too long for an index row is refused; SQLite takes it."""
    store.catalogue.committer.commit_now([spooled(1), spooled(2, accession_number="\\x00" * 6000), spooled(3)])
    kept = {stored.sop_instance_uid for stored in store.catalogue.instances("1.2.3")}
    assert kept >= {"1.2.3.1", "1.2.3.3"}


def test_later_instances_fill_in_what_the_first_did_not_say(store: NodeStore) -> None:
    store.catalogue.committer.commit_now(
        [
            spooled(1, patient_id=None),
            spooled(2, accession_number="A1", nhs_number="9990000018"),
            spooled(3, accession_number="A2"),
        ]
    )
    study = store.catalogue.study("1.2.3")
    assert study is not None
    assert (study.header.patient_id_issuer, study.header.patient_id) == ("RXN", "H1")
    assert (study.header.accession_number, study.header.nhs_number) == ("A1", "9990000018")
    assert study.header.attributes[OTHER_ACCESSIONS] == "A2"
    assert store.studies.settle("1.2.3") == 1
    fact = store.outbox.pending(1)[1][0][2]
    assert isinstance(fact, StudySettled)
    assert fact.notices == ("Images of this study carry 2 different accession numbers; the first is used.",)


def test_whose_a_study_is_counts_what_is_not_committed_yet(store: NodeStore) -> None:
    store.catalogue.committer.commit_now([spooled(1, patient_id=None)])
    store.catalogue.note_instance(spooled(2, nhs_number="9990000018"))
    owner = store.catalogue.owner_of("1.2.3")
    assert owner is not None
    assert (owner.patient_id, owner.nhs_number) == ("H1", "9990000018")
    assert store.catalogue.owner_of("9.9") is None


@pytest.mark.parametrize("uid", ["9" * 80, "1.2\\x00", ""])
def test_a_uid_that_is_none_can_be_quarantined(store: NodeStore, uid: str) -> None:
    provenance = Provenance("RXN", Channel.ACQUIRED, "CT1", NOW)
    place = Place(LIFE, 4096).location
    aside = QuarantinedInstance(
        "q1", "malformed", CT, uid, uid or None, "1.2.840.10008.1.2.1", provenance, "d", 1, place
    )
    store.catalogue.note_quarantined(aside)
    store.catalogue.note_quarantined(replace(aside, reason="again"))
    assert store.catalogue.quarantined_count() == 1


def test_what_passes_by_itself_is_told_from_what_does_not(tmp_path: Path) -> None:
    locked = OperationalError("BEGIN", {}, OSError())
    locked.orig.sqlite_errorname = "SQLITE_BUSY"  # type: ignore[union-attr]
    refused = OperationalError("INSERT", {}, OSError())
    refused.orig.sqlstate = "54000"  # type: ignore[union-attr]
    assert is_temporary(locked)
    assert not is_temporary(refused)
    assert not is_temporary(ValueError())


def test_what_was_set_aside_is_tried_again_while_images_keep_coming(
    database: Database, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_nodes.spool.committer._SET_ASIDE_RETRY_S", 0.05)
    database.refuses = {"1.2.3.1"}
    committer.note(spooled(1))
    wait_until(lambda: committer.set_aside == 1, "it is set aside")
    database.refuses = set()
    numbers = iter(range(2, 100_000))

    def taken_meanwhile() -> bool:
        committer.note(spooled(next(numbers)))
        return "1.2.3.1" in database.rows

    wait_until(taken_meanwhile, "it is committed between the others")


def test_a_busy_database_at_start_is_waited_out(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_nodes.spool.committer._AWAY_PAUSE_S", 0.01)
    committer, really_commit, failures = Committer(database.commit), database.commit, iter(range(3))

    def busy(batch: Sequence[SpooledInstance]) -> None:
        database.away = next(failures, None) is not None
        really_commit(batch)

    committer._commit = busy
    committer.commit_now([spooled(1), spooled(2)])
    assert (database.rows, committer.set_aside) == (["1.2.3.1", "1.2.3.2"], 0)


def test_noting_and_stopping_never_wait_for_a_database_that_is_away(database: Database) -> None:
    committer = Committer(database.commit)
    committer.start()
    database.away = True
    for number in range(6000):
        committer.note(spooled(number))
    assert committer.is_behind
    committer.stop()
    assert not committer.is_alive


def test_what_the_database_will_not_take_is_named_to_whoever_asks(database: Database, committer: Committer) -> None:
    database.refuses = {"1.2.3.1"}
    committer.note(spooled(1))
    wait_until(lambda: committer.set_aside == 1, "it is set aside")
    assert [item.header.sop_instance_uid for item in committer.set_aside_instances()] == ["1.2.3.1"]
    assert committer.wait_until_committed(1)
