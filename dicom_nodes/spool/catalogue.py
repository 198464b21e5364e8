"""The catalogue: what the spool holds, for queries, settling and archiving. Derived; never between bytes and answer.

`note_instance` returns at once and a single committer writes rows in batches; look-ups see what is noted but not yet
committed. After a crash, `recover` finds in the spool what the tables lack.
"""

import queue
import threading
from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import OperationalError

from dicom_nodes.contract import InstanceQuarantined
from dicom_nodes.flows.ports import Checkpoint, Spool, no_checkpoint
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.foundation.jobs import JobQueue
from dicom_nodes.model.instance import Channel, QuarantinedInstance, SpooledInstance, StoredObject
from dicom_nodes.model.study import StudyRecord
from dicom_nodes.spool import tables
from dicom_nodes.spool.catalogue_rows import instance_row, series_row, stored_object, study_header, study_row
from dicom_nodes.spool.outbox import SqlOutbox

ARCHIVE_JOB = "archive"
_BATCH = 500
_ARCHIVE_DELAY = timedelta(seconds=1)
"""Lets the instances of one association gather, so that they travel to the archive on one."""


class SqlCatalogue:
    """The catalogue tables with their committer thread."""

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
        self._noted: queue.Queue[SpooledInstance | None] = queue.Queue(maxsize=5000)
        self._uncommitted: dict[str, SpooledInstance] = {}
        self._lock = threading.Lock()
        self._committer: threading.Thread | None = None
        self.failing = False
        """Whether the last commit failed; the bytes are safe in the spool, and the node says so in its health."""

    def start(self) -> None:
        self._committer = threading.Thread(target=self._commit_forever, name="catalogue")
        self._committer.start()

    def stop(self) -> None:
        """Commit what is noted, then end; what cannot be committed is found again by the next `recover`."""
        if self._committer is not None:
            self._noted.put(None)
            self._committer.join()
            self._committer = None

    def recover(self, spool: Spool) -> int:
        """Catalogue what the spool holds and the tables lack; returns how many objects that were."""
        found = 0
        with self._database.read() as connection:
            locations = set(connection.execute(select(tables.instance.c.location)).scalars())
            quarantined = set(connection.execute(select(tables.quarantine.c.quarantine_id)).scalars())
        batch: list[SpooledInstance] = []
        for spooled in spool.unlisted(locations.__contains__):
            batch.append(spooled)
            found += 1
            if len(batch) == _BATCH:
                self._commit(batch)
                batch = []
        if batch:
            self._commit(batch)
        for aside in spool.unlisted_quarantine(quarantined.__contains__):
            self.note_quarantined(aside)
            found += 1
        return found

    def find_instance(self, sop_instance_uid: str) -> StoredObject | None:
        with self._lock:
            noted = self._uncommitted.get(sop_instance_uid)
        if noted is not None:
            return _stored(noted)
        with self._database.read() as connection:
            row = connection.execute(
                select(tables.instance).where(tables.instance.c.sop_instance_uid == sop_instance_uid)
            ).one_or_none()
        return None if row is None else stored_object(row)

    def study_identity(self, study_instance_uid: str) -> tuple[str, str | None, str | None] | None:
        with self._lock:
            for noted in self._uncommitted.values():
                header = noted.header
                if header.study_instance_uid == study_instance_uid:
                    return noted.provenance.origin, header.patient_id_issuer, header.patient_id
        columns = tables.study.c
        with self._database.read() as connection:
            row = connection.execute(
                select(columns.origin, columns.patient_id_issuer, columns.patient_id).where(
                    columns.study_instance_uid == study_instance_uid
                )
            ).one_or_none()
        return None if row is None else (row.origin, row.patient_id_issuer, row.patient_id)

    def is_quarantined(self, sop_instance_uid: str, digest: str) -> bool:
        columns = tables.quarantine.c
        with self._database.read() as connection:
            found = connection.execute(
                select(columns.quarantine_id).where(
                    columns.sop_instance_uid == sop_instance_uid, columns.digest == digest
                )
            ).first()
        return found is not None

    def note_instance(self, spooled: SpooledInstance) -> None:
        with self._lock:
            self._uncommitted[spooled.header.sop_instance_uid] = spooled
        self._noted.put(spooled)

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
                    study_instance_uid=quarantined.study_instance_uid,
                    sop_instance_uid=quarantined.sop_instance_uid or None,
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

    def _commit_forever(self) -> None:
        stopping = False
        while not stopping:
            batch: list[SpooledInstance] = []
            noted = self._noted.get()
            while noted is not None:
                batch.append(noted)
                if len(batch) == _BATCH:
                    break
                try:
                    noted = self._noted.get_nowait()
                except queue.Empty:
                    break
            stopping = noted is None
            self._commit_stubbornly(batch, give_up=stopping)

    def _commit_stubbornly(self, batch: list[SpooledInstance], *, give_up: bool) -> None:
        """Commit the batch, one by one where the whole will not go; wait out a database that is away."""
        pause = threading.Event()
        while batch:
            try:
                self._commit(batch)
                self.failing = False
                return
            except Exception as error:  # noqa: BLE001 - a worker's boundary: recorded; the bytes stay in the spool
                self.failing = True
                event_log().error("catalogue.commit_failed", exc_info=error, instances=len(batch))
                if len(batch) > 1:
                    for item in batch:
                        self._commit_stubbornly([item], give_up=give_up)
                    return
                if give_up or not isinstance(error, OperationalError):
                    return
                pause.wait(1.0)

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
        with self._lock:
            for item in batch:
                self._uncommitted.pop(item.header.sop_instance_uid, None)


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
