"""A reader who asks for the next read gets one while one waits, however often others are first."""

import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime

import pytest

from router.flows import next_read
from router.flows.hold_lease import claim, claim_planned, decline
from router.flows.next_read import PullMemory, claim_next
from router.flows.ports import Transaction
from router.model.errors import AskAgain, NotAllowed
from router.model.read import Read, ReadState
from router.rules.planning import Assign, ListLengths
from router.store.transaction import SqlStore
from tests.integration.router.region import Region, settled

READS = 8
TRIES = 4
"""Looks before look and claim are one transaction."""


class Beaten(PullMemory):
    """Somebody claims what was planned before the one who asked can, so many times."""

    def __init__(self, times: int, be_first: Callable[[str], None]) -> None:
        super().__init__()
        self.times, self._be_first, self.looks = times, be_first, 0

    def planned(
        self, tx: Transaction, reader_id: str, now: datetime, lists: ListLengths, without: Collection[str] = ()
    ) -> Assign | None:
        decision = super().planned(tx, reader_id, now, lists, without)
        self.looks += 1
        if decision is not None and self.looks <= self.times:
            self._be_first(decision.read_id)
        return decision


def waiting_for_who_pull(region: Region) -> None:
    for number in (1, 2):
        region.change_reader(f"reader-{number}", delivery="pull")
    for number in range(READS):
        region.rxn.say(settled(f"1.2.{number}"))
    region.plan()
    assert len(region.get("/reads", state="READY")) == READS


def asked(region: Region, times_beaten: int) -> tuple[Read | None, Beaten]:
    store: SqlStore = region.client.app.state.services.store  # type: ignore[attr-defined]
    now = region.clock()

    def be_first(read_id: str) -> None:
        with store.write() as tx:
            claim(tx, read_id, "reader-2", now, 600.0)

    memory = Beaten(times_beaten, be_first)
    return claim_next(store, "reader-1", now, 600.0, ListLengths(), memory), memory


@pytest.mark.parametrize("times", [0, 1, 3, 4])
def test_who_asks_gets_a_read_though_another_reader_was_first_so_often(region: Region, times: int) -> None:
    waiting_for_who_pull(region)
    read, memory = asked(region, times)
    assert read is not None
    assert (read.state, read.lease and read.lease.reader_id) == (ReadState.READING, "reader-1")
    assert memory.looks == times + 1
    assert len(region.get("/reads", state="READY")) == READS - times - 1


def test_who_was_beaten_to_the_last_read_is_told_that_nothing_waits(region: Region) -> None:
    for number in (1, 2):
        region.change_reader(f"reader-{number}", delivery="pull")
    region.rxn.say(settled())
    assert asked(region, 1)[0] is None
    answer = region.client.post("/reads/next", headers=region.reader())
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_a_read_that_this_reader_may_not_claim_keeps_no_other_one_from_it(sqlite_region: Region) -> None:
    region = sqlite_region
    waiting_for_who_pull(region)
    store: SqlStore = region.client.app.state.services.store  # type: ignore[attr-defined]
    first: list[str] = []

    class Outdated(PullMemory):
        """It was planned before this reader declined it."""

        def planned(
            self, tx: Transaction, reader_id: str, now: datetime, lists: ListLengths, without: Collection[str] = ()
        ) -> Assign | None:
            decision = super().planned(tx, reader_id, now, lists, without)
            if not first and decision is not None:
                first.append(decision.read_id)
                with store.write() as other:
                    lease = claim(other, decision.read_id, "reader-1", now, 600.0)
                    assert isinstance(lease, Read)
                    assert lease.lease is not None
                    decline(other, decision.read_id, "reader-1", lease.lease.transaction_uid, "own family", now)
                return replace(decision, epoch=decision.epoch + 1)
            return decision

    read = claim_next(store, "reader-1", region.clock(), 600.0, ListLengths(), Outdated())
    assert read is not None
    assert read.id not in first


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite lets nobody be first the last time
def test_who_is_beaten_each_time_is_told_to_ask_again_and_not_that_nothing_waits(region: Region) -> None:
    waiting_for_who_pull(region)
    with pytest.raises(AskAgain) as told:
        asked(region, READS)
    assert (told.value.status, told.value.code) == (409, "ask_again")
    assert region.get("/reads", state="READY")
    assert region.client.post("/reads/next", headers=region.reader()).status_code == 200


def test_who_waits_for_another_readers_plan_keeps_no_fact_waiting(sqlite_region: Region) -> None:
    region = sqlite_region
    waiting_for_who_pull(region)
    store: SqlStore = region.client.app.state.services.store  # type: ignore[attr-defined]
    is_held, is_said, now = threading.Event(), threading.Event(), region.clock()

    def be_first(read_id: str) -> None:
        with store.write() as tx:
            claim(tx, read_id, "reader-2", now, 600.0)

    class AnotherPlans(Beaten):
        """Another reader's turn comes before the last look, and is long."""

        def forget(self, read_id: str) -> None:
            super().forget(read_id)
            if self.looks == self.times:
                threading.Thread(target=self._plan_long).start()
                assert is_held.wait(20)

        def _plan_long(self) -> None:
            with self.turn():
                is_held.set()
                is_said.wait(20)

    memory = AnotherPlans(TRIES, be_first)
    asks = threading.Thread(target=claim_next, args=(store, "reader-1", now, 600.0, ListLengths(), memory))
    asks.start()
    assert is_held.wait(20)
    says = threading.Thread(target=region.rxn.say, args=(settled("1.9"),))
    says.start()
    says.join(10)
    waits = says.is_alive()
    is_said.set()
    asks.join()
    says.join()
    assert not waits


@pytest.mark.parametrize("forbidden", [READS - 1, READS])
def test_reads_that_this_reader_may_not_claim_are_no_lost_races(
    sqlite_region: Region, monkeypatch: pytest.MonkeyPatch, forbidden: int
) -> None:
    """However many: the reader gets another one, or is told that nothing is there for it, and never to ask again."""
    waiting_for_who_pull(sqlite_region)
    reads = [read["id"] for read in sqlite_region.get("/reads", state="READY")]
    allowed = reads[forbidden:]

    def claim_if_allowed(tx: Transaction, decision: Assign, now: datetime, timeout_s: float) -> Read:
        if decision.read_id not in allowed:
            raise NotAllowed("the plan and the rules differ")
        return claim_planned(tx, decision, now, timeout_s)

    monkeypatch.setattr(next_read, "claim_planned", claim_if_allowed)
    answer = sqlite_region.client.post("/reads/next", headers=sqlite_region.reader())
    assert answer.status_code == (200 if allowed else 404)
    assert not allowed or answer.json()["read"]["id"] == allowed[0]
