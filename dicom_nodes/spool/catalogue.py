"""The catalogue: what the spool holds, for queries, settling and archiving. Derived; never between bytes and answer.

`note_instance` returns at once and the committer writes rows in batches; look-ups see what is noted but not yet
committed. After a crash, `recover` finds in the spool what the tables lack.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import Connection, insert, select, update

from dicom_nodes.contract import InstanceQuarantined
from dicom_nodes.flows.ports import Checkpoint, Spool, no_checkpoint
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.foundation.jobs import JobQueue
from dicom_nodes.model.instance import Channel, QuarantinedInstance, SpooledInstance, StoredObject, quarantine_id_of
from dicom_nodes.model.study import StudyOwner, StudyRecord
from dicom_nodes.rules.ingest import is_uid
from dicom_nodes.spool import tables
from dicom_nodes.spool.catalogue_rows import (
    as_second_content,
    filled_in,
    instance_row,
    merged_owner,
    series_row,
    stored_object,
    study_header,
    study_row,
)
from dicom_nodes.spool.committer import BATCH, Committer
from dicom_nodes.spool.outbox import SqlOutbox

ARCHIVE_JOB = "archive"
_ARCHIVE_DELAY = timedelta(seconds=1)
"""Lets the instances of one association gather, so that they travel to the archive on one."""


class SqlCatalogue:
    """The catalogue tables; `committer` is started and stopped by the composition root."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        outbox: SqlOutbox,
        clock: Clock,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        self._database, self._jobs, self._outbox, self._clock = database, jobs, outbox, clock
        self._checkpoint = checkpoint
        self.committer = Committer(self._commit)

    def recover(self, spool: Spool) -> int:
        """Catalogue what the spool holds and the tables lack; returns how many objects that were.

        What the database will not take is set aside and tried again; it never keeps the node from starting.
        """
        with self._database.read() as connection:
            locations = set(connection.execute(select(tables.instance.c.location)).scalars())
            quarantined = set(connection.execute(select(tables.quarantine.c.quarantine_id)).scalars())
        found = 0
        batch: list[SpooledInstance] = []
        for spooled in spool.unlisted(lambda location: location in locations):
            found += 1
            if self._is_second_content(spooled):
                continue
            batch.append(spooled)
            if len(batch) == BATCH:
                self.committer.commit_now(batch)
                batch = []
        self.committer.commit_now(batch)
        for aside in spool.unlisted_quarantine(lambda quarantine_id: quarantine_id in quarantined):
            self.note_quarantined(aside)
            found += 1
        return found

    def _is_second_content(self, spooled: SpooledInstance) -> bool:
        """Whether another object of the same UID is live; then this one is shown as quarantined, where it lies."""
        live = self.find_instance(spooled.header.sop_instance_uid)
        if live is None or live.digest == spooled.digest:
            return False
        self.note_quarantined(as_second_content(spooled))
        return True

    def find_instance(self, sop_instance_uid: str) -> StoredObject | None:
        noted = self.committer.find(sop_instance_uid)
        if noted is not None:
            return _stored(noted)
        with self._database.read() as connection:
            row = connection.execute(
                select(tables.instance).where(tables.instance.c.sop_instance_uid == sop_instance_uid)
            ).one_or_none()
        return None if row is None else stored_object(row)

    def owner_of(self, study_instance_uid: str) -> StudyOwner | None:
        noted = self.committer.of_study(study_instance_uid)
        with self._database.read() as connection:
            row = connection.execute(
                select(tables.study).where(tables.study.c.study_instance_uid == study_instance_uid)
            ).one_or_none()
        return merged_owner(row, noted)

    def is_quarantined(self, sop_instance_uid: str, digest: str) -> bool:
        column = tables.quarantine.c.quarantine_id
        with self._database.read() as connection:
            found = connection.execute(select(column).where(column == quarantine_id_of(sop_instance_uid, digest)))
            return found.first() is not None

    def note_instance(self, spooled: SpooledInstance) -> None:
        self.committer.note(spooled)

    def note_quarantined(self, quarantined: QuarantinedInstance) -> None:
        """Catalogue it with its fact; a repeat of the same bytes changes nothing."""
        with self._database.write() as connection:
            known = connection.execute(
                select(tables.quarantine.c.quarantine_id).where(
                    tables.quarantine.c.quarantine_id == quarantined.quarantine_id
                )
            ).first()
            if known is not None:
                return
            connection.execute(
                insert(tables.quarantine).values(
                    quarantine_id=quarantined.quarantine_id,
                    reason=quarantined.reason,
                    sop_class_uid=quarantined.sop_class_uid,
                    sop_instance_uid=quarantined.sop_instance_uid,
                    study_instance_uid=quarantined.study_instance_uid,
                    transfer_syntax_uid=quarantined.transfer_syntax_uid,
                    digest=quarantined.digest,
                    size_bytes=quarantined.size_bytes,
                    origin=quarantined.provenance.origin,
                    sending_ae_title=quarantined.provenance.sending_ae_title,
                    received_at=quarantined.provenance.received_at,
                )
            )
            self._outbox.append(
                connection,
                InstanceQuarantined(
                    quarantine_id=quarantined.quarantine_id,
                    reason=quarantined.reason,
                    study_instance_uid=_uid_or_none(quarantined.study_instance_uid),
                    sop_instance_uid=_uid_or_none(quarantined.sop_instance_uid),
                    sending_ae_title=quarantined.provenance.sending_ae_title,
                ),
            )

    def quarantined_count(self) -> int:
        with self._database.read() as connection:
            return len(connection.execute(select(tables.quarantine.c.quarantine_id)).all())

    def study(self, study_instance_uid: str) -> StudyRecord | None:
        with self._database.read() as connection:
            row = connection.execute(
                select(tables.study).where(tables.study.c.study_instance_uid == study_instance_uid)
            ).one_or_none()
        if row is None:
            return None
        return StudyRecord(
            header=study_header(row),
            origin=row.origin,
            sending_ae_title=row.sending_ae_title,
            modalities=tuple(part for part in row.modalities.split("\\") if part),
            instances=tuple(self.instances(study_instance_uid)),
            settled_revision=row.settled_revision,
        )

    def instances(self, study_instance_uid: str) -> Sequence[StoredObject]:
        columns = tables.instance.c
        with self._database.read() as connection:
            rows = connection.execute(
                select(tables.instance)
                .where(columns.study_instance_uid == study_instance_uid)
                .order_by(columns.series_instance_uid, columns.sop_instance_uid)
            ).all()
        return [stored_object(row) for row in rows]

    def _commit(self, batch: Sequence[SpooledInstance]) -> None:
        self._checkpoint("catalogue.before_commit")
        with self._database.write() as connection:
            known = _known_instances(connection, [item.header.sop_instance_uid for item in batch])
            fresh = {i.header.sop_instance_uid: i for i in batch if i.header.sop_instance_uid not in known}.values()
            for spooled in fresh:
                _add_instance(connection, spooled)
            growing = {i.header.study_instance_uid for i in fresh if i.provenance.channel is Channel.ACQUIRED}
            for study_instance_uid in sorted(growing):
                self._jobs.enqueue(
                    connection, kind=ARCHIVE_JOB, key=study_instance_uid, destination="archive",
                    run_at=self._clock() + _ARCHIVE_DELAY,
                )  # fmt: skip
        self._checkpoint("catalogue.committed")


