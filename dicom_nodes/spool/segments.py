"""The spool: complete objects in segments, durable before anybody is told so, never overwritten while wanted (ADR 049).

What lies where is found again from the segments alone; the catalogue only remembers it.
"""

import mmap
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.part10 import ObjectMeta, file_meta, read_meta
from dicom_nodes.encoding.walk import DamagedDataSetError, Data
from dicom_nodes.flows.ports import Checkpoint, no_checkpoint
from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.model.errors import CrashConsistency, OutOfResources
from dicom_nodes.model.instance import (
    IncomingInstance,
    InstanceHeader,
    QuarantinedInstance,
    ReceivedDataSet,
    SpooledInstance,
    quarantine_id_of,
)
from dicom_nodes.rules.ingest import is_uid
from dicom_nodes.spool.disk import Disk
from dicom_nodes.spool.draft import PieceBuffers, SpoolDraft
from dicom_nodes.spool.lending import Loans
from dicom_nodes.spool.location import Place, SegmentLife, place_of
from dicom_nodes.spool.record import PAGE_BYTES, RecordHead, RecordKind, head_room
from dicom_nodes.spool.ring import FullSegment, SegmentRing
from dicom_nodes.spool.segment import walk_segment
from dicom_nodes.spool.stored_record import check_data, head_at, pieces_of, sound_data

DEFAULT_SEGMENT_BYTES = 64 << 20
_META_BYTES = 2048
"""What file meta takes at most, but for the UIDs of a request, which may be anything."""
_MAPPED_FROM_BYTES = 64 << 20
"""A data set from this size on is not read into memory but mapped, if it is longer than a segment, too: then its
segment has grown and is never written to again, so that a map stays what it was for as long as somebody holds it."""
Read = TypeVar("Read")
Spooled = SpooledInstance | QuarantinedInstance


