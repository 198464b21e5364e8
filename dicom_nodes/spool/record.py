"""The bytes of a segment: its own header page, and the head before each object (ADR 049).

    segment   | header page | record | record | … what an earlier life left behind
    record    | head: fixed fields, zeros, Part 10 file meta | data set as received | zeros up to the next page |

Everything begins on a page of 4,096 bytes, so that overwriting a recycled segment never reads what was there. The file
meta stands at the end of the head: it and the data set together are an ordinary DICOM Part 10 object (PS3.10 section 7)
that a range read of the segment returns. A head belongs to one life of one segment by its epoch, which is random for
each life and covered by the head's checksum: what an earlier life left behind is never taken for a live record, nor is
anything a data set may contain.
"""

import secrets
import struct
from dataclasses import dataclass
from enum import IntEnum

from blake3 import blake3

PAGE_BYTES = 4096
_SEGMENT_MAGIC, _RECORD_MAGIC = b"RXSEGM01", b"RXRECD01"
_CHECK_BYTES = 16
_SEGMENT = struct.Struct("<8sQQB7x")
"""Magic, segment number, epoch, state."""
_RECORD = struct.Struct("<8sQIBxHIQ32s")
"""Magic, epoch, sequence number in this life, kind, pages of the head, bytes of the file meta, bytes of the data set,
digest of the data set."""
_FIXED_BYTES = _RECORD.size + _CHECK_BYTES


class SegmentState(IntEnum):
    """What a segment's header says of its life."""

    LIVE = 1
    FREE = 2


class RecordKind(IntEnum):
    """What an object was kept as."""

    INSTANCE = 1
    QUARANTINED = 2


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """The first page of a segment."""

    number: int
    epoch: int
    state: SegmentState


@dataclass(frozen=True, slots=True)
class RecordHead:
    """What precedes a data set; `meta` is its Part 10 file meta with preamble."""

    epoch: int
    sequence: int
    kind: RecordKind
    head_bytes: int
    data_bytes: int
    digest: bytes
    meta: bytes

    @property
    def record_bytes(self) -> int:
        """From this record's first byte to the next record's."""
        return self.head_bytes + whole_pages(self.data_bytes)


def whole_pages(size_bytes: int) -> int:
    """The size rounded up to pages."""
    return -(-size_bytes // PAGE_BYTES) * PAGE_BYTES


def head_room(meta_bytes: int) -> int:
    """How long the head of a record with that much file meta is; in whole pages."""
    return whole_pages(_FIXED_BYTES + meta_bytes)


def new_epoch() -> int:
    """A number that no other life of any segment has: 63 random bits, never 0."""
    return secrets.randbits(63) or 1


def encode_segment_header(header: SegmentHeader) -> bytes:
    """The header page."""
    fixed = _SEGMENT.pack(_SEGMENT_MAGIC, header.number, header.epoch, header.state)
    return (fixed + _check(fixed)).ljust(PAGE_BYTES, b"\0")


def decode_segment_header(page: bytes) -> SegmentHeader | None:
    """The header, or None when the page holds none that is sound."""
    if len(page) < _SEGMENT.size + _CHECK_BYTES:
        return None
    fixed = page[: _SEGMENT.size]
    magic, number, epoch, state = _SEGMENT.unpack(fixed)
    if magic != _SEGMENT_MAGIC or page[_SEGMENT.size : _SEGMENT.size + _CHECK_BYTES] != _check(fixed):
        return None
    return SegmentHeader(number, epoch, SegmentState(state))


def encode_record_head(head: RecordHead) -> bytes:
    """The head's pages.

    Raises:
        ValueError: the file meta does not fit into `head_bytes`.
    """
    if head_room(len(head.meta)) > head.head_bytes:
        raise ValueError(f"{len(head.meta)} bytes of file meta do not fit into a head of {head.head_bytes}")
    fixed = _RECORD.pack(
        _RECORD_MAGIC,
        head.epoch,
        head.sequence,
        head.kind,
        head.head_bytes // PAGE_BYTES,
        len(head.meta),
        head.data_bytes,
        head.digest,
    )
    start = fixed + _check(fixed + head.meta)
    return start + bytes(head.head_bytes - len(start) - len(head.meta)) + head.meta


def looks_like_a_head(page: bytes, epoch: int) -> bool:
    """Whether a page claims to begin a record of this life, sound or not."""
    return page[:8] == _RECORD_MAGIC and page[8:16] == struct.pack("<Q", epoch)


def epoch_claimed(page: bytes) -> int | None:
    """The epoch of the record that begins on this page and has a sound head of one page; None where none does."""
    if len(page) < PAGE_BYTES or page[:8] != _RECORD_MAGIC:
        return None
    epoch = int.from_bytes(page[8:16], "little")
    return epoch if decode_record_head(page, epoch) is not None else None


def head_bytes_of(page: bytes) -> int:
    """How long the head that begins on this page says it is; ask only what `looks_like_a_head`."""
    return int(_RECORD.unpack_from(page)[4]) * PAGE_BYTES


def decode_record_head(pages: bytes, epoch: int) -> RecordHead | None:
    """The head at the beginning of `pages` (which hold all of it), or None when it is not a sound one of this life."""
    if len(pages) < PAGE_BYTES or not looks_like_a_head(pages, epoch):
        return None
    fixed = pages[: _RECORD.size]
    _, _, sequence, kind, head_pages, meta_bytes, data_bytes, digest = _RECORD.unpack(fixed)
    head_bytes = head_pages * PAGE_BYTES
    if not _FIXED_BYTES + meta_bytes <= head_bytes <= len(pages):
        return None
    meta = pages[head_bytes - meta_bytes : head_bytes]
    if pages[_RECORD.size : _FIXED_BYTES] != _check(fixed + meta):
        return None
    return RecordHead(epoch, sequence, RecordKind(kind), head_bytes, data_bytes, digest, meta)


def _check(content: bytes) -> bytes:
    return blake3(content).digest(_CHECK_BYTES)
