"""Workers: take a leased job, keep its lease alive, do it, and on failure retry or park it, visibly.

Nothing that goes wrong ends a worker: what cannot even be recorded is left to the lease, which runs out.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from types import MappingProxyType
from typing import Protocol

from dicom_nodes.flows.ports import ParkingStore, WorkQueue
from dicom_nodes.foundation.backoff import Park, RetryPolicy, after_failure
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.foundation.jobs import Job, LeaseLost
from dicom_nodes.model.errors import HandBack, NodeError

LEASE_S = 60.0
_IDLE_S = 0.25
_FRESH = timedelta(seconds=LEASE_S * 2 / 3)
"""With so much left of a job's first lease nobody needs to be asked whether it is still held."""

Handler = Callable[[Job], None]
"""Does the job and completes it in the transaction that records what it achieved; raises NodeError otherwise."""


class JobGroup(Protocol):
    """Jobs that a worker does one after the other, whose achievements may be recorded together."""

    settle_within_s: float
    """How often `settle` is to be called, by another thread than the worker's."""

    def __call__(self, job: Job) -> None:
        """Do it. Raises as a `Handler`; otherwise `ended` tells of it, soon or after `settle`."""

    def next_of(self, waiting: Sequence[Job]) -> Job:
        """Which of these to do next; it never raises."""

    def settle(self) -> None:
        """Record what was achieved and complete its jobs."""

    def ended(self) -> Sequence[tuple[Job, Exception | None]]:
        """Jobs that are completed, and those whose achievement could not be recorded, with why; each once."""


Together = Callable[[Sequence[Job]], AbstractContextManager[JobGroup]]


