"""Read one record of a segment, and only what was kept: its head is of this life, its data what the digest says."""

import mmap
import os
from collections.abc import Callable, Iterator

from blake3 import blake3

from dicom_nodes.encoding.walk import Data
from dicom_nodes.foundation.buffers import FileMap
from dicom_nodes.model.errors import CrashConsistency
from dicom_nodes.spool.location import Place
from dicom_nodes.spool.record import PAGE_BYTES, RecordHead, decode_record_head, head_bytes_of, looks_like_a_head

_READ_AT_ONCE_BYTES = 1 << 20


def head_at(descriptor: int, place: Place) -> RecordHead:
    """The head of the record there; raises CrashConsistency where this life has none."""
    page = os.pread(descriptor, PAGE_BYTES, place.offset)
    if looks_like_a_head(page, place.life.epoch):
        size = head_bytes_of(page)
        pages = page if size <= PAGE_BYTES else os.pread(descriptor, size, place.offset)
        head = decode_record_head(pages, place.life.epoch)
        if head is not None:
            return head
    raise CrashConsistency(f"spool object {place.location}: is not there any more")


def sound_data(descriptor: int, place: Place, head: RecordHead, mapped_from: int) -> Data:
    """The data set; what is as long as `mapped_from` is checked piece by piece, then mapped: never whole in memory.

    Raises:
        CrashConsistency: it is not what was kept.
    """
    start = place.offset + head.head_bytes
    if head.data_bytes >= mapped_from:
        check_data(descriptor, place, head)
        return FileMap(descriptor, head.data_bytes, prot=mmap.PROT_READ, offset=start)
    data_set = os.pread(descriptor, head.data_bytes, start)
    if blake3(data_set).digest() != head.digest:
        raise _not_what_was_kept(place)
    return data_set


def pieces_of(descriptor: int, place: Place, head: RecordHead) -> Iterator[bytes]:
    """The data set in pieces of a megabyte; it ends early where the segment does."""
    at, end = place.offset + head.head_bytes, place.offset + head.head_bytes + head.data_bytes
    while at < end and (piece := os.pread(descriptor, min(_READ_AT_ONCE_BYTES, end - at), at)):
        yield piece
        at += len(piece)


def check_data(
    descriptor: int, place: Place, head: RecordHead, after_piece: Callable[[int], None] = lambda _size_bytes: None
) -> None:
    """Compare the data set with its digest in constant memory; `after_piece` is told what was read.

    Raises:
        CrashConsistency: it is not what was kept.
    """
    hasher = blake3()
    for piece in pieces_of(descriptor, place, head):
        hasher.update(piece)
        after_piece(len(piece))
    if hasher.digest() != head.digest:
        raise _not_what_was_kept(place)


def _not_what_was_kept(place: Place) -> CrashConsistency:
    return CrashConsistency(f"spool object {place.location}: its content is not what was kept")