class SegmentSpool:
    """Implements `flows.ports.Spool`."""

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        disk: Disk | None = None,
        reserve_bytes: int = 0,
        checkpoint: Checkpoint = no_checkpoint,
        ring: SegmentRing | None = None,
    ) -> None:
        """`ring` stands in where the segments are another process's, see `lending`."""
        self._folder, self._checkpoint, self._reserve_bytes = folder, checkpoint, reserve_bytes
        self._mapped_from = max(_MAPPED_FROM_BYTES, segment_bytes)
        self._ring = ring or SegmentRing(folder / "segments", segment_bytes, disk or Disk(), reserve_bytes)
        self._buffers = PieceBuffers()
        self._found, unreadable = self._ring.open()
        self.damaged: set[str] = set(unreadable)
        """Places of objects that could not be read back; they stay where they are for a person to look at."""

    # -- taking in -------------------------------------------------------------------------------------------------
    def draft(self, *announced: str) -> SpoolDraft:
        """Begin to take a data set in; `announced` are the texts of the request that will stand in its file meta."""
        return SpoolDraft(self._ring, self._buffers, head_room(_META_BYTES + sum(map(len, announced))))

    def keep(self, incoming: IncomingInstance, header: InstanceHeader) -> SpooledInstance:
        """Make the instance durable.

        Raises:
            OutOfResources: the disk would not take it; nothing is left behind.
        """
        notes = {"patient_id_issuer": header.patient_id_issuer, "accession_issuer": header.accession_issuer}
        draft = incoming.data_set
        size_bytes, digest = draft.size_bytes, draft.digest
        place = self._keep(draft, RecordKind.INSTANCE, self._meta(incoming, notes))
        return SpooledInstance(header, incoming.provenance, digest, size_bytes, place.location)

    def quarantine(
        self, incoming: IncomingInstance, study_instance_uid: str | None, reason: str
    ) -> QuarantinedInstance:
        """Make it durable aside. The same bytes under the same UID always get the same id."""
        study = study_instance_uid if study_instance_uid and is_uid(study_instance_uid) else None
        notes = {"reason": reason, "study_instance_uid": study}
        draft = incoming.data_set
        size_bytes, digest = draft.size_bytes, draft.digest
        place = self._keep(draft, RecordKind.QUARANTINED, self._meta(incoming, notes))
        return QuarantinedInstance(
            quarantine_id=quarantine_id_of(incoming.sop_instance_uid, digest),
            reason=reason,
            sop_class_uid=incoming.sop_class_uid,
            sop_instance_uid=incoming.sop_instance_uid,
            study_instance_uid=study_instance_uid,
            transfer_syntax_uid=incoming.transfer_syntax_uid,
            provenance=incoming.provenance,
            digest=digest,
            size_bytes=size_bytes,
            location=place.location,
        )

    def _keep(self, data_set: ReceivedDataSet, kind: RecordKind, meta: bytes) -> Place:
        draft = data_set if isinstance(data_set, SpoolDraft) else self._copied(data_set, len(meta))
        self._checkpoint("spool.written")
        place = draft.keep(kind, meta)
        self._checkpoint("spool.synced")
        return place

    def _copied(self, data_set: ReceivedDataSet, meta_bytes: int) -> SpoolDraft:
        draft = SpoolDraft(self._ring, self._buffers, head_room(meta_bytes))
        try:
            draft.write(memoryview(data_set.content()))
        except OutOfResources:
            draft.discard()
            raise
        return draft

    @staticmethod
    def _meta(incoming: IncomingInstance, notes: dict[str, Any]) -> bytes:
        return file_meta(
            incoming.sop_class_uid, incoming.sop_instance_uid, incoming.transfer_syntax_uid, incoming.provenance, notes
        )

    # -- reading ---------------------------------------------------------------------------------------------------
    def read_data_set(self, location: str) -> Buffer:
        """The data set as received, its digest checked; a read-only memory map where it is long."""
        data_set = self._read(location, self._sound)
        return memoryview(data_set) if isinstance(data_set, mmap.mmap) else data_set

    def is_sound(self, location: str) -> bool:
        """Whether the object is there and whole, read from the disk in constant memory; damage is noted."""
        try:
            self._read(location, check_data)
        except CrashConsistency:
            return False
        return True

    def scrub(self, location: str, after_piece: Callable[[int], None]) -> bool:
        """As `is_sound`, from the disk itself, leaving no trace in the system's cache.

        `after_piece` is told what was read: it may wait, and what it raises ends the reading.
        """

        def checked(descriptor: int, place: Place, head: RecordHead) -> None:
            start = place.offset + head.head_bytes
            os.posix_fadvise(descriptor, start, head.data_bytes, os.POSIX_FADV_DONTNEED)
            try:
                check_data(descriptor, place, head, after_piece)
            finally:
                os.posix_fadvise(descriptor, start, head.data_bytes, os.POSIX_FADV_DONTNEED)

        try:
            self._read(location, checked)
        except CrashConsistency:
            return False
        self.damaged.discard(location)
        return True

    def copy_out(self, location: str) -> str:
        """Write the same record, byte for byte, to a segment that is open; returns where it is durable now.

        Raises:
            CrashConsistency: it is damaged, and stays where it is.
            OutOfResources: the disk would not take it.
        """

        def copied(descriptor: int, place: Place, head: RecordHead) -> Place:
            check_data(descriptor, place, head)
            draft = SpoolDraft(self._ring, self._buffers, head.head_bytes)
            try:
                for piece in pieces_of(descriptor, place, head):
                    draft.write(memoryview(piece))
                if draft.digest != head.digest.hex():
                    raise CrashConsistency(f"spool object {location}: changes while it is read")
                return draft.keep(head.kind, head.meta)
            finally:
                draft.discard()

        place = self._read(location, copied)
        self._checkpoint("spool.copied_out")
        return place.location

    def _read(self, location: str, read: Callable[[int, Place, RecordHead], Read]) -> Read:
        """What `read` makes of the record there; damage is noted.

        A segment that was let go of meanwhile is no damage; its file may be another since.
        """
        place = place_of(location)
        try:
            try:
                return self._read_at(place, read)
            except CrashConsistency:
                self._ring.reopen(place.life.number)
                return self._read_at(place, read)
        except CrashConsistency as error:
            if self._ring.is_current(place.life):
                self._note_damage(location, error)
            raise

    def _sound(self, descriptor: int, place: Place, head: RecordHead) -> Data:
        return sound_data(descriptor, place, head, self._mapped_from)

    def _read_at(self, place: Place, read: Callable[[int, Place, RecordHead], Read]) -> Read:
        with self._ring.reading(place.life.number) as descriptor:
            try:
                return read(descriptor, place, head_at(descriptor, place))
            except OSError as error:
                raise CrashConsistency(f"spool object {place.location}: {error.strerror}") from None

    def free_bytes(self) -> int:
        """What can still be written: the disk's free room, and that in segments that are there already.

        Nothing where so little of the disk itself is free that the database beside us could not grow either.
        """
        free = shutil.disk_usage(self._folder).free
        return 0 if free < self._reserve_bytes // 4 else free + self._ring.reusable_bytes

    def lost_lives(self, known: Collection[SegmentLife]) -> list[SegmentLife]:
        """Which of the lives that the catalogue leads to are not on the disk any more; each is noted as damage."""
        lost = [life for life in known if not self._ring.is_current(life)]
        for life in lost:
            self._note_damage(
                Place(life, 0).location, CrashConsistency(f"spool segment {life.number:08x} is not there")
            )
        return lost

    # -- after a start ---------------------------------------------------------------------------------------------
    def unlisted(
        self, is_whole: Callable[[SegmentLife], bool], listed: Callable[[SegmentLife], Collection[int]]
    ) -> Iterator[Spooled]:
        """What the catalogue lacks, found by walking every segment that `is_whole` does not vouch for.

        `listed` gives the offsets that the catalogue knows in a segment. Once walked, a segment that has room is
        written on. To be called once, before anything is taken in.
        """
        lives, self._found = self._found, []
        for life in lives:
            if not is_whole(life):
                yield from self._walked(life, listed(life))

    def loans(self) -> Loans:
        """For a process that writes to segments of this spool."""
        return Loans(self._ring)

    def reclaimed(self, loans: Loans, life: SegmentLife, listed: Collection[int]) -> Iterator[Spooled]:
        """What a borrower that has died left in a segment and the catalogue does not list; durable.

        It is this spool's again at the end of the walk; walk it once more where that fails. One whose file is gone is
        damage, and nothing can be found there any more.
        """
        if not self._ring.is_there(life.number):
            self.lost_lives([life])
            loans.drop(life)
            return
        yield from self._walked(life, listed, loans.drop, partial(loans.sync, life))

    def _walked(
        self,
        life: SegmentLife,
        listed: Collection[int],
        let_go: Callable[[SegmentLife], None] = lambda _life: None,
        made_durable: Callable[[], None] | None = None,
    ) -> Iterator[Spooled]:
        """What the catalogue does not list in this life, as it was kept.

        A record that is not what its head says, with no other behind it, was being written when the power went; it
        was never acknowledged. Any other was, and is damage; so is a gap in the sequence of records, which is all that
        a lost head leaves behind. A segment with damage is never written on, and never vouched for.

        What is found is made durable once, before any of it counts. Where that fails nothing is taken from this life:
        a second sync would be told that all is well, whatever the kernel has dropped.
        """
        walk = _Walk(life)
        with self._ring.reading(life.number) as descriptor:
            for found in walk_segment(descriptor, life.epoch):
                place = Place(life, found.offset)
                if found.head is None:
                    walk.is_doubtful = True
                    event_log().warning("spool.head_damaged", object=place.location)
                    continue
                for location, error in walk.came_upon(found.offset, found.head):
                    self._note_damage(location, error)
                if found.offset in listed:
                    continue
                if not walk.is_synced:
                    sync = made_durable or partial(self._ring.sync, descriptor)
                    if not self._is_durable(place, sync):
                        let_go(life)
                        return
                    walk.is_synced = True
                try:
                    yield self._read_back(descriptor, place, found.head)
                except (CrashConsistency, DamagedDataSetError, OSError) as error:
                    walk.could_not_read(place, error)
        if walk.unfinished is not None:
            event_log().warning("spool.unfinished_record", object=walk.unfinished[0], exc_info=walk.unfinished[1])
        let_go(life)
        self._ring.resume(
            life,
            walk.tail,
            walk.sequence,
            frozenset(walk.offsets),
            may_be_written=not walk.is_doubtful,
            may_be_vouched_for=not walk.has_damage,
        )

    def _is_durable(self, place: Place, sync: Callable[[], None]) -> bool:
        try:
            sync()
        except OSError as error:
            self._note_damage(place.location, error)
            return False
        return True

    def _read_back(self, descriptor: int, place: Place, head: RecordHead) -> Spooled:
        """The object as it was kept; raises CrashConsistency or DamagedDataSetError."""
        meta = read_meta(head.meta, place.location)
        data_set = self._sound(descriptor, place, head)
        if head.kind is RecordKind.QUARANTINED:
            return _quarantined(meta, head, place)
        header = read_header(data_set, meta.transfer_syntax_uid)
        header = header.qualified(meta.notes["patient_id_issuer"], meta.notes["accession_issuer"])
        return SpooledInstance(header, meta.provenance, head.digest.hex(), head.data_bytes, place.location)

    def full(self) -> list[FullSegment]:
        """Segments that became full since the last call."""
        return self._ring.full()

    def release(self, life: SegmentLife) -> bool:
        """Use the segment again; nothing may lead to it any more.

        Returns:
            Whether it is not in this life any more; False while somebody writes to it.

        Raises:
            OSError: the disk would not take the mark; the segment stays as it is.
        """
        return not self._ring.is_current(life) or self._ring.release(life)

    @property
    def reusable_bytes(self) -> int:
        """How much can be written to segments that are there already."""
        return self._ring.reusable_bytes

    @property
    def segment_bytes(self) -> int:
        """What a segment takes of the disk."""
        return self._ring.segment_bytes

    def close(self) -> None:
        """Let go of every file; what is kept stays."""
        self._ring.close()

    def _note_damage(self, location: str, error: Exception) -> None:
        """One damaged object never keeps a node from working: it is counted, and the node's health says so."""
        self.damaged.add(location)
        event_log().error("spool.object_damaged", object=location, exc_info=error)


