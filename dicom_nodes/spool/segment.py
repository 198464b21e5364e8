"""One segment file: preallocated, written from its tail on by whoever leased it, walked after a crash.

A record counts once its head is written and the file synced. Until then the tail stays where it is, so what was begun
and given up is overwritten by the next. After a failed sync the segment is never written to again.
"""

import mmap
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicom_nodes.foundation.buffers import Buffer, FileMap
from dicom_nodes.spool.disk import Disk
from dicom_nodes.spool.location import SegmentLife
from dicom_nodes.spool.record import (
    PAGE_BYTES,
    RecordHead,
    RecordKind,
    SegmentHeader,
    SegmentState,
    decode_record_head,
    decode_segment_header,
    encode_record_head,
    encode_segment_header,
    head_bytes_of,
    looks_like_a_head,
    new_epoch,
    whole_pages,
)

_BLOCK_BYTES = 1 << 20
_GROWN_BY_BYTES = 64 << 20
_ZEROS = bytes(PAGE_BYTES)


@dataclass(frozen=True, slots=True)
class WalkedRecord:
    """What a walk came upon at `offset`; `head` is None where something of this life is there and not sound."""

    offset: int
    head: RecordHead | None


class Segment:
    """A segment that is open for writing; one user at a time."""

    def __init__(self, disk: Disk, file: Path, descriptor: int, number: int, capacity_bytes: int) -> None:
        """`begin_life` or `resume` comes next."""
        self._disk, self._descriptor = disk, descriptor
        self.file, self.number, self.capacity_bytes = file, number, capacity_bytes
        self._step_bytes = min(capacity_bytes, _GROWN_BY_BYTES)
        self.epoch = 0
        self.tail = PAGE_BYTES
        self.sequence = 0
        self.offsets: set[int] = set()
        """Where the records of this life begin, as far as they are sound."""
        self.may_be_vouched_for = True
        """False where a walk found damage: the next start must find it again."""
        self.is_condemned = False

    @property
    def descriptor(self) -> int:
        return self._descriptor

    @property
    def life(self) -> SegmentLife:
        return SegmentLife(self.number, self.epoch)

    @property
    def left_bytes(self) -> int:
        """How much room is left before the segment grows beyond what was preallocated."""
        return max(0, self.capacity_bytes - self.tail)

    def begin_life(self) -> None:
        """Give the segment a new epoch; durable with its first record."""
        self.epoch, self.tail, self.sequence = new_epoch(), PAGE_BYTES, 0
        self.offsets, self.may_be_vouched_for = set(), True
        header = SegmentHeader(self.number, self.epoch, SegmentState.LIVE)
        self._disk.write(self._descriptor, [encode_segment_header(header)], 0)

    def resume(
        self, epoch: int, tail: int, sequence: int, offsets: Collection[int], *, may_be_vouched_for: bool
    ) -> None:
        """Go on behind what a walk found."""
        self.epoch, self.tail, self.sequence = epoch, tail, sequence
        self.offsets, self.may_be_vouched_for = set(offsets), may_be_vouched_for

    def lives(self, life: SegmentLife) -> bool:
        """Whether its header says that it is in this life."""
        header = decode_segment_header(os.pread(self._descriptor, PAGE_BYTES, 0))
        return header == SegmentHeader(life.number, life.epoch, SegmentState.LIVE)

    def end_life(self, life: SegmentLife) -> None:
        """Mark it free, durably; raises OSError."""
        header = SegmentHeader(life.number, life.epoch, SegmentState.FREE)
        self._disk.write(self._descriptor, [encode_segment_header(header)], 0)
        self._disk.sync(self._descriptor)

    def reserve(self, end: int) -> None:
        """Have the file reach to `end`, beyond its capacity; raises OSError."""
        if end > self.capacity_bytes:
            grown = -(-end // self._step_bytes) * self._step_bytes
            self._disk.extend(self._descriptor, grown)
            self.capacity_bytes = grown

    def shrink(self, size_bytes: int) -> None:
        """Give room back that was reserved beyond `size_bytes` and holds no record; raises OSError."""
        if self.capacity_bytes > size_bytes >= self.tail:
            self._disk.shrink(self._descriptor, size_bytes)
            self.capacity_bytes = size_bytes

    def write(self, buffers: Sequence[Buffer], offset: int, size_bytes: int) -> None:
        """Write part of a record that is not yet one, and start it on its way; raises OSError."""
        self._disk.write(self._descriptor, buffers, offset)
        self._disk.start_writing_back(self._descriptor, offset, size_bytes)

    def read(self, offset: int, size_bytes: int) -> bytes:
        """What was written there."""
        return os.pread(self._descriptor, size_bytes, offset)

    def mapped(self, offset: int, size_bytes: int) -> FileMap:
        """The same without reading it; `offset` is a page's."""
        return FileMap(self._descriptor, size_bytes, prot=mmap.PROT_READ, offset=offset)

    def complete(
        self, kind: RecordKind, head_bytes: int, meta: bytes, digest: bytes, data_bytes: int, rest: Sequence[Buffer]
    ) -> int:
        """Make the record at the tail durable: its head, and the `rest` of its data that is not written yet.

        Returns:
            The record's offset.

        Raises:
            OSError: there is no such record, and after a failed sync nothing more is written here.
        """
        offset = self.tail
        head = RecordHead(self.epoch, self.sequence, kind, head_bytes, data_bytes, digest, meta)
        self._write_whole(offset, head, rest)
        try:
            self._disk.sync(self._descriptor)
        except OSError:
            self._condemn(offset)
            raise
        self.tail += head.record_bytes
        self.sequence += 1
        self.offsets.add(offset)
        return offset

    def _write_whole(self, offset: int, head: RecordHead, rest: Sequence[Buffer]) -> None:
        rest_bytes = sum(map(len, rest))
        padding = whole_pages(head.data_bytes) - head.data_bytes
        ending = [*rest, _ZEROS[:padding]] if padding else rest
        first = [encode_record_head(head)]
        start = offset + head.head_bytes + head.data_bytes - rest_bytes
        if start == offset + head.head_bytes:
            self._disk.write(self._descriptor, [*first, *ending], offset)
            return
        if ending:
            self._disk.write(self._descriptor, ending, start)
        self._disk.write(self._descriptor, first, offset)

    def _condemn(self, offset: int) -> None:
        """What was refused must not be found as kept after a restart, as far as this disk still does anything."""
        self.is_condemned = True
        try:
            self._disk.write(self._descriptor, [_ZEROS], offset)
            self._disk.sync(self._descriptor)
        except OSError:
            pass

    def close(self) -> None:
        os.close(self._descriptor)


def walk_segment(descriptor: int, epoch: int) -> Iterator[WalkedRecord]:
    """Every record of this life, from the beginning on; where the chain is broken, page by page to the next sound head.

    Only heads are read: whether a data set is what its head says is for whoever reads it.
    """
    end = os.fstat(descriptor).st_size
    offset = PAGE_BYTES
    while offset + PAGE_BYTES <= end:
        page = _readable(descriptor, PAGE_BYTES, offset)
        if page is None:
            yield WalkedRecord(offset, None)
            offset += PAGE_BYTES
            continue
        if not looks_like_a_head(page, epoch):
            offset = _next_head(descriptor, epoch, offset, end)
            continue
        head = decode_record_head(_whole_head(descriptor, page, offset), epoch)
        if head is not None and offset + head.record_bytes > whole_pages(end):
            head = None
        yield WalkedRecord(offset, head)
        offset += head.record_bytes if head else PAGE_BYTES


def _whole_head(descriptor: int, page: bytes, offset: int) -> bytes:
    size = head_bytes_of(page)
    return page if size <= PAGE_BYTES else _readable(descriptor, size, offset) or page


def _readable(descriptor: int, size_bytes: int, offset: int) -> bytes | None:
    """What stands there; None where the disk will not give it."""
    try:
        return os.pread(descriptor, size_bytes, offset)
    except OSError:
        return None


def _next_head(descriptor: int, epoch: int, offset: int, end: int) -> int:
    """The next page that claims to begin a record of this life; `end` when there is none."""
    while offset < end:
        block = _readable(descriptor, _BLOCK_BYTES, offset) or _readable(descriptor, PAGE_BYTES, offset)
        if block is None:
            return offset  # the walk says so of this page, and goes on behind it
        for at in range(0, len(block), PAGE_BYTES):
            if looks_like_a_head(block[at : at + 16], epoch):
                return offset + at
        if not block:
            return end
        offset += len(block)
    return end