def _uid_or_none(text: str | None) -> str | None:
    return text if text is not None and is_uid(text) else None


def _known_instances(connection: Connection, uids: Sequence[str]) -> set[str]:
    column = tables.instance.c.sop_instance_uid
    return set(connection.execute(select(column).where(column.in_(uids))).scalars())


def _add_instance(connection: Connection, spooled: SpooledInstance) -> None:
    header, provenance = spooled.header, spooled.provenance
    study, series = tables.study, tables.series
    here = study.c.study_instance_uid == header.study_instance_uid
    known = connection.execute(select(study).where(here).with_for_update()).one_or_none()
    if known is None:
        connection.execute(insert(study).values(**study_row(spooled)))
        known = connection.execute(select(study).where(here)).one()
    in_series = (series.c.study_instance_uid == header.study_instance_uid) & (
        series.c.series_instance_uid == header.series_instance_uid
    )
    grown = connection.execute(update(series).where(in_series).values(instance_count=series.c.instance_count + 1))
    if grown.rowcount == 0:
        connection.execute(insert(series).values(**series_row(header), instance_count=1))
    connection.execute(insert(tables.instance).values(**instance_row(spooled)))
    modalities = {part for part in known.modalities.split("\\") if part} | {header.attributes.get("Modality", "")}
    acquired = provenance.channel is Channel.ACQUIRED
    connection.execute(
        update(study)
        .where(here)
        .values(
            modalities=_between_backslashes(modalities),
            series_count=known.series_count + (1 if grown.rowcount == 0 else 0),
            instance_count=known.instance_count + 1,
            growing=known.growing or acquired,
            last_arrival=max(known.last_arrival, provenance.received_at),
            **filled_in(known, spooled),
        )
    )


def _between_backslashes(modalities: Iterable[str]) -> str:
    present = sorted(modality for modality in modalities if modality)
    return "\\" + "\\".join(present) + "\\" if present else ""


def _stored(spooled: SpooledInstance) -> StoredObject:
    header = spooled.header
    return StoredObject(
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        digest=spooled.digest,
        size_bytes=spooled.size_bytes,
        origin=spooled.provenance.origin,
        location=spooled.location,
    )
