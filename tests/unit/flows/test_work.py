"""Workers outlive a failing queue, hand back what they hold when asked to stop, and park what never answers."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dicom_nodes.flows.work import LEASE_S, Workers
from dicom_nodes.foundation.backoff import RetryPolicy
from dicom_nodes.foundation.jobs import Job, JobState, LeaseLost
from dicom_nodes.model.errors import PeerRefused, PeerUnavailable, Stopping
from tests.peers.processes import wait_until

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def job(number: int, attempt: int = 1) -> Job:
    return Job(number, "archive", f"k{number}", "pacs", {}, JobState.RUNNING, attempt, NOW, "token", NOW, None)


class Queue:
    """A queue in memory whose answers to failures can be made to fail too."""

    def __init__(self, *jobs: Job) -> None:
        self.waiting = list(jobs)
        self.retried: list[str] = []
        self.handed_back: list[str] = []
        self.parked: list[tuple[str, str]] = []
        self.limits: set[int] = set()
        self.broken = False

    def lease_together(
        self, kinds: Collection[str], *, lease_s: float, limit_per_destination: int, at_most: Mapping[str, int]
    ) -> Sequence[Job]:
        self.limits.add(limit_per_destination)
        count = at_most.get(self.waiting[0].kind, 1) if self.waiting else 0
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken

    def heartbeat(self, held: Job, *, lease_s: float) -> None: ...

    def retry(self, held: Job, *, at: datetime, reason: str) -> None:
        if self.broken:
            raise OSError("the database is away")
        self.retried.append(held.key)

    def hand_back(self, held: Job) -> None:
        self.handed_back.append(held.key)

    def park_with_fact(self, held: Job, reason: str) -> None:
        if self.broken:
            raise OSError("the database is away")
        self.parked.append((held.key, reason))


def running(
    queue: Queue,
    handler: Callable[[Job], None],
    count: int = 2,
    together: int = 1,
    clock: Callable[[], datetime] = lambda: NOW,
) -> tuple[Workers, threading.Event]:
    stopping = threading.Event()
    policy, at_once = RetryPolicy(attempts=3), {"archive": together}
    workers = Workers(queue, queue, {"archive": handler}, policy, clock, count, stopping, at_once)
    workers.start()
    return workers, stopping


def test_a_failure_that_cannot_be_recorded_does_not_end_a_worker() -> None:
    queue = Queue(job(1), job(2), job(3), job(4))
    queue.broken = True
    done: list[str] = []

    def handler(held: Job) -> None:
        if not queue.broken:
            done.append(held.key)
            return
        raise PeerUnavailable("no connection")

    workers, _ = running(queue, handler)
    try:
        wait_until(lambda: not queue.waiting, "all were tried")
        queue.broken = False
        queue.waiting.append(job(5))
        wait_until(lambda: "k5" in done, "the next job is done")
        assert workers.dead == 0
    finally:
        workers.stop()


@pytest.mark.parametrize(
    ("error", "attempt", "fate"),
    [
        (PeerUnavailable("away"), 1, "retried"),
        (PeerUnavailable("away"), 3, "parked"),
        (PeerRefused("no"), 1, "parked"),
        (ZeroDivisionError(), 1, "retried"),
        (Stopping(), 1, "handed back"),
    ],
)
def test_what_becomes_of_a_failed_job(error: Exception, attempt: int, fate: str) -> None:
    queue = Queue(job(1, attempt))

    def handler(_held: Job) -> None:
        raise error

    workers, _ = running(queue, handler)
    try:
        wait_until(lambda: queue.retried or queue.parked or queue.handed_back, "a decision")
    finally:
        workers.stop()
    assert (bool(queue.retried), bool(queue.parked), bool(queue.handed_back)) == (
        fate == "retried", fate == "parked", fate == "handed back",
    )  # fmt: skip


def test_a_job_whose_attempts_all_died_with_the_node_is_parked_untried() -> None:
    queue = Queue(job(1, attempt=4))
    tried: list[Job] = []
    workers, _ = running(queue, tried.append)
    try:
        wait_until(lambda: queue.parked, "parked")
    finally:
        workers.stop()
    assert tried == []
    assert "as if each had stopped the node" in queue.parked[0][1]


def test_no_destination_may_take_more_than_a_third_of_the_workers() -> None:
    queue = Queue()
    workers, _ = running(queue, lambda _job: None, count=9)
    wait_until(lambda: queue.limits, "a lease was asked for")
    workers.stop()
    assert queue.limits == {3}


def test_a_worker_looks_again_as_soon_as_a_job_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_nodes.flows.work._IDLE_S", 600.0)
    asked_in_vain, ended = threading.Event(), threading.Event()

    class FullDestination(Queue):
        """Gives the second job only when the first is over, as a destination that takes one at a time."""

        def lease_together(
            self, kinds: Collection[str], *, lease_s: float, limit_per_destination: int, at_most: Mapping[str, int]
        ) -> Sequence[Job]:
            if len(self.waiting) == 1 and not ended.is_set():
                asked_in_vain.set()
                return ()
            return super().lease_together(
                kinds, lease_s=lease_s, limit_per_destination=limit_per_destination, at_most=at_most
            )

    done: list[str] = []

    def handler(held: Job) -> None:
        assert asked_in_vain.wait(10)
        done.append(held.key)
        ended.set()

    workers, _ = running(FullDestination(job(1), job(2)), handler)
    try:
        wait_until(lambda: done == ["k1", "k2"], "the second job is done")
    finally:
        workers.stop()


def test_jobs_taken_together_are_done_one_by_one_whatever_becomes_of_each() -> None:
    queue = Queue(job(1), job(2, attempt=4), job(3), job(4))
    done: list[str] = []

    def handler(held: Job) -> None:
        if held.key == "k1":
            raise PeerUnavailable("no connection")
        if held.key == "k3":
            raise LeaseLost("taken over")
        done.append(held.key)

    workers, _ = running(queue, handler, count=1, together=4)
    try:
        wait_until(lambda: done, "the last is done")
    finally:
        workers.stop()
    assert (queue.retried, [key for key, _ in queue.parked], done) == (["k1"], ["k2"], ["k4"])


class Clock:
    """A clock that a handler moves on."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.mark.parametrize(("stalled_s", "expected"), [(90, ["k1", "k3"]), (1, ["k1", "k2", "k3"])])