class _Walk:
    """What a walk through one life has come upon so far."""

    def __init__(self, life: SegmentLife) -> None:
        self._life = life
        self.tail, self.sequence = PAGE_BYTES, 0
        self.offsets: list[int] = []
        self.unfinished: tuple[str, Exception] | None = None
        self.is_doubtful = self.has_damage = self.is_synced = False

    def came_upon(self, offset: int, head: RecordHead) -> list[tuple[str, Exception]]:
        """A sound head: returns what is damaged before it."""
        damage = [] if self.unfinished is None else [self.unfinished]
        self.unfinished = None
        if head.sequence != self.sequence:
            gap = Place(self._life, self.tail).location
            damage.append(
                (gap, CrashConsistency(f"spool object {gap}: {head.sequence - self.sequence} heads are lost"))
            )
        self.tail, self.sequence = offset + head.record_bytes, head.sequence + 1
        self.offsets.append(offset)
        self.has_damage = self.has_damage or bool(damage)
        self.is_doubtful = self.is_doubtful or bool(damage)
        return damage

    def could_not_read(self, place: Place, error: Exception) -> None:
        self.is_doubtful = True
        self.offsets.remove(place.offset)
        self.unfinished = (place.location, error)


def _quarantined(meta: ObjectMeta, head: RecordHead, place: Place) -> QuarantinedInstance:
    digest = head.digest.hex()
    return QuarantinedInstance(
        quarantine_id=quarantine_id_of(meta.sop_instance_uid, digest),
        reason=meta.notes["reason"],
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        study_instance_uid=meta.notes["study_instance_uid"],
        transfer_syntax_uid=meta.transfer_syntax_uid,
        provenance=meta.provenance,
        digest=digest,
        size_bytes=head.data_bytes,
        location=place.location,
    )
