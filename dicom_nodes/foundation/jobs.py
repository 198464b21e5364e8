"""Leased jobs in a table: work that survives its worker, is never done by two, and is parked rather than dropped.

A job is unique by (kind, key). The row that makes the work necessary and the job commit in one transaction:
`enqueue` and `complete` take the caller's connection. Every change by a worker is fenced by its lease token.
"""

import enum
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    func,
    or_,
    select,
    update,
)

from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database, UtcDateTime, inserted_unless_there


class JobState(enum.StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PARKED = "PARKED"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its worker or an administrator sees it; `attempt` counts from 1 once leased."""

    id: int
    kind: str
    key: str
    destination: str
    payload: Mapping[str, Any]
    state: JobState
    attempt: int
    run_at: datetime
    lease_token: str | None
    lease_until: datetime | None
    reason: str | None


class LeaseLost(Exception):
    """The job's lease ran out and was taken over (or withdrawn); what this worker did must not be recorded."""


def job_table(metadata: MetaData) -> Table:
    """Declare the job table in `metadata`."""
    return Table(
        "job",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("kind", String(40), nullable=False),
        Column("key", String(200), nullable=False),
        Column("destination", String(200), nullable=False),
        Column("payload", JSON, nullable=False),
        Column("priority", Integer, nullable=False, default=0),
        Column("state", String(10), nullable=False),
        Column("attempt", Integer, nullable=False, default=0),
        Column("run_at", UtcDateTime, nullable=False),
        Column("run_again", Integer, nullable=False, default=0),
        Column("lease_token", String(40)),
        Column("lease_until", UtcDateTime),
        Column("reason", Text),
        Column("created_at", UtcDateTime, nullable=False),
        Column("updated_at", UtcDateTime, nullable=False),
        UniqueConstraint("kind", "key", name="uq_job_kind_key"),
        Index("ix_job_state_run_at", "state", "run_at"),
    )


class JobQueue:
    """Enqueue, lease, complete, retry, park and resend jobs on SQLite and PostgreSQL."""

    def __init__(self, database: Database, table: Table, clock: Clock) -> None:
        self._database = database
        self._jobs = table
        self._clock = clock

    def enqueue(
        self,
        connection: Connection,
        *,
        kind: str,
        key: str,
        destination: str,
        payload: Mapping[str, Any] | None = None,
        run_at: datetime | None = None,
        priority: int = 0,
        bring_forward: bool = False,
    ) -> None:
        """Make sure (kind, key) will run; a running one runs again afterwards, a parked or done one starts afresh.

        With `bring_forward` a queued one that was put off runs at `run_at` (or now), as a fresh one.
        """
        jobs, now = self._jobs, self._clock()
        same = select(jobs.c.id, jobs.c.state, jobs.c.run_at).where(jobs.c.kind == kind, jobs.c.key == key)
        row = connection.execute(same.with_for_update()).one_or_none()
        fresh = {"payload": dict(payload or {}), "destination": destination, "priority": priority, "updated_at": now}
        if row is None:
            new = {"kind": kind, "key": key, "state": JobState.QUEUED, "attempt": 0, "run_at": run_at or now}
            if inserted_unless_there(connection, jobs, {**new, "run_again": 0, "created_at": now, **fresh}):
                return
            row = connection.execute(same.with_for_update()).one()  # another transaction was first
        if row.state == JobState.RUNNING:
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(run_again=1, **fresh))
        else:
            restart = {"attempt": 0, "reason": None, "run_at": run_at or now}
            if row.state == JobState.QUEUED and not (bring_forward and row.run_at > restart["run_at"]):
                restart = {}
            connection.execute(
                update(jobs).where(jobs.c.id == row.id).values(state=JobState.QUEUED, **restart, **fresh)
            )

    def lease(self, kinds: Collection[str], *, lease_s: float, limit_per_destination: int = 4) -> Job | None:
        """Take the most urgent job that is due, or one whose worker died; None when there is nothing to do.

        A destination that already has `limit_per_destination` running jobs is passed over, so one slow partner
        never takes all workers.
        """
        jobs, now = self._jobs, self._clock()
        running = jobs.alias("running")
        in_hand = (
            select(func.count())
            .select_from(running)
            .where(
                running.c.destination == jobs.c.destination,
                running.c.state == JobState.RUNNING,
                running.c.lease_until > now,
            )
            .scalar_subquery()
        )
        due = or_(
            and_(jobs.c.state == JobState.QUEUED, jobs.c.run_at <= now),
            and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_until <= now),
        )
        with self._database.write() as connection:
            row = connection.execute(
                select(jobs)
                .where(due, jobs.c.kind.in_(list(kinds)), in_hand < limit_per_destination)
                .order_by(jobs.c.priority.desc(), jobs.c.run_at, jobs.c.id)
                .limit(1)
                .with_for_update(skip_locked=True, of=jobs)
            ).one_or_none()
            if row is None:
                return None
            leased = {
                "state": JobState.RUNNING,
                "attempt": row.attempt + 1,
                "lease_token": secrets.token_hex(16),
                "lease_until": now + timedelta(seconds=lease_s),
                "updated_at": now,
            }
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(**leased))
            return _job({**row._mapping, **leased})

    def heartbeat(self, job: Job, *, lease_s: float) -> None:
        """Keep the lease.

        Raises:
            LeaseLost: somebody else holds the job by now.
        """
        with self._database.write() as connection:
            self._change(connection, job, lease_until=self._clock() + timedelta(seconds=lease_s))

    def complete(self, connection: Connection, job: Job) -> None:
        """Finish the job in the caller's transaction, with what it achieved; it is queued again if asked meanwhile.

        Raises:
            LeaseLost: the caller must let the transaction roll back.
        """
        jobs = self._jobs
        again = connection.execute(select(jobs.c.run_again).where(jobs.c.id == job.id).with_for_update()).scalar_one()
        if again:
            self._change(
                connection,
                job,
                state=JobState.QUEUED,
                attempt=0,
                run_again=0,
                lease_until=None,
                run_at=self._clock(),
                lease_token=None,
            )
        else:
            self._change(connection, job, state=JobState.DONE, lease_until=None, reason=None, lease_token=None)

    def retry(self, job: Job, *, at: datetime, reason: str) -> None:
        """Give the job back to be tried again at `at`, remembering why."""
        with self._database.write() as connection:
            self._change(
                connection, job, state=JobState.QUEUED, run_at=at, reason=reason, lease_until=None, lease_token=None
            )

    def postpone(self, connection: Connection, job: Job, *, at: datetime) -> None:
        """Look again at `at`, or at once if asked meanwhile, in the caller's transaction; nothing has failed.

        Raises:
            LeaseLost: the caller must let the transaction roll back.
        """
        jobs = self._jobs
        again = connection.execute(select(jobs.c.run_again).where(jobs.c.id == job.id).with_for_update()).scalar_one()
        self._change(
            connection,
            job,
            state=JobState.QUEUED,
            attempt=0,
            run_again=0,
            reason=None,
            lease_until=None,
            lease_token=None,
            run_at=self._clock() if again else at,
        )

    def park(self, connection: Connection, job: Job, *, reason: str) -> None:
        """Stop trying by machine, in the caller's transaction (which also tells somebody)."""
        self._change(connection, job, state=JobState.PARKED, reason=reason, lease_until=None, lease_token=None)

    def hand_back(self, job: Job) -> None:
        """Return the job unharmed (the attempt does not count), because this worker is stopping."""
        with self._database.write() as connection:
            self._change(
                connection,
                job,
                state=JobState.QUEUED,
                attempt=job.attempt - 1,
                run_at=self._clock(),
                lease_until=None,
                lease_token=None,
            )

    def release_all(self) -> int:
        """Queue every running job again at once; only for a process that knows it is the database's only user."""
        jobs, now = self._jobs, self._clock()
        with self._database.write() as connection:
            return connection.execute(
                update(jobs)
                .where(jobs.c.state == JobState.RUNNING)
                .values(state=JobState.QUEUED, run_at=now, updated_at=now, lease_token=None, lease_until=None)
            ).rowcount

    def resend(self, connection: Connection, *, kind: str, key: str) -> bool:
        """Queue a parked job again by a person's wish; False when there is no such parked job."""
        jobs, now = self._jobs, self._clock()
        result = connection.execute(
            update(jobs)
            .where(jobs.c.kind == kind, jobs.c.key == key, jobs.c.state == JobState.PARKED)
            .values(state=JobState.QUEUED, attempt=0, run_at=now, updated_at=now)
        )
        return result.rowcount == 1

    def listing(self, states: Collection[JobState]) -> Sequence[Job]:
        """All jobs in the given states, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(self._jobs).where(self._jobs.c.state.in_(list(states))).order_by(self._jobs.c.id)
            ).all()
        return [_job(dict(row._mapping)) for row in rows]

    def _change(self, connection: Connection, job: Job, **values: Any) -> None:
        jobs = self._jobs
        result = connection.execute(
            update(jobs)
            .where(jobs.c.id == job.id, jobs.c.lease_token == job.lease_token)
            .values(updated_at=self._clock(), **values)
        )
        if result.rowcount != 1:
            raise LeaseLost(f"job {job.id} ({job.kind}) is no longer held by this worker")


def _job(row: Mapping[str, Any]) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        key=row["key"],
        destination=row["destination"],
        payload=row["payload"],
        state=JobState(row["state"]),
        attempt=row["attempt"],
        run_at=row["run_at"],
        lease_token=row["lease_token"],
        lease_until=row["lease_until"],
        reason=row["reason"],
    )