class Workers:
    """A few threads that share one queue; start, then stop to let them finish or hand back what they hold."""

    def __init__(
        self,
        queue: WorkQueue,
        parking: ParkingStore,
        handlers: Mapping[str, Handler],
        policy: RetryPolicy,
        clock: Clock,
        count: int,
        stopping: threading.Event,
        together: Mapping[str, int] = MappingProxyType({}),
        groups: Mapping[str, Together] = MappingProxyType({}),
    ) -> None:
        """`stopping` is shared with the handlers, which look at it between instances and raise `Stopping`.

        `together`: of these kinds, whose jobs are short, a worker takes so many at once and does one after the other;
        of kinds in `groups` as such a group, of the others each by its handler.
        """
        self._queue, self._parking, self._handlers = queue, parking, dict(handlers)
        self._policy, self._clock, self._stopping = policy, clock, stopping
        self._together, self._groups = dict(together), dict(groups)
        self._chance = random.Random()
        self._limit_per_destination = max(1, count // 3)
        self._watch = threading.Lock()
        self._look = threading.Event()
        self._threads = [threading.Thread(target=self._work, name=f"worker-{n}") for n in range(count)]

    @property
    def dead(self) -> int:
        """How many workers have ended though nobody asked them to."""
        return 0 if self._stopping.is_set() else sum(not thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask the workers to end and wait until each has finished or handed back what it holds."""
        self._stopping.set()
        self._look.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                jobs = self._awaited_jobs()
                if jobs:
                    self._do_all(jobs)
            except Exception as error:  # noqa: BLE001 - a worker's boundary: the lease runs out and the job goes on
                event_log().error("worker.failed", exc_info=error)
                self._stopping.wait(_IDLE_S)

    def _awaited_jobs(self) -> Sequence[Job]:
        """The next jobs; one worker looks for them while the others wait for their turn to look.

        It looks again as soon as a job here has ended: its destination may take the next one now.
        """
        with self._watch:
            while not self._stopping.is_set():
                self._look.clear()
                jobs = self._next_jobs()
                if jobs:
                    return jobs
                self._look.wait(_IDLE_S)
        return ()

    def _next_jobs(self) -> Sequence[Job]:
        return self._queue.lease_together(
            self._handlers.keys(),
            lease_s=LEASE_S,
            limit_per_destination=self._limit_per_destination,
            at_most=self._together,
        )

    def _do_all(self, jobs: Sequence[Job]) -> None:
        """One after the other; the leases of those that wait are kept alive too.

        What was lost meanwhile is somebody else's: it is not begun beside them.
        """
        done = threading.Event()
        held = {job.id: job for job in jobs}
        with self._group(jobs) as group:
            pulse = threading.Thread(target=self._keep_alive, args=(held, group, done), name=f"lease-{jobs[0].id}")
            pulse.start()
            try:
                waiting = list(jobs)
                while waiting:
                    job = group.next_of(waiting)
                    waiting.remove(job)
                    if job.id in held and not self._do(job, group):
                        held.pop(job.id, None)
                    self._conclude(group, held)
                group.settle()
                self._conclude(group, held)
            finally:
                done.set()
                pulse.join()
                self._look.set()

    def _group(self, jobs: Sequence[Job]) -> AbstractContextManager[JobGroup]:
        kind = jobs[0].kind
        return self._groups[kind](jobs) if kind in self._groups else nullcontext(_EachAlone(self._handlers[kind]))

    def _do(self, job: Job, group: JobGroup) -> bool:
        """Whatever becomes of it, the next job has its turn. True where the group tells of its end."""
        try:
            if self._stopping.is_set():
                self._queue.hand_back(job)
            elif job.attempt > self._policy.attempts:
                ended = f"{job.attempt - 1} attempts ended without an answer, as if each had stopped the node"
                self._park(job, ended)
            else:
                self._require_lease(job)
                return self._attempt(job, lambda: group(job))
        except LeaseLost:
            event_log().warning("job.lease_lost", kind=job.kind, job=job.id)
        except Exception as error:  # noqa: BLE001 - a worker's boundary: the lease runs out and the job goes on
            event_log().error("worker.failed", exc_info=error)
            self._stopping.wait(_IDLE_S)
        return False

    def _conclude(self, group: JobGroup, held: dict[int, Job]) -> None:
        """What has ended is held no more."""
        for job, failure in group.ended():
            held.pop(job.id, None)
            self._record_end(job, failure)

    def _record_end(self, job: Job, failure: Exception | None) -> None:
        try:
            if self._attempt(job, lambda: _raise(failure)):
                event_log().info("job.done", kind=job.kind, job=job.id, attempt=job.attempt)
        except LeaseLost:
            event_log().warning("job.lease_lost", kind=job.kind, job=job.id)
        except Exception as error:  # noqa: BLE001 - a worker's boundary: the lease runs out and the job goes on
            event_log().error("worker.failed", exc_info=error)
            self._stopping.wait(_IDLE_S)

    def _require_lease(self, job: Job) -> None:
        """A job that waited in its group may be lost: this process may have stood still, and its pulse with it."""
        left = job.lease_until - self._clock() if job.lease_until is not None else timedelta(0)
        if not _FRESH < left <= timedelta(seconds=LEASE_S):
            self._queue.heartbeat(job, lease_s=LEASE_S)

    def _attempt(self, job: Job, act: Callable[[], None]) -> bool:
        """Whether it succeeded; otherwise it is retried, parked or handed back."""
        try:
            act()
        except LeaseLost:
            raise
        except HandBack:
            self._queue.hand_back(job)
            event_log().info("job.handed_back", kind=job.kind, job=job.id)
        except NodeError as error:
            self._failed(job, str(error), retryable=error.retryable, error=error)
        except Exception as error:  # noqa: BLE001 - a worker's boundary: recorded, then retried or parked
            self._failed(job, f"unexpected {type(error).__name__}", retryable=True, error=error)
        else:
            return True
        return False

    def _failed(self, job: Job, reason: str, *, retryable: bool, error: Exception) -> None:
        decision = after_failure(self._policy, job.attempt, self._clock(), self._chance)
        if retryable and not isinstance(decision, Park):
            self._queue.retry(job, at=decision.at, reason=reason)
            event_log().warning("job.retry", kind=job.kind, job=job.id, attempt=job.attempt, exc_info=error)
        else:
            self._park(job, reason, error)

    def _park(self, job: Job, reason: str, error: Exception | None = None) -> None:
        self._parking.park_with_fact(job, reason)
        event_log().error("job.parked", kind=job.kind, job=job.id, attempt=job.attempt, exc_info=error)

    def _keep_alive(self, held: dict[int, Job], group: JobGroup, done: threading.Event) -> None:
        """Settles the group, too: what a slow job keeps back is recorded without waiting for its end.

        Leases come first, as settling may take long; what it ended has none.
        """
        beaten_s = time.monotonic()
        while not done.wait(group.settle_within_s):
            if time.monotonic() - beaten_s > LEASE_S / 4:
                beaten_s = time.monotonic()
                self._beat(held)
            try:
                group.settle()
            except Exception as error:  # noqa: BLE001 - the jobs' leases run out, and they go on
                event_log().error("worker.failed", exc_info=error)
            self._conclude(group, held)

    def _beat(self, held: dict[int, Job]) -> None:
        for job in tuple(held.values()):
            try:
                self._queue.heartbeat(job, lease_s=LEASE_S)
            except LeaseLost:
                held.pop(job.id, None)
                event_log().warning("job.lease_lost", kind=job.kind, job=job.id)
            except Exception as error:  # noqa: BLE001 - the job's own fenced writes decide whether it still counts
                event_log().warning("job.heartbeat_failed", kind=job.kind, job=job.id, exc_info=error)


class _EachAlone:
    """A group of jobs whose handler completes each by itself."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._ended: list[tuple[Job, Exception | None]] = []
        self._guard = threading.Lock()
        self.settle_within_s = LEASE_S / 3

    def __call__(self, job: Job) -> None:
        self._handler(job)
        with self._guard:
            self._ended.append((job, None))

    def next_of(self, waiting: Sequence[Job]) -> Job:
        return waiting[0]

    def settle(self) -> None:
        """Nothing waits."""

    def ended(self) -> Sequence[tuple[Job, Exception | None]]:
        with self._guard:
            ended, self._ended = self._ended, []
        return ended


def _raise(failure: Exception | None) -> None:
    if failure is not None:
        raise failure
