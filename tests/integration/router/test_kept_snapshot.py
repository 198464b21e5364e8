"""The planner's memory follows the database: whatever happened, its snapshot is the one taken from nothing."""

from dataclasses import replace
from typing import Any

from router.flows.assign_reads import take_snapshot
from router.flows.kept_snapshot import KeptSnapshot, PlannerMemory
from router.model.read import ReadState
from router.rules.planning import ListLengths, Snapshot, plan
from tests.integration.router.region import Region, settled

LISTS = ListLengths()


def in_order(snapshot: Snapshot) -> Snapshot:
    """The order of reads in a snapshot decides nothing."""
    return replace(
        snapshot,
        reads=tuple(sorted(snapshot.reads, key=lambda read: read.need.read_id)),
        in_hand=tuple(sorted(snapshot.in_hand, key=repr)),
    )


def both(region: Region, kept: KeptSnapshot) -> tuple[Snapshot, Snapshot]:
    now = region.clock()
    with region.client.app.state.services.store.read() as tx:  # type: ignore[attr-defined]
        from_nothing = take_snapshot(tx, tx.reads.listing(states={ReadState.READY}), now, LISTS)
        return in_order(kept.take(tx, now, LISTS)), in_order(from_nothing)


def test_the_kept_snapshot_is_the_one_from_nothing_after_whatever_happens(region: Region) -> None:
    memory = PlannerMemory()

    def agree() -> None:
        kept, from_nothing = both(region, memory.snapshot)
        assert kept == from_nothing
        assert plan(kept, kept=memory.kept) == plan(from_nothing)

    agree()
    for step in (arrive, plan_all, claim_one, decline_one, revise, put_right, change_people, pass_a_day):
        step(region)
        agree()


def test_what_did_not_change_is_not_read_again(sqlite_region: Region) -> None:
    arrive(sqlite_region)
    kept = KeptSnapshot()
    first, _ = both(sqlite_region, kept)
    assert len(kept.changed) == 3
    second, _ = both(sqlite_region, kept)
    assert kept.changed == ()
    assert all(before is after for before, after in zip(first.reads, second.reads, strict=True))
    assert all(before is after for before, after in zip(first.readers, second.readers, strict=True))


def arrive(region: Region) -> None:
    region.rxn.say(*[settled(f"1.2.{number}") for number in (1, 2, 3)], settled("1.2.4", modalities=("PT",)))


def plan_all(region: Region) -> None:
    region.plan()
    region.bring_images()


def first(region: Region, **params: Any) -> tuple[dict[str, Any], int]:
    read = region.read(0, **params)
    return read, int(read["lease"]["reader_id"].removeprefix("reader-"))


def claim_one(region: Region) -> None:
    region.claim(*first(region, state="ASSIGNED"))


def decline_one(region: Region) -> None:
    read, number = first(region, state="ASSIGNED")
    path, body = f"/reads/{read['id']}/decline", {"transaction_uid": None, "reason": "known to me"}
    region.client.post(path, json=body, headers=region.reader(number)).raise_for_status()


def revise(region: Region) -> None:
    region.rxn.say(settled("1.2.3", revision=2, contents="abc"))


def put_right(region: Region) -> None:
    read = region.read(0, state="READY")
    body = {"subspecialty": "neuro", "expected_minutes": 9.0, "priority": "routine"}
    region.client.post(f"/reads/{read['id']}/route", json=body, headers=region.staff).raise_for_status()


def change_people(region: Region) -> None:
    region.change_reader("reader-1", modalities=["MR"])
    (credential,) = region.get("/readers/reader-2")["credentials"]
    path = f"/readers/reader-2/credentials/{credential['id']}"
    region.client.delete(path, headers=region.staff).raise_for_status()


def pass_a_day(region: Region) -> None:
    region.clock.pass_s(86_400.0)
