"""A node's order log: ordered, immutable, polled without a thread a poll."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from dicom_nodes.contract import ResendJob
from tests.integration.router.region import Region, settled

LONG_WAIT_S = 20.0


def test_asking_again_gives_the_same_orders(region: Region) -> None:
    region.assign()
    first = region.rxl.orders(after=0)
    assert [order.seq for order in first.orders] == [1]
    assert region.rxl.orders(after=0) == first
    assert region.rxl.orders(after=1).orders == ()


def test_a_node_that_knows_another_log_starts_again(region: Region) -> None:
    region.assign()
    batch = region.rxl.orders(after=1, log_id="the-log-of-a-database-that-was-lost")
    assert len(batch.orders) == 1
    assert region.rxl.orders(after=1, log_id=batch.log_id).orders == ()


def test_a_node_sees_its_own_orders_only(region: Region) -> None:
    region.assign()
    assert region.rxn.orders(after=0).orders == ()


def test_a_poll_ends_as_soon_as_there_is_an_order(region: Region) -> None:
    region.rxn.say(settled())
    with ThreadPoolExecutor(1) as pool:
        started = time.monotonic()
        poll = pool.submit(region.rxl.orders, LONG_WAIT_S)
        _until_somebody_waits(region, "RXL")
        region.plan()
        assert len(poll.result().orders) == 1
        assert time.monotonic() - started < LONG_WAIT_S / 2


def test_a_poll_without_orders_ends_when_its_time_is_over(sqlite_region: Region) -> None:
    started = time.monotonic()
    assert sqlite_region.rxl.orders(wait=0.3).orders == ()
    assert 0.3 <= time.monotonic() - started < 5


def test_more_polls_than_threads_wait_at_once(sqlite_region: Region) -> None:
    region = sqlite_region
    region.rxn.say(settled())
    polls = 60
    with ThreadPoolExecutor(polls) as pool:
        waiting = [pool.submit(region.rxl.orders, LONG_WAIT_S) for _ in range(polls)]
        _until_somebody_waits(region, "RXL", polls)
        assert region.client.get("/health").status_code == 200
        region.plan()
        assert all(len(poll.result().orders) == 1 for poll in waiting)


def test_orders_issued_at_once_are_numbered_without_gaps(region: Region) -> None:
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    together = threading.Barrier(8)

    def issue(number: int) -> None:
        together.wait()
        for _ in range(5):
            with store.write() as tx:
                tx.orders.issue("RXL", ResendJob(job_kind="x", job_key=str(number)), region.clock())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(issue, range(8)))
    seen: list[int] = []
    while batch := region.rxl.orders(after=len(seen)).orders:
        seen += [order.seq for order in batch]
    assert seen == list(range(1, 41))


def _until_somebody_waits(region: Region, node: str, count: int = 1) -> None:
    bell = region.client.app.state.services.bell  # type: ignore[attr-defined]
    deadline = time.monotonic() + 10
    while len(bell._waiting[node]) < count:
        assert time.monotonic() < deadline, "no poll arrived"
        time.sleep(0.01)
