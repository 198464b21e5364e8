"""Workers: take a leased job, keep its lease alive, do it, and on failure retry or park it, visibly."""

import random
import threading
from collections.abc import Callable, Mapping

from dicom_nodes.flows.ports import ParkingStore, WorkQueue
from dicom_nodes.foundation.backoff import Park, RetryPolicy, after_failure
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.foundation.jobs import Job, LeaseLost
from dicom_nodes.model.errors import NodeError

LEASE_S = 60.0
_IDLE_S = 0.25

Handler = Callable[[Job], None]
"""Does the job and completes it in the transaction that records what it achieved; raises NodeError otherwise."""


class Workers:
    """A few threads that share one queue; start, then stop to let them finish what they hold."""

    def __init__(
        self,
        queue: WorkQueue,
        parking: ParkingStore,
        handlers: Mapping[str, Handler],
        policy: RetryPolicy,
        clock: Clock,
        count: int,
    ) -> None:
        self._queue, self._parking, self._handlers = queue, parking, dict(handlers)
        self._policy, self._clock = policy, clock
        self._stopping = threading.Event()
        self._chance = random.Random()
        self._threads = [threading.Thread(target=self._work, name=f"worker-{n}") for n in range(count)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask the workers to end and wait for what each has in hand."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                job = self._queue.lease(self._handlers.keys(), lease_s=LEASE_S)
            except Exception as error:  # noqa: BLE001 - a worker's boundary: the database is away; try again
                event_log().error("job.lease_failed", exc_info=error)
                job = None
            if job is None:
                self._stopping.wait(_IDLE_S)
            elif self._stopping.is_set():
                self._queue.hand_back(job)
            else:
                self._do(job)

    def _do(self, job: Job) -> None:
        done = threading.Event()
        pulse = threading.Thread(target=self._keep_alive, args=(job, done), name=f"lease-{job.id}")
        pulse.start()
        try:
            self._handlers[job.kind](job)
            event_log().info("job.done", kind=job.kind, job=job.id, attempt=job.attempt)
        except LeaseLost:
            event_log().warning("job.lease_lost", kind=job.kind, job=job.id)
        except NodeError as error:
            self._failed(job, str(error), retryable=error.retryable, error=error)
        except Exception as error:  # noqa: BLE001 - a worker's boundary: recorded, then retried or parked
            self._failed(job, f"unexpected {type(error).__name__}", retryable=True, error=error)
        finally:
            done.set()
            pulse.join()

    def _failed(self, job: Job, reason: str, *, retryable: bool, error: Exception) -> None:
        decision = after_failure(self._policy, job.attempt, self._clock(), self._chance)
        try:
            if retryable and not isinstance(decision, Park):
                self._queue.retry(job, at=decision.at, reason=reason)
                event_log().warning("job.retry", kind=job.kind, job=job.id, attempt=job.attempt, exc_info=error)
            else:
                self._parking.park_with_fact(job, reason)
                event_log().error("job.parked", kind=job.kind, job=job.id, attempt=job.attempt, exc_info=error)
        except LeaseLost:
            event_log().warning("job.lease_lost", kind=job.kind, job=job.id)

    def _keep_alive(self, job: Job, done: threading.Event) -> None:
        while not done.wait(LEASE_S / 3):
            try:
                self._queue.heartbeat(job, lease_s=LEASE_S)
            except Exception as error:  # noqa: BLE001 - the job's own fenced writes decide whether it still counts
                event_log().warning("job.heartbeat_failed", kind=job.kind, job=job.id, exc_info=error)
