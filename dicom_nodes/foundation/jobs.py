"""Leased jobs in a table: work that survives its worker, is never done by two, and is parked rather than dropped.

A job is unique by (kind, key). The row that makes the work necessary and the job commit in one transaction:
`enqueue` and `complete` take the caller's connection. Every change by a worker is fenced by its lease token.
"""

import enum
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    Update,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)

from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database, UtcDateTime, portions
from dicom_nodes.foundation.inserts import unless_there


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
        self._first_due, self._more_due, self._lease_these = _leasing(table)
        self._same = (
            select(table.c.id, table.c.state, table.c.run_at)
            .where(table.c.kind == bindparam("of_kind"), table.c.key == bindparam("of_key"))
            .with_for_update()
        )
        self._known = select(table.c.key).where(
            table.c.kind == bindparam("of_kind"), table.c.key.in_(bindparam("of_keys", expanding=True))
        )
        self._run_again = select(table.c.run_again).where(table.c.id == bindparam("job_id")).with_for_update()
        self._changes: dict[tuple[str, ...], Update] = {}
        held = (table.c.id == bindparam("job_id"), table.c.lease_token == bindparam("held_by"))
        now = bindparam("now", type_=table.c.updated_at.type)
        ended = {"state": JobState.DONE, "lease_until": None, "reason": None, "lease_token": None, "updated_at": now}
        self._done = update(table).where(*held, table.c.run_again == 0).values(ended)
        these = (table.c.id.in_(bindparam("job_ids", expanding=True)), table.c.lease_token == bindparam("held_by"))
        self._all_done = update(table).where(*these, table.c.run_again == 0).values(ended).returning(table.c.id)

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
        same = {"of_kind": kind, "of_key": key}
        row = connection.execute(self._same, same).one_or_none()
        fresh = {"payload": dict(payload or {}), "destination": destination, "priority": priority, "updated_at": now}
        if row is None:
            new = {"kind": kind, "key": key, "state": JobState.QUEUED, "attempt": 0, "run_at": run_at or now}
            added = {**new, "run_again": 0, "created_at": now, **fresh}
            if connection.execute(unless_there(jobs, tuple(added)), added).rowcount == 1:
                return
            row = connection.execute(self._same, same).one()  # another transaction was first
        if row.state == JobState.RUNNING:
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(run_again=1, **fresh))
        else:
            restart = {"attempt": 0, "reason": None, "run_at": run_at or now}
            if row.state == JobState.QUEUED and not (bring_forward and row.run_at > restart["run_at"]):
                restart = {}
            connection.execute(
                update(jobs).where(jobs.c.id == row.id).values(state=JobState.QUEUED, **restart, **fresh)
            )

    def enqueue_all(self, connection: Connection, *, kind: str, destinations: Mapping[str, str]) -> None:
        """As `enqueue` for several keys, each with its destination, that are hardly ever known."""
        now = self._clock()
        known: set[str] = set()
        for keys in portions(list(destinations)):
            known.update(connection.execute(self._known, {"of_kind": kind, "of_keys": keys}).scalars())
        new = {"kind": kind, "state": JobState.QUEUED, "attempt": 0, "run_at": now, "run_again": 0}
        rows = [
            {**new, "key": key, "destination": destination, "payload": {}, "priority": 0, **_touched(now)}
            for key, destination in destinations.items()
            if key not in known
        ]
        if rows and connection.execute(unless_there(self._jobs, tuple(rows[0])), rows).rowcount != len(rows):
            known = set(destinations)  # another transaction was first with some
        for key in known:
            self.enqueue(connection, kind=kind, key=key, destination=destinations[key])

    def lease(self, kinds: Collection[str], *, lease_s: float, limit_per_destination: int = 4) -> Job | None:
        """Take the most urgent job that is due, or one whose worker died; None when there is nothing to do.

        A destination that already has `limit_per_destination` workers is passed over, so one slow partner never takes
        all workers.
        """
        leased = self.lease_together(kinds, lease_s=lease_s, limit_per_destination=limit_per_destination)
        return leased[0] if leased else None

    def lease_together(
        self,
        kinds: Collection[str],
        *,
        lease_s: float,
        limit_per_destination: int = 4,
        at_most: Mapping[str, int] = MappingProxyType({}),
    ) -> Sequence[Job]:
        """As `lease`; behind the first come further due jobs of its kind and destination, `at_most` so many in all.

        They are one worker's, under one lease token, and count as one at their destination. A kind that `at_most` does
        not name is leased one by one, and so is what was tried before: a job that ends its process takes no others
        with it twice.
        """
        now = self._clock()
        given = {"kinds": list(kinds), "now": now, "limit": limit_per_destination}
        with self._database.write() as connection:
            first = connection.execute(self._first_due, given).one_or_none()
            if first is None:
                return ()
            rows = [first]
            if at_most.get(first.kind, 1) > 1:
                same = {"kind": first.kind, "destination": first.destination, "first": first.id}
                more = {"now": now, "more": at_most[first.kind] - 1, **same}
                rows += connection.execute(self._more_due, more).all()
            leased = {
                "state": JobState.RUNNING,
                "lease_token": secrets.token_hex(16),
                "lease_until": now + timedelta(seconds=lease_s),
            }
            held = {"ids": [row.id for row in rows], "now": now, **{f"new_{name}": leased[name] for name in leased}}
            connection.execute(self._lease_these, held)
        return [_job({**row._mapping, **leased, "attempt": row.attempt + 1}) for row in rows]

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
        done = {"job_id": job.id, "held_by": job.lease_token, "now": self._clock()}
        if connection.execute(self._done, done).rowcount == 1:
            return
        again = connection.execute(self._run_again, {"job_id": job.id}).scalar_one()
        if not again:
            raise _lost(job)
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

    def complete_all(self, connection: Connection, jobs: Sequence[Job]) -> None:
        """As `complete` for several; those of one lease in one statement.

        Raises:
            LeaseLost: of any one; the caller must let the transaction roll back.
        """
        for token in {job.lease_token for job in jobs}:
            held = {job.id: job for job in jobs if job.lease_token == token}
            done = {"job_ids": list(held), "held_by": token, "now": self._clock()}
            ended = set(connection.execute(self._all_done, done).scalars())
            for job in (job for job in held.values() if job.id not in ended):
                self.complete(connection, job)

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
        again = connection.execute(self._run_again, {"job_id": job.id}).scalar_one()
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
        names = tuple(values)
        change = self._changes[names] if names in self._changes else self._prepare_change(*names)
        held = {"job_id": job.id, "held_by": job.lease_token, "new_updated_at": self._clock()}
        new = {f"new_{name}": value for name, value in values.items()}
        if connection.execute(change, held | new).rowcount != 1:
            raise _lost(job)

    def _prepare_change(self, *names: str) -> Update:
        """A statement is made once for each set of columns: making it costs more than the database takes for it."""
        jobs = self._jobs
        held = (jobs.c.id == bindparam("job_id"), jobs.c.lease_token == bindparam("held_by"))
        values = {name: bindparam(f"new_{name}", type_=jobs.c[name].type) for name in ("updated_at", *names)}
        self._changes[names] = update(jobs).where(*held).values(values)
        return self._changes[names]


