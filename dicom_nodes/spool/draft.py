"""A data set on its way into the spool: written as it arrives, in constant memory, and kept only once it is whole.

What fits into one piece stays in memory until it is kept. Anything longer goes to the tail of a segment while the rest
still arrives, so that the sync at the end waits for little. What is given up leaves nothing behind.
"""

import mmap
import threading

from blake3 import blake3

from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.model.errors import OutOfResources
from dicom_nodes.spool.location import Place
from dicom_nodes.spool.record import PAGE_BYTES, RecordKind, whole_pages
from dicom_nodes.spool.ring import SegmentRing
from dicom_nodes.spool.segment import Segment

PIECE_BYTES = 1 << 18
"""What is written at a time; a data set that is shorter is written whole, with its head."""
_MOVED_BELOW_BYTES = 16 << 20
"""A data set that outgrows its segment moves to an empty one while it is shorter than this; otherwise the segment grows
with it."""
_COPIED_AT_ONCE_BYTES = 1 << 20
_ZEROS = bytes(PAGE_BYTES)


class PieceBuffers:
    """Buffers of one piece, used again: making one costs more than filling it."""

    def __init__(self) -> None:
        self._unused: list[mmap.mmap] = []
        self._lock = threading.Lock()

    def take(self) -> mmap.mmap:
        with self._lock:
            return self._unused.pop() if self._unused else mmap.mmap(-1, PIECE_BYTES)

    def give_back(self, buffer: mmap.mmap) -> None:
        with self._lock:
            self._unused.append(buffer)


class SpoolDraft:
    """Implements `model.instance.ReceivedDataSet`; used by one thread."""

    def __init__(self, ring: SegmentRing, buffers: PieceBuffers, head_bytes: int) -> None:
        """`head_bytes` is the room left for the record's head; whole pages."""
        self._ring, self._buffers, self._head_bytes = ring, buffers, head_bytes
        self._segment: Segment | None = None
        self._buffer: mmap.mmap | None = buffers.take()
        self._waiting = memoryview(self._buffer)
        self._waiting_bytes = self._written_bytes = 0
        self._hash = blake3()
        self._digest: bytes | None = None
        self._map: mmap.mmap | None = None

    @property
    def size_bytes(self) -> int:
        return self._written_bytes + self._waiting_bytes

    @property
    def digest(self) -> str:
        """BLAKE3 (hex) of the data set, which is complete with that."""
        return self._finished().hex()

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes.

        Raises:
            OutOfResources: the disk would not take them.
        """
        waiting = self._waiting_bytes
        total = waiting + len(fragment)
        if total < PIECE_BYTES:
            self._waiting[waiting:total] = fragment
            self._waiting_bytes = total
            return
        now = total - total % PAGE_BYTES - waiting
        self._spill([self._waiting[:waiting], fragment[:now]], waiting + now)
        self._waiting_bytes = total % PAGE_BYTES
        self._waiting[: self._waiting_bytes] = fragment[now:]

    def content(self) -> bytes | mmap.mmap:
        """The whole data set, complete with that, to be looked at until it is kept or given up.

        What is longer than a piece is a memory map: looking costs what is looked at.
        """
        self._finished()
        if self._segment is None:
            return bytes(self._waiting[: self._waiting_bytes])
        if self._map is None:
            self._map = self._segment.mapped(self._start, self.size_bytes)
        return self._map

    def keep(self, kind: RecordKind, meta: bytes) -> Place:
        """Make it a durable record; nothing more can be done with the draft.

        Raises:
            OutOfResources: the disk would not take it; nothing is left behind.
        """
        digest = self._finished()
        try:
            segment = self._segment = self._segment or self._ring.lease(self._head_bytes + PIECE_BYTES)
            rest = [self._waiting[: self._waiting_bytes]]
            offset = segment.complete(kind, self._head_bytes, meta, digest, self.size_bytes, rest)
        except OSError as error:
            raise OutOfResources(f"the spool cannot write: {error.strerror}") from None
        finally:
            self.discard()
        return Place(segment.life, offset)

    def discard(self) -> None:
        """Give up what is not kept; idempotent."""
        segment, self._segment, self._map = self._segment, None, None
        if segment is not None:
            self._ring.give_back(segment)
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            self._waiting = memoryview(b"")
            self._buffers.give_back(buffer)

    @property
    def _start(self) -> int:
        """Where the data set begins in its segment."""
        assert self._segment is not None
        return self._segment.tail + self._head_bytes

    def _finished(self) -> bytes:
        if self._digest is None:
            last = self._waiting[: self._waiting_bytes]
            if self._segment is not None and len(last):
                padding = _ZEROS[: whole_pages(len(last)) - len(last)]
                self._spill([last, padding] if padding else [last], len(last))
                self._waiting_bytes = 0
            else:
                self._hash.update(last)
            self._digest = self._hash.digest()
        return self._digest

    def _spill(self, pieces: list[Buffer], size_bytes: int) -> None:
        """Write pieces behind what is written; `size_bytes` of them are the data set's."""
        left = size_bytes
        for piece in pieces:
            self._hash.update(memoryview(piece)[:left])
            left -= min(left, len(piece))
        try:
            segment = self._with_room_for(size_bytes)
            segment.write(pieces, self._start + self._written_bytes, whole_pages(size_bytes))
        except OSError as error:
            raise OutOfResources(f"the spool cannot write: {error.strerror}") from None
        self._written_bytes += size_bytes

    def _with_room_for(self, size_bytes: int) -> Segment:
        """The segment to write to, which holds that much more: ours, another one, or ours made longer."""
        needed = self._head_bytes + self._written_bytes + whole_pages(size_bytes)
        segment = self._segment
        if segment is None:
            segment = self._segment = self._ring.lease(needed)
        elif segment.left_bytes < needed and self._written_bytes < _MOVED_BELOW_BYTES:
            segment = self._moved(segment, needed)
        self._ring.lengthen(segment, segment.tail + needed)
        return segment

    def _moved(self, full: Segment, needed_bytes: int) -> Segment:
        """Write what is written again, to a segment with more room."""
        segment = self._ring.lease(needed_bytes)
        at, source = 0, self._start
        try:
            while at < self._written_bytes:
                piece = full.read(source + at, min(_COPIED_AT_ONCE_BYTES, self._written_bytes - at))
                segment.write([piece], segment.tail + self._head_bytes + at, len(piece))
                at += len(piece)
        except OSError:
            self._ring.give_back(segment)
            raise
        self._segment = segment
        self._ring.give_back(full, is_full=True)
        return segment
