"""A plan made of what is no longer so harms nobody: each decision is weighed again in the commit that carries it out.

The planner here knows nothing of what happened since its snapshot, which is worse than any replica could know. And
whatever happens while a snapshot is being taken, the next one has it, so that no read is lost from planning.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from router.flows.assign_reads import assign_ready_reads, take_snapshot
from router.flows.hold_lease import claim_planned
from router.flows.kept_snapshot import KeptSnapshot, PlannerMemory
from router.flows.ports import Transaction
from router.model.errors import NotAllowed, TransitionRefused
from router.model.read import ReadState
from router.rules.planning import Assign, ListLengths, Snapshot, plan
from router.store.transaction import SqlStore
from tests.integration.router.region import Region, settled
from tests.integration.router.test_kept_snapshot import both, in_order

LISTS = ListLengths()


class AsItWas(KeptSnapshot):
    """Gives one snapshot again and again, whatever happens."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self._snapshot = snapshot

    def take(self, tx: Transaction, now: datetime, lists: ListLengths) -> Snapshot:
        del tx, now, lists
        return self._snapshot


def store_of(region: Region) -> SqlStore:
    store: SqlStore = region.client.app.state.services.store  # type: ignore[attr-defined]
    return store


def snapshot_of(region: Region) -> Snapshot:
    with store_of(region).read() as tx:
        return take_snapshot(tx, tx.reads.listing(states={ReadState.READY}), region.clock(), LISTS)


def plan_with(region: Region, memory: PlannerMemory) -> int:
    """A round at an event; how many reads were assigned."""
    failures: list[Exception] = []
    store = store_of(region)
    with store.planner_lock():
        outcome = assign_ready_reads(store, region.clock(), 1800.0, failures.append, memory=memory, explain_anew=False)
    assert failures == []
    return outcome.assigned


def chosen(snapshot: Snapshot) -> Assign:
    (decision,) = (one for one in plan(snapshot) if isinstance(one, Assign))
    return decision


def post(region: Region, path: str, headers: dict[str, str] | None = None, **body: Any) -> None:
    answer = region.client.post(path, json=body or None, headers=headers or region.staff)
    assert answer.status_code < 300, answer.text


def send_away(region: Region, reader_id: str) -> None:
    now = region.clock()
    hours = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=4)).isoformat()}
    post(region, "/leave", reader_id=reader_id, reason="ill", **hours)


def another_picks_it(region: Region, planned: Assign) -> None:
    region.claim(region.get(f"/reads/{planned.read_id}"), 3 - int(planned.reader_id[-1]))


def it_is_taken_back_from_another(region: Region, planned: Assign) -> None:
    another_picks_it(region, planned)
    post(region, f"/reads/{planned.read_id}/take-back", reason="rota")


def the_chosen_one_declines_it(region: Region, planned: Assign) -> None:
    token = region.claim(region.get(f"/reads/{planned.read_id}"), int(planned.reader_id[-1]))
    headers = region.reader(int(planned.reader_id[-1]))
    post(region, f"/reads/{planned.read_id}/decline", headers, transaction_uid=token, reason="known to me")


def it_is_cancelled(region: Region, planned: Assign) -> None:
    post(region, f"/reads/{planned.read_id}/cancel", reason="wrong patient")


def it_gets_another_revision(region: Region, planned: Assign) -> None:
    uid = region.get(f"/reads/{planned.read_id}")["study_instance_uid"]
    region.rxn.say(settled(uid, revision=2, contents="abc", modalities=("CT", "MR")))


def a_person_says_what_it_is(region: Region, planned: Assign) -> None:
    route = {"subspecialty": "neuro", "expected_minutes": 31.0, "priority": "routine"}
    post(region, f"/reads/{planned.read_id}/route", **route)


def the_chosen_one_may_no_longer_show_it(region: Region, planned: Assign) -> None:
    region.change_reader(planned.reader_id, modalities=["MR"])


def the_chosen_one_loses_the_credential(region: Region, planned: Assign) -> None:
    for credential in region.get(f"/readers/{planned.reader_id}")["credentials"]:
        path = f"/readers/{planned.reader_id}/credentials/{credential['id']}"
        region.client.delete(path, headers=region.staff).raise_for_status()


HAPPENINGS: tuple[Callable[[Region, Assign], None], ...] = (
    another_picks_it,
    it_is_taken_back_from_another,
    the_chosen_one_declines_it,
    it_is_cancelled,
    it_gets_another_revision,
    a_person_says_what_it_is,
    the_chosen_one_may_no_longer_show_it,
    the_chosen_one_loses_the_credential,
)

STILL_READABLE = {it_gets_another_revision, a_person_says_what_it_is}
"""What is asked for now suits the reader too, who may have it when asking for it."""


