"""Storage commitment as rows: what peers ask of us, and what the archive has promised us."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, or_, select, update

from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database, portions
from dicom_nodes.foundation.inserts import inserted_unless_there
from dicom_nodes.foundation.jobs import Job, JobQueue
from dicom_nodes.model.commitment import CommitmentRequest, CommitmentResult, InstanceReference
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import CrashConsistency, OperationRefused
from dicom_nodes.model.instance import Channel
from dicom_nodes.spool import tables
from dicom_nodes.spool.instances import stored_instance
from dicom_nodes.spool.service_tables import archive_commitment, commitment_request, commitment_transaction

REPORT_COMMITMENT_JOB = "report-commitment"
ASK_COMMITMENT_JOB = "ask-commitment"
_GRACE = timedelta(seconds=1.5)
"""A peer that keeps its association open is told there first."""


class SqlCommitmentRequests:
    """Implements `CommitmentRequests`."""

    def __init__(self, database: Database, jobs: JobQueue, clock: Clock) -> None:
        self._database, self._jobs, self._clock = database, jobs, clock

    def take(self, request: CommitmentRequest) -> None:
        pairs = [[item.sop_class_uid, item.sop_instance_uid] for item in request.instances]
        with self._database.write() as connection:
            asked = {
                "key": request.key,
                "peer": request.peer,
                "transaction_uid": request.transaction_uid,
                "instances": pairs,
                "asked_at": self._clock(),
            }
            is_new = inserted_unless_there(connection, commitment_request, asked)
            known = connection.execute(
                select(commitment_request.c.instances).where(commitment_request.c.key == request.key)
            ).one()
            if is_new:
                pass
            elif known.instances != pairs:
                raise OperationRefused(
                    Status.PROCESSING_FAILURE, "the Transaction UID was used before for other instances"
                )
            else:
                connection.execute(
                    update(commitment_request).where(commitment_request.c.key == request.key).values(reported_at=None)
                )
            self._jobs.enqueue(
                connection, kind=REPORT_COMMITMENT_JOB, key=request.key, destination=f"commit:{request.peer}",
                run_at=self._clock() + _GRACE,
            )  # fmt: skip

    def request(self, key: str) -> CommitmentRequest:
        with self._database.read() as connection:
            row = connection.execute(select(commitment_request).where(commitment_request.c.key == key)).one_or_none()
        if row is None:
            raise CrashConsistency("a commitment has a job but was never kept")
        references = tuple(InstanceReference(*pair) for pair in row.instances)
        return CommitmentRequest(row.peer, row.transaction_uid, references)

    def is_reported(self, key: str) -> bool:
        reported = select(commitment_request.c.reported_at).where(commitment_request.c.key == key)
        with self._database.read() as connection:
            return connection.execute(reported).scalar_one_or_none() is not None

    def record_reported(self, key: str, failures: Mapping[str, int]) -> None:
        with self._database.write() as connection:
            connection.execute(
                update(commitment_request)
                .where(commitment_request.c.key == key)
                .values(reported_at=self._clock(), failures=dict(failures))
            )

    def complete(self, job: Job) -> None:
        with self._database.write() as connection:
            self._jobs.complete(connection, job)

    def quarantined(self, sop_instance_uids: Sequence[str]) -> frozenset[str]:
        column = tables.quarantine.c.sop_instance_uid
        found: set[str] = set()
        with self._database.read() as connection:
            for portion in portions(sop_instance_uids):
                found |= set(connection.execute(select(column).where(column.in_(portion))).scalars())
        return frozenset(found)

    def evicted(self, sop_instance_uids: Sequence[str], *, needs_promise: bool) -> frozenset[str]:
        """A row without a place: the spool let go of it on purpose."""
        instance, promise = stored_instance.c, archive_commitment.c
        promised = select(promise.sop_instance_uid).where(promise.committed_at.is_not(None))
        found: set[str] = set()
        with self._database.read() as connection:
            for portion in portions(sop_instance_uids):
                query = select(instance.sop_instance_uid).where(
                    instance.sop_instance_uid.in_(portion),
                    instance.archived_at.is_not(None),
                    instance.segment.is_(None),
                )
                if needs_promise:
                    query = query.where(instance.sop_instance_uid.in_(promised))
                found |= set(connection.execute(query).scalars())
        return frozenset(found)


class SqlArchiveCommitments:
    """Implements `ArchiveCommitments`."""

    def __init__(self, database: Database, jobs: JobQueue, clock: Clock, archive_job: str) -> None:
        self._database, self._jobs, self._clock, self._archive_job = database, jobs, clock, archive_job

    def waiting(self, study_instance_uid: str, asked_before: datetime) -> Sequence[InstanceReference]:
        instance, promise, asked = stored_instance.c, archive_commitment.c, commitment_transaction.c
        query = (
            select(instance.sop_class_uid, instance.sop_instance_uid)
            .select_from(
                stored_instance.outerjoin(
                    archive_commitment, promise.sop_instance_uid == instance.sop_instance_uid
                ).outerjoin(commitment_transaction, promise.transaction_uid == asked.transaction_uid)
            )
            .where(
                instance.study_instance_uid == study_instance_uid,
                instance.channel == Channel.ACQUIRED.value,
                instance.archived_at.is_not(None),
                promise.committed_at.is_(None),
                or_(asked.accepted_at.is_(None), asked.ended_at.is_not(None), asked.asked_at <= asked_before),
            )
            .order_by(instance.sop_instance_uid)
        )
        with self._database.read() as connection:
            return [InstanceReference(*row) for row in connection.execute(query)]

    def is_open(self, study_instance_uid: str) -> bool:
        instance, promise = stored_instance.c, archive_commitment.c
        query = (
            select(instance.sop_instance_uid)
            .select_from(
                stored_instance.outerjoin(archive_commitment, promise.sop_instance_uid == instance.sop_instance_uid)
            )
            .where(
                instance.study_instance_uid == study_instance_uid,
                instance.channel == Channel.ACQUIRED.value,
                instance.archived_at.is_not(None),
                promise.committed_at.is_(None),
            )
            .limit(1)
        )
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def refused(self, study_instance_uid: str, times: int) -> int:
        promise = archive_commitment.c
        query = select(func.count()).where(
            promise.study_instance_uid == study_instance_uid,
            promise.committed_at.is_(None),
            promise.refusals >= times,
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def unanswered(self, study_instance_uid: str) -> int:
        asked = commitment_transaction.c
        query = select(func.count()).where(
            asked.study_instance_uid == study_instance_uid, asked.accepted_at.is_not(None), asked.ended_at.is_(None)
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def open_transaction(
        self, transaction_uid: str, study_instance_uid: str, instances: Sequence[InstanceReference]
    ) -> None:
        with self._database.write() as connection:
            connection.execute(
                insert(commitment_transaction).values(
                    transaction_uid=transaction_uid, study_instance_uid=study_instance_uid, asked_at=self._clock()
                )
            )
            for uid in (item.sop_instance_uid for item in instances):
                here = archive_commitment.c.sop_instance_uid == uid
                asked = update(archive_commitment).where(here).values(transaction_uid=transaction_uid, reason=None)
                if connection.execute(asked).rowcount == 0:
                    connection.execute(
                        insert(archive_commitment).values(
                            sop_instance_uid=uid,
                            study_instance_uid=study_instance_uid,
                            transaction_uid=transaction_uid,
                            refusals=0,
                        )
                    )

    def record_accepted(self, transaction_uid: str) -> None:
        asked = commitment_transaction
        with self._database.write() as connection:
            connection.execute(
                update(asked).where(asked.c.transaction_uid == transaction_uid).values(accepted_at=self._clock())
            )

    def take_result(self, result: CommitmentResult, most_refusals: int) -> bool:
        asked = commitment_transaction
        here = asked.c.transaction_uid == result.transaction_uid
        with self._database.write() as connection:
            row = connection.execute(select(asked).where(here).with_for_update()).one_or_none()
            if row is None:
                return False
            self._promise(connection, result)
            self._refuse(connection, row.study_instance_uid, result, most_refusals)
            connection.execute(update(asked).where(here).values(ended_at=self._clock()))
            return True

    def archive_again(self, study_instance_uid: str) -> None:
        promise = archive_commitment
        given_up = (
            (promise.c.study_instance_uid == study_instance_uid)
            & promise.c.committed_at.is_(None)
            & promise.c.reason.is_not(None)
            & (promise.c.refusals == 0)
        )
        with self._database.write() as connection:
            if connection.execute(update(promise).where(given_up).values(reason=None)).rowcount:
                self._jobs.enqueue(connection, kind=self._archive_job, key=study_instance_uid, destination="archive")

    def give_up(self, study_instance_uid: str) -> None:
        asked, promise = commitment_transaction, archive_commitment
        with self._database.write() as connection:
            connection.execute(
                update(asked)
                .where(asked.c.study_instance_uid == study_instance_uid, asked.c.ended_at.is_(None))
                .values(ended_at=self._clock())
            )
            connection.execute(
                update(promise)
                .where(promise.c.study_instance_uid == study_instance_uid, promise.c.committed_at.is_(None))
                .values(refusals=0)
            )

    def complete(self, job: Job) -> None:
        with self._database.write() as connection:
            self._jobs.complete(connection, job)

    def look_again(self, job: Job, at: datetime) -> None:
        with self._database.write() as connection:
            self._jobs.postpone(connection, job, at=at)

    def _promise(self, connection: Connection, result: CommitmentResult) -> None:
        """Only what this question was the last to ask about: a late report decides nothing that moved on."""
        promise = archive_commitment
        for portion in portions([item.sop_instance_uid for item in result.committed]):
            connection.execute(
                update(promise)
                .where(promise.c.transaction_uid == result.transaction_uid, promise.c.sop_instance_uid.in_(portion))
                .where(promise.c.reason.is_(None))  # of two contradicting reports of one question the refusal holds
                .values(committed_at=self._clock(), reason=None)
            )

    def _refuse(
        self, connection: Connection, study_instance_uid: str, result: CommitmentResult, most_refusals: int
    ) -> None:
        """The archive does not have it: it counts as archived no longer, and is sent again until that does not help."""
        promise, instance, send_again = archive_commitment, tables.instance, False
        for item, reason in result.failed.items():
            here = (promise.c.transaction_uid == result.transaction_uid) & (
                promise.c.sop_instance_uid == item.sop_instance_uid
            )
            refusals = connection.execute(
                update(promise)
                .where(here)
                .values(committed_at=None, reason=reason, refusals=promise.c.refusals + 1)
                .returning(promise.c.refusals)
            ).scalar_one_or_none()
            if refusals is None:
                continue
            connection.execute(
                update(instance).where(instance.c.sop_instance_uid == item.sop_instance_uid).values(archived_at=None)
            )
            send_again |= refusals < most_refusals
        if send_again:
            self._jobs.enqueue(connection, kind=self._archive_job, key=study_instance_uid, destination="archive")
        if result.failed:
            self._jobs.enqueue(
                connection,
                kind=ASK_COMMITMENT_JOB,
                key=study_instance_uid,
                destination="commitment",
                bring_forward=True,
            )
