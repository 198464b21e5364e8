"""The catalogue: what the spool holds, for queries, settling and archiving. Derived; never between bytes and answer.

`note_instance` returns at once and the committer writes rows in batches; look-ups see what is noted but not yet
committed. After a crash, `recover` finds in the spool what the tables lack.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from dicom_nodes.contract import InstanceQuarantined
from dicom_nodes.flows.ports import Checkpoint, no_checkpoint
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.foundation.jobs import JobQueue
from dicom_nodes.model.instance import QuarantinedInstance, SpooledInstance, StoredObject, quarantine_id_of
from dicom_nodes.model.study import StudyOwner, StudyRecord
from dicom_nodes.rules.ingest import is_uid
from dicom_nodes.rules.ownership import merged_owner
from dicom_nodes.spool import tables
from dicom_nodes.spool.catalogue_rows import (
    OWNER_BY_STUDY_UID,
    QUARANTINED_BY_ID,
    as_second_content,
    owner_in,
    study_header,
)
from dicom_nodes.spool.column_types import packed_uid
from dicom_nodes.spool.committer import BATCH, Committer
from dicom_nodes.spool.growth import add_instances
from dicom_nodes.spool.instances import (
    OBJECT_COLUMNS,
    STORED_OBJECT_BY_PACKED_UID,
    location_in,
    place_columns,
    stored_instance,
    stored_object_of,
    stored_objects,
)
from dicom_nodes.spool.lives import lives_led_to
from dicom_nodes.spool.location import Place, SegmentLife, place_of
from dicom_nodes.spool.outbox import SqlOutbox
from dicom_nodes.spool.point_lookups import PointLookups
from dicom_nodes.spool.ring import FullSegment
from dicom_nodes.spool.wanted import SurplusRecords, in_life, recount, wanted_bytes

ARCHIVE_JOB = "archive"
_STUDY = select(tables.study).where(tables.study.c.study_instance_uid == bindparam("uid"))
_STUDIES = select(tables.study).where(tables.study.c.study_instance_uid.in_(bindparam("uids", expanding=True)))
_CATCH_UP_S = 5.0
_ARCHIVE_DELAY = timedelta(seconds=1)
"""Lets the instances of one association gather, so that they travel to the archive on one."""


class Recoverable(Protocol):
    """The part of the spool that a start needs; see `segments.SegmentSpool`."""

    def unlisted(
        self, is_whole: Callable[[SegmentLife], bool], listed: Callable[[SegmentLife], Collection[int]]
    ) -> Iterator[SpooledInstance | QuarantinedInstance]: ...

    def lost_lives(self, known: Collection[SegmentLife]) -> list[SegmentLife]: ...


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
        self._surplus = SurplusRecords()
        self._aside_to_note: list[QuarantinedInstance] = []
        self.committer = Committer(self._commit)
        lookups = PointLookups(database.engine)
        database.before_dispose(lookups.close)
        self._instance_by_uid = lookups.prepared(STORED_OBJECT_BY_PACKED_UID)
        self._owner_by_uid = lookups.prepared(OWNER_BY_STUDY_UID)
        self._quarantined_by_id = lookups.prepared(QUARANTINED_BY_ID)

    def recover(self, spool: Recoverable) -> int:
        """Catalogue what the spool holds and the tables lack; returns how many objects that were.

        What the database will not take is set aside and tried again; it never keeps the node from starting.
        """
        found = 0
        batch: list[SpooledInstance] = []
        for spooled in spool.unlisted(self._vouched_for().__contains__, self.listed):
            found += 1
            if isinstance(spooled, QuarantinedInstance):
                self._aside_to_note.append(spooled)
            else:
                batch.append(spooled)
            if len(batch) == BATCH:
                self.committer.commit_now(batch)
                batch = []
        self.committer.commit_now(batch)
        self.note_left_aside()
        with self._database.read() as connection:
            led_to = lives_led_to(connection)
        spool.lost_lives(sorted(led_to))
        return found

    def note_left_aside(self) -> None:
        """Note the quarantined objects that a start found; what the database will not take now is tried again."""
        left, self._aside_to_note = self._aside_to_note, []
        for aside in left:
            try:
                self.note_quarantined(aside)
            except Exception as error:  # noqa: BLE001 - recorded, kept and tried again; its segment is not vouched for
                event_log().error("catalogue.quarantine_failed", exc_info=error)
                self._aside_to_note.append(aside)

    def _vouched_for(self) -> frozenset[SegmentLife]:
        """The lives of which every record is known to be in the tables; read at once, for there may be thousands."""
        table = tables.whole_segment.c
        with self._database.read() as connection:
            rows = connection.execute(select(table.segment, table.epoch)).all()
        return frozenset(SegmentLife(row.segment, row.epoch) for row in rows)

    def listed(self, life: SegmentLife) -> frozenset[int]:
        """Where the tables know an object in this life."""
        with self._database.read() as connection:
            return frozenset(
                offset
                for table in (tables.instance, tables.quarantine)
                for offset in connection.execute(
                    select(table.c.offset).where(table.c.segment == life.number, table.c.epoch == life.epoch)
                ).scalars()
            )

    def vouch_for(self, full: Sequence[FullSegment]) -> list[FullSegment]:
        """Remember of each full segment that its records are all in the tables; returns those of which it is not so.

        A record to which nothing leads, because the same content is known in another place, is as good as listed.
        """
        lacking = []
        for segment in full:
            if not segment.offsets <= self._surplus.of(segment.life) | self.listed(segment.life):
                lacking.append(segment)
                continue
            with self._database.write() as connection:
                number, epoch = segment.life
                wanted = wanted_bytes(connection, segment.life)
                connection.execute(delete(tables.whole_segment).where(tables.whole_segment.c.segment == number))
                connection.execute(
                    insert(tables.whole_segment).values(segment=number, epoch=epoch, wanted_bytes=wanted)
                )
            self._surplus.forget(segment.life)
        return lacking

    def note_surplus(self, location: str) -> None:
        """A durable record to which nothing leads or will: it does not keep its segment from being vouched for."""
        self._surplus.add(location)

    def find_instance(self, sop_instance_uid: str) -> StoredObject | None:
        noted = self.committer.find(sop_instance_uid)
        if noted is not None:
            return _stored(noted)
        return stored_object_of(self._instance_by_uid(packed_uid(sop_instance_uid)))

    def owner_of(self, study_instance_uid: str) -> StudyOwner | None:
        noted = self.committer.owner_of(study_instance_uid)
        return merged_owner(owner_in(self._owner_by_uid(study_instance_uid)), noted)

    def quarantined_at(self, sop_instance_uid: str, digest: str) -> str | None:
        found = self._quarantined_by_id(quarantine_id_of(sop_instance_uid, digest))
        return None if found is None else Place(SegmentLife(found[0], found[1]), found[2]).location

    def lose_place(self, sop_instance_uid: str, location: str) -> bool:
        """The object there cannot be read any more: its instance stays known, and may be taken in again."""
        place = place_of(location)
        row, nowhere = tables.instance.c, {"segment": None, "epoch": None, "offset": None}
        with self._database.write() as connection:
            here = in_life(tables.instance, place.life) & (row.offset == place.offset)
            lost = connection.execute(
                update(tables.instance).where(row.sop_instance_uid == sop_instance_uid, here).values(nowhere)
            )
            recount(connection, place.life)
        return lost.rowcount == 1

    @property
    def is_behind(self) -> bool:
        return self.committer.is_behind

    def uncatalogued(self) -> list[StoredObject]:
        """What is kept, acknowledged, and in no row, because the database will not take it."""
        return [_stored(spooled) for spooled in self.committer.set_aside_instances()]

    def is_uncatalogued(self, study_instance_uid: str) -> bool:
        """Whether something of the study is so."""
        return any(stored.study_instance_uid == study_instance_uid for stored in self.uncatalogued())

    def note_instance(self, spooled: SpooledInstance) -> None:
        self.committer.note(spooled)

    def note_quarantined(self, quarantined: QuarantinedInstance) -> None:
        """Catalogue it with its fact; a repeat of the same bytes changes nothing."""
        with self._database.write() as connection:
            place = tables.quarantine.c
            known = connection.execute(
                select(place.segment, place.epoch, place.offset).where(place.quarantine_id == quarantined.quarantine_id)
            ).first()
            if known is not None:
                self._note_again(connection, quarantined, str(location_in(known)))
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
                    **place_columns(quarantined.location),
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

    def _note_again(self, connection: Connection, quarantined: QuarantinedInstance, known_at: str) -> None:
        """The same content in another place: it counts where the first can no more be read, otherwise nothing does."""
        if known_at == quarantined.location:
            return
        if not quarantined.replaces:
            self.note_surplus(quarantined.location)
            return
        row = tables.quarantine.c
        new = update(tables.quarantine).where(row.quarantine_id == quarantined.quarantine_id)
        connection.execute(new.values(**place_columns(quarantined.location)))
        recount(connection, place_of(known_at).life)

    def quarantined_count(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(tables.quarantine)).scalar_one())

    def study(self, study_instance_uid: str, *, with_instances: bool = True) -> StudyRecord | None:
        self.committer.wait_until_committed(_CATCH_UP_S)
        with self._database.read() as connection:
            row = connection.execute(_STUDY, {"uid": study_instance_uid}).one_or_none()
        if row is None:
            return None
        return _study(row, self.instances(study_instance_uid) if with_instances else ())

    def study_records(self, study_instance_uids: Collection[str]) -> dict[str, StudyRecord]:
        self.committer.wait_until_committed(_CATCH_UP_S)
        with self._database.read() as connection:
            rows = connection.execute(_STUDIES, {"uids": list(study_instance_uids)}).all()
        return {row.study_instance_uid: _study(row, ()) for row in rows}

    def instances(self, study_instance_uid: str) -> Sequence[StoredObject]:
        self.committer.wait_until_committed(_CATCH_UP_S)
        columns = stored_instance.c
        with self._database.read() as connection:
            rows = connection.execute(
                select(*OBJECT_COLUMNS)
                .where(columns.study_instance_uid == study_instance_uid)
                .order_by(columns.series_instance_uid, columns.sop_instance_uid)
            ).all()
        return stored_objects(rows)

    def _commit(self, batch: Sequence[SpooledInstance]) -> None:
        self._checkpoint("catalogue.before_commit")
        with self._database.write() as connection:
            growth = add_instances(connection, batch)
            for study_instance_uid in growth.acquired_studies:
                self._jobs.enqueue(
                    connection, kind=ARCHIVE_JOB, key=study_instance_uid, destination="archive",
                    run_at=self._clock() + _ARCHIVE_DELAY,
                )  # fmt: skip
        self._checkpoint("catalogue.committed")
        for spooled in growth.repeats:
            self.note_surplus(spooled.location)
        for spooled in growth.second_contents:
            self.note_quarantined(as_second_content(spooled))


def _study(row: Row[Any], instances: Sequence[StoredObject]) -> StudyRecord:
    return StudyRecord(
        header=study_header(row),
        origin=row.origin,
        sending_ae_title=row.sending_ae_title,
        modalities=tuple(part for part in row.modalities.split("\\") if part),
        instances=tuple(instances),
        settled_revision=row.settled_revision,
    )


def _uid_or_none(text: str | None) -> str | None:
    return text if text is not None and is_uid(text) else None


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
