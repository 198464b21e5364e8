"""The segments of a spool: who may write to which, which are free to be used again, and descriptors to read them by.

A segment is written to by one user at a time; the same few are used again and again until they are full. Several
processes may share the folder: a segment that is open for writing is locked (flock), and a free one is claimed so.
A segment that grew beyond its size is removed rather than used again, so a memory map of a large object stays whole.
"""

import errno
import fcntl
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.model.errors import CrashConsistency
from dicom_nodes.spool.disk import Disk
from dicom_nodes.spool.location import SegmentLife
from dicom_nodes.spool.record import (
    PAGE_BYTES,
    SegmentHeader,
    SegmentState,
    decode_segment_header,
    epoch_claimed,
)
from dicom_nodes.spool.segment import Segment

_FULL_BELOW_BYTES = 1 << 20
"""A segment with less room than this is full; whatever is kept without having been spilled fits into more."""
_OPEN_FOR_READING = 256
_READ_TOGETHER = 16
"""Thousands of headers are read at a start, each from another place of the disk."""


@dataclass(frozen=True, slots=True)
class FullSegment:
    """A segment of this process that takes no more; `offsets` is where the records of its life begin."""

    life: SegmentLife
    offsets: frozenset[int]


class SegmentRing:
    """All segments in a folder; safe for several threads."""

    def __init__(self, folder: Path, segment_bytes: int, disk: Disk, reserve_bytes: int = 0) -> None:
        """`segment_bytes` is what a new segment takes, whole pages; none is made or lengthened where that would leave
        less than `reserve_bytes` of the disk free.
        """
        self._folder, self._segment_bytes, self._disk = folder, segment_bytes, disk
        self._reserve_bytes = reserve_bytes
        self._lock = threading.Lock()
        self._open: list[Segment] = []
        self._full: list[FullSegment] = []
        self._free: list[int] = []
        self._highest = 0
        self._readers: OrderedDict[int, int] = OrderedDict()
        folder.mkdir(parents=True, exist_ok=True)
        for place in (folder.parent, folder.parent.parent):
            disk.sync_folder(place)

    def open(self) -> tuple[list[SegmentLife], list[str]]:
        """Look at every segment once: (the lives that may hold objects, names of damaged headers); the rest is free.

        Where a header cannot be read the first record tells whose life it is; where that cannot either, the segment is
        left alone, and objects in it are still found by location.
        """
        lives: list[SegmentLife] = []
        damaged: list[str] = []
        files = sorted(self._folder.glob("*.seg"))
        with ThreadPoolExecutor(_READ_TOGETHER) as readers:
            pages = list(readers.map(_first_page, files))
        for file, page in zip(files, pages, strict=True):
            self._highest = int(file.stem, 16)
            header = decode_segment_header(page)
            if header is not None and header.state is SegmentState.LIVE:
                lives.append(SegmentLife(header.number, header.epoch))
            elif header is not None or not any(page):
                self._free.append(int(file.stem, 16))
            else:
                event_log().error("spool.segment_header_damaged", segment=file.stem)
                damaged.append(file.stem)
                epoch = _epoch_of_first_record(file)
                if epoch is not None:
                    lives.append(SegmentLife(int(file.stem, 16), epoch))
        return lives, damaged

    # -- writing ---------------------------------------------------------------------------------------------------
    def lease(self, room_bytes: int) -> Segment:
        """A segment for the caller alone until it is given back: one with that much room, or an empty one.

        Raises:
            OSError: there is none, and none can be made.
        """
        with self._lock:
            for at in reversed(range(len(self._open))):
                if self._open[at].left_bytes >= room_bytes:
                    return self._open.pop(at)
        return self._another(room_bytes)

    def _another(self, _room_bytes: int) -> Segment:
        """An empty segment: one that is free, or a new one."""
        with self._lock:
            while self._free:
                segment = self._claimed(self._free.pop())
                if segment is not None:
                    return segment
        self._require_room(self._segment_bytes)
        return self._new()

    def lengthen(self, segment: Segment, end: int) -> None:
        """Have a leased segment reach to `end`; raises OSError."""
        if end > segment.capacity_bytes:
            self._require_room(end - segment.capacity_bytes)
            segment.reserve(end)

    def _require_room(self, size_bytes: int) -> None:
        if self._reserve_bytes and self._disk.free_bytes(self._folder) - size_bytes < self._reserve_bytes:
            raise OSError(errno.ENOSPC, "disk reserve reached")

    def give_back(self, segment: Segment, *, is_full: bool = False) -> None:
        """The caller is done with it, for now; or for this life, where it is full."""
        if segment.capacity_bytes > self._segment_bytes >= segment.tail:
            with suppress(OSError):
                segment.shrink(self._segment_bytes)
        with self._lock:
            if is_full or segment.is_condemned or segment.left_bytes < _FULL_BELOW_BYTES:
                self._seal(segment)
            else:
                self._open.append(segment)

    def resume(
        self,
        life: SegmentLife,
        tail: int,
        sequence: int,
        offsets: frozenset[int],
        *,
        may_be_written: bool,
        may_be_vouched_for: bool,
    ) -> None:
        """Write on behind what a walk found in it, where it may be written to; otherwise it is full."""
        segment = self._opened(life.number)
        if segment is None:
            return
        segment.resume(life.epoch, tail, sequence, offsets, may_be_vouched_for=may_be_vouched_for)
        self.give_back(segment, is_full=not may_be_written)

    def full(self) -> list[FullSegment]:
        """Segments that became full since the last call."""
        with self._lock:
            full, self._full = self._full, []
        return full

    def release(self, life: SegmentLife) -> bool:
        """Use the segment again: nothing of this life is wanted any more, and nothing leads to it.

        Returns:
            Whether it was this life's to release: a segment that is written to, free or used again stays as it is.

        Raises:
            OSError: the disk would not take the mark; the segment stays as it is.
        """
        segment = self._opened(life.number)
        if segment is None:
            return False
        try:
            if not segment.lives(life):
                return False
            if segment.capacity_bytes > self._segment_bytes:
                self.reopen(life.number)
                self._disk.remove(segment.file)
                return True
            segment.end_life(life)
        finally:
            segment.close()
        with self._lock:
            self._free.append(life.number)
        return True

    def is_there(self, number: int) -> bool:
        """Whether it has a file; raises OSError where that cannot be said."""
        return self._file(number).exists()

    def is_current(self, life: SegmentLife) -> bool:
        """Whether the segment still is in this life, as its file says now."""
        try:
            with self._file(life.number).open("rb") as stream:
                header = decode_segment_header(stream.read(PAGE_BYTES))
        except OSError:
            return False
        return header == SegmentHeader(life.number, life.epoch, SegmentState.LIVE)

    @property
    def segment_bytes(self) -> int:
        """What a segment reserves."""
        return self._segment_bytes

    @property
    def reusable_bytes(self) -> int:
        """How much can be written without taking more of the disk."""
        with self._lock:
            return len(self._free) * self._segment_bytes + sum(segment.left_bytes for segment in self._open)

    def close(self) -> None:
        """Let go of every file."""
        with self._lock:
            for segment in self._open:
                segment.close()
            for descriptor in self._readers.values():
                os.close(descriptor)
            self._open.clear()
            self._readers.clear()

    def _seal(self, segment: Segment) -> None:
        if segment.may_be_vouched_for:
            self._full.append(FullSegment(segment.life, frozenset(segment.offsets)))
        segment.close()

    def _claimed(self, number: int) -> Segment | None:
        """Begin a new life of a free segment; None when it is not to be had, or will not be written to."""
        try:
            segment = self._opened(number)
        except OSError:
            segment = None
        if segment is None:
            return None
        try:
            segment.begin_life()
        except OSError as error:
            event_log().error("spool.segment_refused", segment=f"{number:08x}", exc_info=error)
            segment.close()
            return None
        return segment

    def _opened(self, number: int) -> Segment | None:
        """The segment, locked; None when another process writes to it or it is gone."""
        try:
            descriptor = os.open(self._file(number), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        size = os.fstat(descriptor).st_size
        return Segment(self._disk, self._file(number), descriptor, number, max(size, self._segment_bytes))

    def _new(self) -> Segment:
        while True:
            with self._lock:
                self._highest += 1
                number = self._highest
            try:
                descriptor = self._disk.create(self._file(number), self._segment_bytes)
                break
            except FileExistsError:
                continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        segment = Segment(self._disk, self._file(number), descriptor, number, self._segment_bytes)
        try:
            segment.begin_life()
        except OSError:
            segment.close()
            raise
        return segment

    # -- reading ---------------------------------------------------------------------------------------------------
    @contextmanager
    def reading(self, number: int) -> Iterator[int]:
        """A descriptor of the segment to read by.

        Raises:
            CrashConsistency: there is no such segment.
        """
        descriptor = self._reader(number)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _reader(self, number: int) -> int:
        """A descriptor of the caller's own, from one that is kept open."""
        with self._lock:
            kept = self._readers.get(number)
            if kept is None:
                kept = self._readers[number] = self._open_to_read(number)
                if len(self._readers) > _OPEN_FOR_READING:
                    os.close(self._readers.popitem(last=False)[1])
            else:
                self._readers.move_to_end(number)
            return os.dup(kept)

    def _open_to_read(self, number: int) -> int:
        try:
            return os.open(self._file(number), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise CrashConsistency(f"spool segment {number:08x}: {error.strerror}") from None

    def sync(self, descriptor: int) -> None:
        """Have what can be read by it durable; raises OSError."""
        self._disk.sync(descriptor)

    def reopen(self, number: int) -> None:
        """Read it by a new descriptor from now on: its file may be another than before."""
        with self._lock, suppress(KeyError):
            os.close(self._readers.pop(number))

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:08x}.seg"


def _first_page(file: Path) -> bytes:
    """The header's page; something that is none where the disk will not give it."""
    try:
        with file.open("rb") as stream:
            return stream.read(PAGE_BYTES)
    except OSError:
        return b"?"


def _epoch_of_first_record(file: Path) -> int | None:
    try:
        with file.open("rb") as stream:
            stream.seek(PAGE_BYTES)
            return epoch_claimed(stream.read(PAGE_BYTES))
    except OSError:
        return None
