"""Studies that grow, settle into revisions, and are acknowledged by the archive."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from dicom_nodes.contract import (
    ExamCode,
    Manifest,
    ManifestEntry,
    PatientIdentity,
    StudyArchived,
    StudyIdentity,
    StudySettled,
)
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.foundation.jobs import Job, JobQueue
from dicom_nodes.model.instance import Channel, StoredObject
from dicom_nodes.model.procedure import Announced
from dicom_nodes.model.study import GrowingStudy
from dicom_nodes.rules.settling import missing_notice
from dicom_nodes.spool import tables
from dicom_nodes.spool.announcements import announced_of, has_open_step
from dicom_nodes.spool.catalogue_rows import OTHER_ACCESSIONS
from dicom_nodes.spool.commitments import ASK_COMMITMENT_JOB
from dicom_nodes.spool.instances import OBJECT_COLUMNS, stored_instance, stored_objects
from dicom_nodes.spool.outbox import SqlOutbox

NOTIFY_JOB = "notify"
_COMMITMENT_DELAY = timedelta(seconds=1)
"""Lets what is archived gather, so that few questions are asked."""


@dataclass(frozen=True, slots=True)
class FollowUps:
    """What else happens: `notify` are told of each settled study; `commitment` is asked of the archive."""

    notify: tuple[str, ...] = ()
    commitment: bool = False


class SqlStudies:
    """Implements `SettlingStore` and `ArchivingStore`; `archive` names the PACS in facts."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        outbox: SqlOutbox,
        clock: Clock,
        archive: str,
        follow_ups: FollowUps = FollowUps(),
    ) -> None:
        self._database, self._jobs, self._outbox, self._clock = database, jobs, outbox, clock
        self._archive, self._follow_ups = archive, follow_ups

    def growing_studies(self) -> Sequence[GrowingStudy]:
        study = tables.study.c
        with self._database.read() as connection:
            rows = connection.execute(
                select(study.study_instance_uid, study.last_arrival).where(study.growing).order_by(study.last_arrival)
            ).all()
            announced = announced_of(connection, [row.study_instance_uid for row in rows])
        return [
            GrowingStudy(row.study_instance_uid, row.last_arrival, announced.get(row.study_instance_uid))
            for row in rows
        ]

    def settle(self, study_instance_uid: str) -> int | None:
        """Revision, manifest and fact commit together; a second call without new instances does nothing."""
        study = tables.study
        with self._database.write() as connection:
            row = _locked(connection, study_instance_uid)
            if row is None or not row.growing:
                return None
            manifest = _manifest(connection, study_instance_uid)
            number: int = row.settled_revision + 1
            connection.execute(
                insert(tables.revision).values(
                    study_instance_uid=study_instance_uid,
                    number=number,
                    instance_count=len(manifest.entries),
                    manifest=manifest.model_dump(mode="json"),
                    settled_at=self._clock(),
                )
            )
            connection.execute(
                update(study)
                .where(study.c.study_instance_uid == study_instance_uid)
                .values(settled_revision=number, growing=False)
            )
            self._outbox.append(connection, _settled(connection, row, number, manifest))
            self._notify(connection, study_instance_uid, number)
            self._announce_archived(connection, study_instance_uid)
            return number

    def instances_to_archive(self, study_instance_uid: str) -> Sequence[StoredObject]:
        instance = stored_instance.c
        with self._database.read() as connection:
            rows = connection.execute(
                select(*OBJECT_COLUMNS)
                .where(
                    instance.study_instance_uid == study_instance_uid,
                    instance.channel == Channel.ACQUIRED.value,
                    instance.archived_at.is_(None),
                )
                .order_by(instance.series_instance_uid, instance.sop_instance_uid)
            ).all()
        return stored_objects(rows)

    def mark_archived(self, sop_instance_uids: Sequence[str]) -> None:
        instance = tables.instance
        with self._database.write() as connection:
            connection.execute(
                update(instance)
                .where(instance.c.sop_instance_uid.in_(sop_instance_uids))
                .values(archived_at=self._clock())
            )

    def finish_archiving(self, job: Job) -> None:
        with self._database.write() as connection:
            self._announce_archived(connection, job.key)
            self._jobs.complete(connection, job)
            if self._follow_ups.commitment:
                self._jobs.enqueue(
                    connection, kind=ASK_COMMITMENT_JOB, key=job.key, destination="commitment",
                    run_at=self._clock() + _COMMITMENT_DELAY, bring_forward=True,
                )  # fmt: skip

    def _notify(self, connection: Connection, study_instance_uid: str, revision: int) -> None:
        for peer in self._follow_ups.notify:
            self._jobs.enqueue(
                connection,
                kind=NOTIFY_JOB,
                key=f"{study_instance_uid} {revision} {peer}",
                destination=f"notify:{peer}",
                payload={"study": study_instance_uid, "revision": revision, "peer": peer},
            )

    def _announce_archived(self, connection: Connection, study_instance_uid: str) -> None:
        """Put the fact into the outbox once the newest revision is wholly archived."""
        row = _locked(connection, study_instance_uid)
        instance = stored_instance.c
        waiting = connection.execute(
            select(func.count()).where(
                instance.study_instance_uid == study_instance_uid,
                instance.channel == Channel.ACQUIRED.value,
                instance.archived_at.is_(None),
            )
        ).scalar_one()
        if row is None or waiting or row.growing or row.archived_revision >= row.settled_revision:
            return
        count = connection.execute(
            select(tables.revision.c.instance_count).where(
                tables.revision.c.study_instance_uid == study_instance_uid,
                tables.revision.c.number == row.settled_revision,
            )
        ).scalar_one()
        connection.execute(
            update(tables.study)
            .where(tables.study.c.study_instance_uid == study_instance_uid)
            .values(archived_revision=row.settled_revision)
        )
        self._outbox.append(
            connection,
            StudyArchived(
                study_instance_uid=study_instance_uid,
                revision=row.settled_revision,
                instance_count=count,
                archive=self._archive,
            ),
        )


