"""What modalities and archives say exists, against what is here."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, case, func, select

from dicom_nodes.contract import StudyIncomplete
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database, portions
from dicom_nodes.foundation.inserts import insert_missing
from dicom_nodes.foundation.jobs import Job, JobQueue
from dicom_nodes.model.commitment import InstanceReference
from dicom_nodes.model.procedure import Announced, Announcement, StepState
from dicom_nodes.rules.settling import missing_notice
from dicom_nodes.spool import tables
from dicom_nodes.spool.instances import stored_instance
from dicom_nodes.spool.outbox import SqlOutbox
from dicom_nodes.spool.service_tables import announced_instance, procedure_step, procedure_step_study

CHECK_JOB = "check-announced"


class SqlAnnouncements:
    """Implements `Announcements`."""

    def __init__(self, database: Database, jobs: JobQueue, outbox: SqlOutbox, clock: Clock) -> None:
        self._database, self._jobs, self._outbox, self._clock = database, jobs, outbox, clock

    def take(self, announcement: Announcement, check_at: datetime) -> None:
        with self._database.write() as connection:
            announce(connection, self._jobs, announcement, self._clock(), check_at)

    def announced(self, study_instance_uid: str) -> Announced | None:
        with self._database.read() as connection:
            return announced_of(connection, [study_instance_uid]).get(study_instance_uid)

    def tell_missing(self, job: Job) -> None:
        """While the study still grows its revision will carry the notice."""
        study = tables.study.c
        with self._database.write() as connection:
            found = announced_of(connection, [job.key]).get(job.key)
            growing = connection.execute(
                select(study.growing).where(study.study_instance_uid == job.key)
            ).scalar_one_or_none()
            notice = missing_notice(found.instances, found.missing) if found is not None else None
            if found is not None and notice is not None and not growing:
                by = _announced_by(connection, job.key)
                self._outbox.append(
                    connection,
                    StudyIncomplete(
                        study_instance_uid=job.key,
                        announced_by=by,
                        announced=found.instances,
                        missing=found.missing,
                        notice=notice,
                    ),
                )
            self._jobs.complete(connection, job)

    def revision_instances(self, study_instance_uid: str, revision: int) -> Mapping[str, Sequence[InstanceReference]]:
        columns = tables.revision.c
        query = select(columns.manifest).where(
            columns.study_instance_uid == study_instance_uid, columns.number == revision
        )
        with self._database.read() as connection:
            manifest = connection.execute(query).scalar_one()
        series: dict[str, list[InstanceReference]] = {}
        for entry in manifest["entries"]:
            reference = InstanceReference(entry["sop_class_uid"], entry["sop_instance_uid"])
            series.setdefault(entry["series_instance_uid"], []).append(reference)
        return series

    def complete(self, job: Job) -> None:
        with self._database.write() as connection:
            self._jobs.complete(connection, job)


def announce(
    connection: Connection, jobs: JobQueue, announcement: Announcement, now: datetime, check_at: datetime
) -> None:
    """Keep an announcement in the caller's transaction; what was announced before stays as it was."""
    table, study = announced_instance, announcement.study_instance_uid
    known = set(
        connection.execute(select(table.c.sop_instance_uid).where(table.c.study_instance_uid == study)).scalars()
    )
    rows = [
        {
            "study_instance_uid": study,
            "sop_instance_uid": uid,
            "announced_by": announcement.announced_by,
            "announced_at": now,
        }
        for uid in dict.fromkeys(item.sop_instance_uid for item in announcement.instances)
        if uid not in known
    ]
    insert_missing(connection, table, rows)  # another may announce the same now
    jobs.enqueue(connection, kind=CHECK_JOB, key=study, destination="own", run_at=check_at)


def announced_of(connection: Connection, studies: Iterable[str]) -> dict[str, Announced]:
    """Study Instance UID → what was announced of it; studies of which nothing was have no entry."""
    wanted = list(studies)
    found: dict[str, Announced] = {}
    for portion in portions(wanted):
        found |= _announced_of(connection, portion)
    return found


def has_open_step(connection: Connection, study_instance_uid: str) -> bool:
    """Whether a performed procedure step of the study is still in progress."""
    of_study, step = procedure_step_study.c, procedure_step.c
    query = (
        select(step.sop_instance_uid)
        .join(procedure_step_study, step.sop_instance_uid == of_study.sop_instance_uid)
        .where(of_study.study_instance_uid == study_instance_uid, step.state == StepState.IN_PROGRESS.value)
    )
    return connection.execute(query.limit(1)).first() is not None


def _announced_of(connection: Connection, wanted: Sequence[str]) -> dict[str, Announced]:
    said, instance = announced_instance.c, stored_instance.c
    missing_since = case((instance.sop_instance_uid.is_(None), said.announced_at))
    here = (instance.sop_instance_uid == said.sop_instance_uid) & (
        instance.study_instance_uid == said.study_instance_uid
    )
    rows = connection.execute(
        select(
            said.study_instance_uid,
            func.count().label("instances"),
            func.count(instance.sop_instance_uid).label("here"),
            func.coalesce(func.min(missing_since), func.max(said.announced_at)).label("at"),
        )
        .select_from(announced_instance.outerjoin(stored_instance, here))
        .where(said.study_instance_uid.in_(wanted))
        .group_by(said.study_instance_uid)
    ).all()
    ended = _studies_whose_steps_ended(connection, [row.study_instance_uid for row in rows])
    return {
        row.study_instance_uid: Announced(
            row.instances, row.instances - row.here, row.at, row.study_instance_uid in ended
        )
        for row in rows
    }


def _studies_whose_steps_ended(connection: Connection, studies: Sequence[str]) -> set[str]:
    """Every step that was not discontinued is completed with a list; one without may have made anything."""
    of_study, step = procedure_step_study.c, procedure_step.c
    rows = connection.execute(
        select(of_study.study_instance_uid, step.state, step.lists_instances)
        .join(procedure_step, step.sop_instance_uid == of_study.sop_instance_uid)
        .where(of_study.study_instance_uid.in_(studies))
    ).all()
    ends: dict[str, list[bool]] = {}
    for row in rows:
        if row.state != StepState.DISCONTINUED.value:
            ends.setdefault(row.study_instance_uid, []).append(row.lists_instances)
    return {uid for uid, listed in ends.items() if all(listed)}


def _announced_by(connection: Connection, study_instance_uid: str) -> str:
    said = announced_instance.c
    query = select(said.announced_by).where(said.study_instance_uid == study_instance_uid).order_by(said.announced_at)
    return str(connection.execute(query.limit(1)).scalar_one())