def _touched(now: datetime) -> dict[str, datetime]:
    return {"created_at": now, "updated_at": now}


def _lost(job: Job) -> LeaseLost:
    return LeaseLost(f"job {job.id} ({job.kind}) is no longer held by this worker")


def _leasing(jobs: Table) -> tuple[Select[Any], Select[Any], Update]:
    """The first job that is due where its destination has room, more for the same, and how they are taken."""
    now = bindparam("now", type_=jobs.c.run_at.type)
    running = jobs.alias("running")
    full = (
        select(running.c.destination)
        .where(running.c.state == JobState.RUNNING, running.c.lease_until > now)
        .group_by(running.c.destination)
        .having(func.count(running.c.lease_token.distinct()) >= bindparam("limit"))
    )
    due = or_(
        and_(jobs.c.state == JobState.QUEUED, jobs.c.run_at <= now),
        and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_until <= now),
    )
    wanted = (due, jobs.c.kind.in_(bindparam("kinds", expanding=True)), jobs.c.destination.not_in(full))
    in_order = (jobs.c.priority.desc(), jobs.c.run_at, jobs.c.id)
    first = select(jobs).where(*wanted).order_by(*in_order).limit(1).with_for_update(skip_locked=True, of=jobs)
    same = (
        jobs.c.kind == bindparam("kind"),
        jobs.c.destination == bindparam("destination"),
        jobs.c.id != bindparam("first"),
        jobs.c.attempt == 0,
    )
    more = select(jobs).where(due, *same).order_by(*in_order).limit(bindparam("more"))
    leased = ("state", "lease_token", "lease_until")
    taken = {name: bindparam(f"new_{name}", type_=jobs.c[name].type) for name in leased}
    these = jobs.c.id.in_(bindparam("ids", expanding=True))
    take = update(jobs).where(these).values(attempt=jobs.c.attempt + 1, updated_at=now, **taken)
    return first, more.with_for_update(skip_locked=True, of=jobs), take


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