def test_what_others_took_over_while_the_process_stood_still_is_not_begun(stalled_s: int, expected: list[str]) -> None:
    clock, done, asked = Clock(), [], []

    class TakenOver(Queue):
        def heartbeat(self, held: Job, *, lease_s: float) -> None:
            asked.append(held.key)
            if held.key == "k2":
                raise LeaseLost("taken over")

    def handler(held: Job) -> None:
        clock.now = NOW + timedelta(seconds=stalled_s)
        done.append(held.key)

    fresh = [replace(job(number), lease_until=NOW + timedelta(seconds=LEASE_S)) for number in (1, 2, 3)]
    workers, _ = running(TakenOver(*fresh), handler, count=1, together=3, clock=clock)
    try:
        wait_until(lambda: "k3" in done, "the last is done")
    finally:
        workers.stop()
    assert (done, asked) == (expected, ["k2", "k3"] if stalled_s > LEASE_S else [])


def test_a_job_whose_lease_the_pulse_found_lost_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_nodes.flows.work.LEASE_S", 0.03)
    lost, done = threading.Event(), []

    class TakenOver(Queue):
        def heartbeat(self, held: Job, *, lease_s: float) -> None:
            if held.key == "k2" and not lost.is_set():  # once: that nobody asks again is what is tested
                lost.set()
                raise LeaseLost("taken over")

    def handler(held: Job) -> None:
        assert lost.wait(10)
        wait_until(lambda: "job.lease_lost" in told, "the pulse has dropped it")
        done.append(held.key)

    told: list[str] = []
    monkeypatch.setattr("dicom_nodes.flows.work.event_log", lambda: Told(told))
    workers, _ = running(TakenOver(job(1), job(2), job(3)), handler, count=1, together=3)
    try:
        wait_until(lambda: "k3" in done, "the last is done")
    finally:
        workers.stop()
    assert done == ["k1", "k3"]


class Slow:
    """A group whose second job takes until the pulse has beaten for it; the pulse settles the first."""

    settle_within_s = 0.01

    def __init__(self, queue: "Beaten") -> None:
        self._queue = queue
        self._answered: list[Job] = []
        self._ended: list[tuple[Job, Exception | None]] = []

    def next_of(self, waiting: Sequence[Job]) -> Job:
        return waiting[0]

    def __call__(self, held: Job) -> None:
        if held.key == "k2":
            wait_until(lambda: "k1" in self._queue.done, "the pulse has settled the first")
            self._queue.beats.clear()
            wait_until(lambda: self._queue.beats.count("k2") > 3, "the pulse beats on")
        self._answered.append(held)

    def settle(self) -> None:
        assert self._queue.beaten.wait(10), "leases come first"
        for held in tuple(self._answered):
            self._answered.remove(held)
            self._queue.done.append(held.key)
            self._ended.append((held, None))

    def ended(self) -> Sequence[tuple[Job, Exception | None]]:
        ended, self._ended = self._ended, []
        return ended


class Beaten(Queue):
    """Notes who is kept alive; who is done holds no lease."""

    def __init__(self, *jobs: Job) -> None:
        super().__init__(*jobs)
        self.beats: list[str] = []
        self.done: list[str] = []
        self.beaten = threading.Event()

    def heartbeat(self, held: Job, *, lease_s: float) -> None:
        self.beats.append(held.key)
        if threading.current_thread().name.startswith("lease-"):
            self.beaten.set()
        if held.key in self.done:
            raise LeaseLost("it is done")


def test_the_pulse_beats_before_it_settles_and_not_for_what_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_nodes.flows.work.LEASE_S", 0.03)
    told: list[str] = []
    monkeypatch.setattr("dicom_nodes.flows.work.event_log", lambda: Told(told))
    fresh = [replace(job(number), lease_until=NOW + timedelta(seconds=0.03)) for number in (1, 2)]
    queue = Beaten(*fresh)
    groups = {"archive": lambda _jobs: nullcontext(Slow(queue))}
    stopping, at_once = threading.Event(), {"archive": 2}
    policy = RetryPolicy(attempts=3)
    workers = Workers(queue, queue, {"archive": lambda _: None}, policy, lambda: NOW, 1, stopping, at_once, groups)
    workers.start()
    try:
        wait_until(lambda: "k2" in queue.done, "the last is done")
    finally:
        workers.stop()
    assert "job.lease_lost" not in told


class Told:
    """An event log that keeps the events' names."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def warning(self, name: str, **_said: object) -> None:
        self._names.append(name)

    info = error = warning


def test_a_worker_that_is_to_stop_hands_back_what_it_has_not_begun() -> None:
    queue = Queue(job(1), job(2), job(3))
    begun, stopped = threading.Event(), threading.Event()

    def handler(_held: Job) -> None:
        begun.set()
        stopped.wait(10)

    workers, stopping = running(queue, handler, count=1, together=3)
    assert begun.wait(10)
    stopping.set()
    stopped.set()
    workers.stop()
    assert queue.handed_back == ["k2", "k3"]
