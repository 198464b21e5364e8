"""Leased jobs of the router: enqueued and finished in the commit that they belong to, taken in commits of their own."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, exists, or_, select

from dicom_nodes.foundation.database import Database
from dicom_nodes.foundation.jobs import Job, JobQueue, JobState
from router.store import alert_tables as t


class SqlJobs:
    """Within a transaction."""

    def __init__(self, connection: Connection, queue: JobQueue) -> None:
        self._connection, self._queue = connection, queue

    def enqueue(self, kind: str, key: str, destination: str, *, priority: int = 0) -> None:
        self._queue.enqueue(self._connection, kind=kind, key=key, destination=destination, priority=priority)

    def complete(self, job: Job) -> None:
        self._queue.complete(self._connection, job)

    def park(self, job: Job, reason: str) -> None:
        self._queue.park(self._connection, job, reason=reason)


class SqlJobDesk:
    """Outside of any transaction; see `dicom_nodes.foundation.jobs`."""

    def __init__(self, database: Database, queue: JobQueue) -> None:
        self._database, self._queue = database, queue

    def lease(self, kinds: Collection[str], lease_s: float, limit_per_destination: int, now: datetime) -> Job | None:
        """Looks without a lock first, so that a router with nothing to do never waits for its database's writer."""
        j = t.job.c
        due = or_(
            (j.state == JobState.QUEUED) & (j.run_at <= now), (j.state == JobState.RUNNING) & (j.lease_until <= now)
        )
        with self._database.read() as connection:
            if not connection.execute(select(exists().where(due, j.kind.in_(list(kinds))))).scalar_one():
                return None
        return self._queue.lease(kinds, lease_s=lease_s, limit_per_destination=limit_per_destination)

    def heartbeat(self, job: Job, lease_s: float) -> None:
        self._queue.heartbeat(job, lease_s=lease_s)

    def retry(self, job: Job, at: datetime, reason: str) -> None:
        self._queue.retry(job, at=at, reason=reason)

    def hand_back(self, job: Job) -> None:
        self._queue.hand_back(job)
