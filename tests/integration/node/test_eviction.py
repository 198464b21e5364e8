"""The spool lets go of what the archive has, and of nothing else; what is let go of stays known."""

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from dicom_nodes.contract import DeliverStudy as DeliverOrder
from dicom_nodes.contract import FetchStudy, Manifest, NodeAddress, Order, OrderBatch, PatientIdentity, StudyIdentity
from dicom_nodes.flows.sending import outgoing
from dicom_nodes.model.errors import CrashConsistency, NotInSpool
from dicom_nodes.model.instance import Channel
from dicom_nodes.spool import tables
from dicom_nodes.spool.location import place_of
from dicom_nodes.spool.service_tables import archive_commitment
from tests.integration.node.small_spool import DAY, SmallSpool, fill, made_data_set, study_of, uid_of
from tests.integration.node.test_spool_faults import FailingDisk

HUGE = 1 << 60


def payload(number: int, size_bytes: int = 6000) -> bytes:
    return number.to_bytes(4, "big") * (size_bytes // 4)


@pytest.fixture
def spool(tmp_path: Path, database_url: str) -> Iterator[SmallSpool]:
    made = SmallSpool(tmp_path, database_url)
    yield made
    made.close()


def filled(spool: SmallSpool, study: int = 1, first: int = 100, count: int = 6) -> dict[int, str]:
    """A study that fills a segment, archived."""
    digests = fill(spool, study, count, first, payload)
    spool.archive(study)
    return digests


def test_an_old_archived_study_leaves_the_spool_and_its_segment_is_used_again(spool: SmallSpool) -> None:
    digests = filled(spool)
    spool.clock.now += 31 * DAY
    before = spool.files()
    spool.upkeep()
    assert all(spool.location(number) is None for number in digests)
    assert {item.sop_instance_uid for item in spool.store.catalogue.instances(study_of(1))} == set(map(uid_of, digests))
    filled(spool, study=2, first=200)
    assert spool.files() == before


def test_an_evicted_instance_is_refused_with_a_reason_and_never_other_bytes(spool: SmallSpool) -> None:
    filled(spool)
    stored = spool.store.catalogue.find_instance(uid_of(100))
    assert stored is not None
    looked_up_before = outgoing(spool.spool, stored)
    spool.clock.now += 31 * DAY
    spool.upkeep()
    filled(spool, study=2, first=200)
    with pytest.raises(CrashConsistency, match="is not there any more"):
        looked_up_before.read_data_set()
    now = spool.store.catalogue.find_instance(uid_of(100))
    assert now is not None
    with pytest.raises(NotInSpool, match="not in this node's spool any more"):
        outgoing(spool.spool, now).read_data_set()
    assert spool.spool.damaged == set()


def test_who_looked_a_place_up_before_reads_it_for_a_while(spool: SmallSpool) -> None:
    spool.grace_s = 3600.0
    spool.restart()
    digests = filled(spool)
    before = {number: spool.location(number) for number in digests}
    spool.clock.now += 31 * DAY
    spool.upkeep()
    filled(spool, study=2, first=200)
    for number, location in before.items():
        assert location is not None
        assert spool.spool.read_data_set(location) == made_data_set(number, 1, payload(number))


@pytest.mark.parametrize("obstacle", ["not archived", "not committed to", "parked", "young", "open segment", "growing"])
def test_a_study_that_is_needed_stays(spool: SmallSpool, obstacle: str) -> None:
    digests = fill(spool, 1, 2 if obstacle == "open segment" else 6, 100, payload)
    if obstacle != "not archived":
        spool.archive(1)
    if obstacle == "parked":
        with spool.store.database.write() as connection:
            spool.store.jobs.enqueue(connection, kind="archive", key=study_of(1), destination="archive")
        job = spool.store.jobs.lease(["archive"], lease_s=1)
        assert job is not None
        spool.store.orders.park_with_fact(job, "because")
    if obstacle == "not committed to":
        asked = {"study_instance_uid": study_of(1), "transaction_uid": "2.25.1", "refusals": 0}
        with spool.store.database.write() as connection:
            connection.execute(insert(archive_commitment).values(sop_instance_uid=uid_of(100), **asked))
    if obstacle == "growing":
        spool.keep(199, 1, b"late")
    if obstacle != "young":
        spool.clock.now += 31 * DAY
    spool.upkeep()
    assert all(spool.location(number) is not None for number in digests)


def order_for(study: int, kind: str, order_id: str, seq: int) -> Order:
    identity = StudyIdentity(
        study_instance_uid=study_of(study),
        origin="RXL",
        accession_number=None,
        accession_issuer=None,
        patient=PatientIdentity(issuer=None, patient_id=None),
    )
    common = {"read_id": "r", "study": identity, "revision": 1, "manifest": Manifest(entries=())}
    if kind == "fetch":
        source = NodeAddress(ods_code="RXL", ae_title="RXL_NODE", host="127.0.0.1", port=1)
        body: FetchStudy | DeliverOrder = FetchStudy(**common, source=source)
    else:
        body = DeliverOrder(**common, workstation_ae_title="WS")
    return Order(seq=seq, order_id=order_id, issued_at="2026-11-27T00:00:00Z", body=body)


def test_a_fetched_study_stays_until_it_is_delivered_and_its_time_is_over(spool: SmallSpool) -> None:
    for number in range(100, 106):
        spool.keep(number, 1, payload(number), Channel.FETCHED)
    spool.store.orders.accept(OrderBatch(log_id="L", orders=(order_for(1, "deliver", "o1", 1),)))
    spool.clock.now += 31 * DAY
    spool.upkeep()
    assert spool.location(100) is not None, "its delivery is under way"
    job = spool.store.jobs.lease(["deliver"], lease_s=60)
    assert job is not None
    spool.store.orders.complete(job)
    spool.upkeep()
    assert spool.location(100) is None


def test_where_room_is_short_the_oldest_goes_before_its_time_and_no_more_than_needed(spool: SmallSpool) -> None:
    for study in (1, 2, 3):
        filled(spool, study, 100 * study)
        spool.clock.now += timedelta(hours=2)
    spool.policy = replace(spool.policy, make_room_below_bytes=50_000, make_room_until_bytes=50_000)
    spool.restart()
    spool.spool.pretended_bytes = 30_000
    spool.upkeep()
    assert spool.location(100) is None
    assert spool.location(300) is not None


def test_want_of_room_that_nothing_can_mend_is_told(spool: SmallSpool) -> None:
    fill(spool, 1, 6, 100, payload)
    spool.policy = replace(spool.policy, make_room_below_bytes=HUGE, make_room_until_bytes=HUGE)
    spool.clock.now += 2 * DAY
    spool.restart()
    spool.upkeep()
    assert "1 studies: is growing" in str(spool.make_room.shortage)


def mixed_segment(spool: SmallSpool) -> dict[int, str]:
    """Two studies and something in quarantine share a segment; the larger study is archived, the rest is wanted."""
    small = {500: spool.keep(500, 5, b"wanted")}
    spool.aside = spool.quarantine(600, 6, b"odd")  # type: ignore[attr-defined]
    filled(spool, count=4)
    return small


def short_of_room(spool: SmallSpool) -> None:
    spool.policy = replace(spool.policy, make_room_below_bytes=HUGE, make_room_until_bytes=HUGE)
    spool.clock.now += 2 * DAY
    spool.vouch()
    spool.restart()


def test_what_little_is_wanted_is_copied_out_and_the_segment_used_again(spool: SmallSpool) -> None:
    (digest,) = mixed_segment(spool).values()
    before = spool.location(500)
    short_of_room(spool)
    spool.upkeep()
    after = spool.location(500)
    assert before is not None
    assert after is not None
    assert place_of(before).life != place_of(after).life
    assert spool.spool.read_data_set(after) == made_data_set(500, 5, b"wanted")
    assert spool.store.catalogue.find_instance(uid_of(500)).digest == digest  # type: ignore[union-attr]
    with spool.store.database.read() as connection:
        aside = connection.execute(select(tables.quarantine)).one()
        assert connection.execute(select(tables.whole_segment)).all() == []
    assert aside.epoch == place_of(after).life.epoch
    files = spool.files()
    filled(spool, 7, 700, count=8)
    assert spool.files() == files
    with pytest.raises(CrashConsistency):
        spool.spool.read_data_set(before)


def test_a_damaged_object_is_not_copied_and_stays_where_it_is(spool: SmallSpool, tmp_path: Path) -> None:
    mixed_segment(spool)
    before = spool.location(500)
    assert before is not None
    file = tmp_path / "spool" / "segments" / f"{place_of(before).life.number:08x}.seg"
    content = bytearray(file.read_bytes())
    content[content.index(b"wanted")] ^= 1
    file.write_bytes(content)
    short_of_room(spool)
    spool.upkeep()
    spool.upkeep()
    assert spool.location(500) == before
    assert spool.spool.damaged == {before}


@pytest.mark.parametrize("call", ["write", "sync", "create"])
def test_a_full_disk_while_copying_out_loses_nothing(tmp_path: Path, database_url: str, call: str) -> None:
    disk = FailingDisk(call, errno.ENOSPC)
    disk.mend()
    spool = SmallSpool(tmp_path, database_url, disk=disk)
    mixed_segment(spool)
    before = spool.location(500)
    short_of_room(spool)
    disk._call, disk._left = call, 1
    spool.upkeep()
    location = spool.location(500)
    assert location is not None
    assert spool.spool.read_data_set(location) == made_data_set(500, 5, b"wanted")
    if call != "create":
        assert location == before
    disk.mend()
    spool.restart()
    spool.upkeep()
    location = spool.location(500)
    assert location is not None
    assert spool.spool.read_data_set(location) == made_data_set(500, 5, b"wanted")
    spool.close()


def test_the_same_bytes_are_taken_back_when_they_come_again(spool: SmallSpool) -> None:
    digests = filled(spool)
    spool.clock.now += 31 * DAY
    spool.upkeep()
    assert spool.location(100) is None
    assert spool.keep(100, 1, payload(100)) == digests[100]
    location = spool.location(100)
    assert location is not None
    assert spool.spool.read_data_set(location) == made_data_set(100, 1, payload(100))
    assert spool.store.studies.settle(study_of(1)) is None, "a revision without news"
    study = spool.store.catalogue.study(study_of(1))
    assert study is not None
    assert len(study.instances) == len(digests)
    spool.upkeep()
    assert spool.location(100) is not None, "the time to keep it begins again"


def test_a_late_instance_makes_a_revision_that_has_the_evicted_ones_too(spool: SmallSpool) -> None:
    digests = filled(spool)
    spool.clock.now += 31 * DAY
    spool.upkeep()
    spool.keep(110, 1, b"late")
    assert spool.store.studies.settle(study_of(1)) == 2
    with spool.store.database.read() as connection:
        manifest = connection.execute(
            select(tables.revision.c.manifest).where(tables.revision.c.number == 2)
        ).scalar_one()
    assert {entry["sop_instance_uid"] for entry in manifest["entries"]} == {*map(uid_of, digests), uid_of(110)}


def test_a_record_kept_twice_does_not_keep_its_segment_from_being_vouched_for(spool: SmallSpool) -> None:
    for number in range(100, 103):
        spool.keep(number, 1, payload(number))
        spool.keep(number, 1, payload(number), commit=False)
    spool.restart()
    spool.upkeep()
    assert spool.full == []
    with spool.store.database.read() as connection:
        assert len(connection.execute(select(tables.whole_segment)).all()) == 1


def test_a_segment_that_is_used_again_is_not_released_by_its_earlier_life(spool: SmallSpool) -> None:
    filled(spool)
    location = spool.location(100)
    assert location is not None
    life = place_of(location).life
    spool.clock.now += 31 * DAY
    spool.upkeep()
    spool.keep(200, 2, payload(200))
    again = spool.location(200)
    assert again is not None
    assert place_of(again).life.number == life.number
    assert spool.spool.release(life)
    assert spool.spool.read_data_set(again) == made_data_set(200, 2, payload(200))
    assert not spool.spool.release(place_of(again).life), "it is written to"
    assert os.path.exists(spool.folder / "spool" / "segments" / f"{life.number:08x}.seg")