def _locked(connection: Connection, study_instance_uid: str) -> Row[Any] | None:
    return connection.execute(
        select(tables.study).where(tables.study.c.study_instance_uid == study_instance_uid).with_for_update()
    ).one_or_none()


def _manifest(connection: Connection, study_instance_uid: str) -> Manifest:
    instance = stored_instance.c
    rows = connection.execute(
        select(stored_instance)
        .where(instance.study_instance_uid == study_instance_uid, instance.channel == Channel.ACQUIRED.value)
        .order_by(instance.sop_instance_uid)
    ).all()
    names = ManifestEntry.model_fields
    return Manifest(entries=tuple(ManifestEntry(**{name: getattr(row, name) for name in names}) for row in rows))


def _settled(connection: Connection, row: Row[Any], number: int, manifest: Manifest) -> StudySettled:
    body_part = connection.execute(
        select(tables.series.c.body_part_examined)
        .where(
            tables.series.c.study_instance_uid == row.study_instance_uid,
            tables.series.c.body_part_examined.is_not(None),
        )
        .order_by(tables.series.c.series_instance_uid)
    ).scalars()
    code = row.exam_code
    return StudySettled(
        study=StudyIdentity(
            study_instance_uid=row.study_instance_uid,
            origin=row.origin,
            accession_number=row.accession_number,
            accession_issuer=row.accession_issuer,
            patient=PatientIdentity(
                issuer=row.patient_id_issuer,
                patient_id=row.patient_id,
                nhs_number=row.nhs_number,
                birth_date=row.birth_date,
            ),
        ),
        revision=number,
        study_time=row.studied_at,
        modalities=tuple(part for part in row.modalities.split("\\") if part),
        description=row.study_description,
        exam_code=ExamCode(value=code[0], scheme=code[1], meaning=code[2]) if code else None,
        body_part=body_part.first(),
        sending_ae_title=row.sending_ae_title,
        manifest=manifest,
        notices=_notices(
            row,
            announced_of(connection, [row.study_instance_uid]).get(row.study_instance_uid),
            has_open_step(connection, row.study_instance_uid),
        ),
    )


def _notices(row: Row[Any], announced: Announced | None, is_in_progress: bool) -> tuple[str, ...]:
    notices: list[str] = []
    others = row.attributes.get(OTHER_ACCESSIONS)
    if others:
        count = 1 + len(others.split("\\"))
        notices.append(f"Images of this study carry {count} different accession numbers; the first is used.")
    if is_in_progress:
        notices.append("A procedure step of this study is still in progress: more images may come.")
    missing = missing_notice(announced.instances, announced.missing) if announced else None
    return (*notices, missing) if missing else tuple(notices)
