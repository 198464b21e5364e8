"""The planner's memory follows the database: whatever happened, its snapshot is the one taken from nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from router.flows import kept_snapshot, next_read
from router.flows.assign_reads import planned_as, take_snapshot
from router.flows.kept_snapshot import KeptSnapshot, PlannerMemory
from router.flows.next_read import PullMemory
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


def test_a_snapshot_that_failed_midway_leaves_nothing_behind_of_reads_that_go(
    sqlite_region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    region, kept = sqlite_region, KeptSnapshot()
    region.rxn.say(settled("1.8"), settled("1.9"))
    with monkeypatch.context() as patched:
        patched.setattr(kept_snapshot, "planned_as", failing_at_the_second())
        with pytest.raises(MemoryError):
            both(region, kept)
    for read in region.get("/reads"):
        path, body = f"/reads/{read['id']}/cancel", {"reason": "by phone"}
        region.client.post(path, json=body, headers=region.staff).raise_for_status()
    region.rxn.say(settled("1.10"))
    follows, from_nothing = both(region, kept)
    assert follows == from_nothing
    assert len(follows.reads) == 1


def test_a_plan_for_who_pulls_that_failed_is_forgotten(sqlite_region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    region, memory = sqlite_region, PullMemory()
    region.change_reader("reader-1", delivery="pull")
    region.rxn.say(settled("1.8"), settled("1.9"))
    store, now = region.client.app.state.services.store, region.clock()  # type: ignore[attr-defined]
    with store.read() as tx:
        with monkeypatch.context() as patched:
            patched.setattr(next_read, "plan", failing)
            with pytest.raises(MemoryError):
                memory.planned(tx, "reader-1", now, LISTS)
        with monkeypatch.context() as patched:
            patched.setattr(kept_snapshot, "planned_as", failing)  # nothing kept is believed: all is read again
            with pytest.raises(MemoryError):
                memory.planned(tx, "reader-1", now, LISTS)
        assert memory.planned(tx, "reader-1", now, LISTS) is not None


def failing(*_: object, **__: object) -> Any:
    raise MemoryError


def failing_at_the_second() -> Callable[..., Any]:
    made: list[object] = []

    def fail_then(*given: Any) -> Any:
        made.append(given)
        return failing() if len(made) == 2 else planned_as(*given)

    return fail_then


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