def test_what_a_planner_did_not_notice_is_not_assigned_and_not_lost(region: Region) -> None:
    follows = PlannerMemory()
    for number, happens in enumerate(HAPPENINGS):
        region.rxn.say(settled(f"1.2.{number}"))
        old = snapshot_of(region)
        planned = chosen(old)
        with store_of(region).read() as tx:
            follows.snapshot.take(tx, region.clock(), LISTS)
        happens(region, planned)
        before = region.get(f"/reads/{planned.read_id}")
        assert plan_with(region, PlannerMemory(snapshot=AsItWas(old))) == 0, happens.__name__
        if happens not in STILL_READABLE:
            with store_of(region).write() as tx, pytest.raises((NotAllowed, TransitionRefused)):
                claim_planned(tx, planned, region.clock(), 120.0)
        assert region.get(f"/reads/{planned.read_id}") == before
        expected = {(one.read_id, one.reader_id) for one in plan(snapshot_of(region)) if isinstance(one, Assign)}
        plan_with(region, follows)
        leases = {read["id"]: read["lease"] for read in region.get("/reads", state="ASSIGNED")}
        assert expected <= {(id_, lease["reader_id"]) for id_, lease in leases.items()}, happens.__name__
        for read_id in leases:
            post(region, f"/reads/{read_id}/cancel", reason="next case")


def test_a_read_whose_images_came_since_is_not_moved(region: Region) -> None:
    read = region.assign()
    send_away(region, "reader-1")
    old = snapshot_of(region)
    moved = chosen(old)
    assert (moved.moved_from, moved.reader_id) == ("reader-1", "reader-2")
    region.bring_images()
    before = region.get(f"/reads/{read['id']}")
    assert before["images_delivered_at"] is not None
    assert plan_with(region, PlannerMemory(snapshot=AsItWas(old))) == 0
    assert region.get(f"/reads/{read['id']}") == before


def test_a_read_that_nobody_reads_yet_is_moved_by_what_was_kept(region: Region) -> None:
    memory, read = PlannerMemory(), region.assign()
    assert plan_with(region, memory) == 0
    send_away(region, "reader-1")
    assert plan_with(region, memory) == 1
    assert region.get(f"/reads/{read['id']}")["lease"]["reader_id"] == "reader-2"


def test_a_refused_decision_is_read_again_whatever_its_version(sqlite_region: Region) -> None:
    region, memory = sqlite_region, PlannerMemory()
    region.rxn.say(settled("1.2.1"))
    with store_of(region).read() as tx:
        memory.snapshot.take(tx, region.clock(), LISTS)
    with store_of(region).write() as tx:  # as after a restored backup: other content, the same version
        tx.connection.exec_driver_sql("DROP TRIGGER read_version_grows")
        tx.connection.exec_driver_sql("UPDATE read SET expected_minutes = 8.0")
    assert plan_with(region, memory) == 0
    assert plan_with(region, memory) == 1


@contextmanager
def after_statement(region: Region, number: int, happens: Callable[[], None]) -> Iterator[None]:
    """Have something happen once, right after this statement of whoever reads."""
    left = [number]

    def executed(connection: Any, *_: Any) -> None:
        if not connection.get_execution_options().get("readacross_read"):
            return
        left[0] -= 1
        if left[0] == 0:
            happens()

    engine = store_of(region).database.engine
    event.listen(engine, "after_cursor_execute", executed)
    try:
        yield
    finally:
        event.remove(engine, "after_cursor_execute", executed)


@pytest.mark.parametrize("what", ["a read", "a reader"])
def test_what_happens_while_a_snapshot_is_taken_is_in_the_next_one(region: Region, what: str) -> None:
    kept = KeptSnapshot()
    both(region, kept)
    happened = []
    for number in range(1, 10):
        region.rxn.say(settled(f"1.2.{number}"))
        region.plan()
        (read,) = region.get("/reads", state="ASSIGNED")

        def hand_back(read: dict[str, Any] = read, number: int = number) -> None:
            happened.append(number)
            if what == "a reader":
                region.change_reader("reader-1", speeds={"ct_head": 0.5 + number / 100})
                return
            headers = region.reader(int(read["lease"]["reader_id"][-1]))
            post(region, f"/reads/{read['id']}/decline", headers, transaction_uid=None, reason="known")

        region.change_reader("reader-2", speeds={"ct_head": 0.5 + number / 100})
        with after_statement(region, number, hand_back), store_of(region).read() as tx:
            kept.take(tx, region.clock(), LISTS)
        now, from_nothing = both(region, kept)
        assert in_order(now) == in_order(from_nothing), number
        post(region, f"/reads/{read['id']}/cancel", reason="next case")
    assert happened == list(range(1, 10))
