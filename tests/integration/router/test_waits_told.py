"""Why reads wait is written down where it says something new, of each read what holds for it."""

from dataclasses import replace
from datetime import timedelta

import numpy as np

from router.flows.assign_reads import take_snapshot
from router.flows.waits_told import WaitsTold
from router.model.pathway import Pathway
from router.model.read import ReadState
from router.rules.planning import Ahead, ListLengths, Snapshot, Wait, plan
from router.store.transaction import SqlStore
from tests.integration.router.region import Region, settled


def waits_of(snapshot: Snapshot, *given_up: str) -> list[Wait]:
    stakes = frozenset(read.stakes for read in snapshot.reads if read.need.read_id in given_up)
    ahead = Ahead(snapshot.now + timedelta(hours=1), {}, {}, np.zeros((0, 0)), stakes)
    return [wait for wait in plan(replace(snapshot, ahead=ahead)) if isinstance(wait, Wait)]


def test_reads_that_wait_alike_are_told_apart_where_one_makes_room(region: Region) -> None:
    store: SqlStore = region.client.app.state.services.store  # type: ignore[attr-defined]
    with store.write() as tx:
        tx.exams.put_pathway(Pathway("urgent", 1440, 5.0, may_wait=True))
    region.rxn.say(*[settled(f"1.2.{number}") for number in range(3)])
    for name in ("reader-1", "reader-2"):
        region.change_reader(name, active=False)
    with store.read() as tx:
        ready = tx.reads.listing(states={ReadState.READY})
        snapshot = take_snapshot(tx, ready, region.clock(), ListLengths())
    one, two, three = sorted(read.id for read in ready)

    def said() -> list[bool]:
        return [region.get(f"/reads/{read_id}/why")["waiting"]["given_up"] for read_id in (one, two, three)]

    told = WaitsTold()
    told.tell(store, waits_of(snapshot, two), 3)
    assert said() == [False, True, False]
    told.tell(store, waits_of(snapshot, three), 3)
    assert said() == [False, False, True]
    told.tell(store, waits_of(snapshot), 3)
    assert said() == [False, False, False]
