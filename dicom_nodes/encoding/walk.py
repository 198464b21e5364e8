"""Walk the structure of an encoded data set to its last byte, without decoding values.

A data set that ends early, or has bytes behind its end, is damaged and says where: what peers store as "ok".
Lengths are checked against the bytes at hand before anything is done with them (DICOM PS3.5 section 7).
"""

import io
import struct
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import NamedTuple, overload

from dicom_nodes.foundation.buffers import LET_GO_EVERY_BYTES, Buffer, let_go

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_DEFLATED = {DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}
"""Transfer syntaxes whose whole data set is a raw deflate stream (PS3.5 A.5, A.6, A.10)."""

Data = bytes | mmap
"""A whole data set: slices of either are bytes."""
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
TRAILING_PADDING = 0xFFFCFFFC
_LONG_FORM = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_SHORT_FORM = {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL"}
_SHORT_FORM |= {b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
_PLAIN_LONG_FORM = _LONG_FORM - {b"SQ", b"UN"}
_PLAIN = _SHORT_FORM | _PLAIN_LONG_FORM
"""VRs of which an element, unless it is of undefined length, holds a value and nothing else."""
_EXPLICIT_HEADER, _LENGTH = struct.Struct("<HH2sH"), struct.Struct("<I")
_DEEPEST = 64
_PIECE = 1 << 18
INFLATED_LIMIT_BYTES = 512 << 20
"""What a deflated data set may inflate to: one megabyte of zeros deflates to a thousandth of that."""


class DamagedDataSetError(ValueError):
    """The bytes do not form a data set; the message says what and at which offset, and quotes no value."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a data set's elements are laid out."""

    explicit: bool
    little: bool

    @property
    def byte_order(self) -> str:
        return "<" if self.little else ">"


class Element(NamedTuple):
    """Where an element's value lies: `data[start:end]`; `vr` is None in implicit VR. Delimiters are not included."""

    tag: int
    vr: bytes | None
    start: int
    end: int
    undefined_length: bool


def layout_of(transfer_syntax_uid: str) -> Layout:
    """The layout that a transfer syntax prescribes; every encapsulated one is explicit little endian (PS3.5 A.4)."""
    return Layout(
        explicit=transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN,
        little=transfer_syntax_uid != EXPLICIT_VR_BIG_ENDIAN,
    )


def is_deflated(transfer_syntax_uid: str) -> bool:
    """Whether a data set in this transfer syntax is a deflate stream."""
    return transfer_syntax_uid in _DEFLATED


def as_data(data_set: Buffer) -> Data:
    """A buffer as what is walked here: the memory map behind a view of a whole one, otherwise bytes."""
    if isinstance(data_set, memoryview) and isinstance(data_set.obj, mmap) and len(data_set.obj) == len(data_set):
        return data_set.obj
    return data_set if isinstance(data_set, bytes) else bytes(data_set)


@overload
def plain_data_set(data_set: bytes, transfer_syntax_uid: str, limit_bytes: int = INFLATED_LIMIT_BYTES) -> bytes: ...


@overload
def plain_data_set(data_set: Data, transfer_syntax_uid: str, limit_bytes: int = INFLATED_LIMIT_BYTES) -> Data: ...


def plain_data_set(data_set: Data, transfer_syntax_uid: str, limit_bytes: int = INFLATED_LIMIT_BYTES) -> Data:
    """The data set's bytes as elements: inflated where the transfer syntax deflates, otherwise the same object.

    Some toolkits leave gzip's own trailer behind the stream; it is accepted when its checksum is right.

    Raises:
        DamagedDataSetError: the deflate stream is broken, ends early, is followed by other bytes, or inflates to more
            than `limit_bytes`, of which no more is held in memory than that.
    """
    if not is_deflated(transfer_syntax_uid):
        return data_set
    plain, rest = _inflate(data_set, limit_bytes)
    gzip_trailer = struct.pack("<II", zlib.crc32(plain), len(plain) & UNDEFINED)
    if rest not in {b"", b"\0", gzip_trailer}:
        raise DamagedDataSetError(f"{len(rest)} bytes follow the end of the deflate stream")
    return plain


def _inflate(data_set: Data, limit_bytes: int) -> tuple[bytes, bytes]:
    """What a raw deflate stream inflates to, in small pieces until it is too much, and the bytes behind its end."""
    inflater, plain, taken = zlib.decompressobj(-zlib.MAX_WBITS), io.BytesIO(), _PIECE
    waiting = data_set[:_PIECE]
    while True:
        try:
            piece = inflater.decompress(waiting, _PIECE)
        except zlib.error:
            raise DamagedDataSetError("the deflate stream is broken") from None
        if plain.tell() + len(piece) > limit_bytes:
            raise DamagedDataSetError(f"the deflate stream inflates to more than {limit_bytes} bytes")
        plain.write(piece)
        if inflater.eof:
            break
        waiting = inflater.unconsumed_tail
        if not waiting:
            waiting, taken = data_set[taken : taken + _PIECE], taken + _PIECE
        if not (piece or waiting):
            raise DamagedDataSetError("the deflate stream ends early")
    return plain.getvalue(), inflater.unused_data + data_set[taken:]


def walk(data: Data, layout: Layout, wanted: Container[int] | None = None) -> Iterator[Element]:
    """Yield the top-level elements of a data set in order, having checked each one's inner structure.

    Only those whose tag is in `wanted` are yielded where that is given; all are checked.

    Raises:
        DamagedDataSetError: truncated, not ascending, or not a data set; raised when the walk gets there.
    """
    position, last_tag, end = 0, 0x0007FFFF, len(data)
    read_header, read_length = _EXPLICIT_HEADER.unpack_from, _LENGTH.unpack_from
    is_usual = layout.explicit and layout.little
    while position < end:
        at, position, element = position, end + 1, None
        if is_usual and at + 12 <= end:  # a plain value is read here, for speed; `_element` reads everything
            group, number, vr, length = read_header(data, at)
            tag, start = group << 16 | number, at + 8
            if vr in _PLAIN_LONG_FORM:
                (length,) = read_length(data, start)
                start += 4
            if vr in _PLAIN and length != UNDEFINED:
                position = start + length
        if position > end:
            element, position = _element(data, at, end, layout, 0)
            tag = element.tag
        if tag <= last_tag:
            raise DamagedDataSetError(
                f"element ({tag >> 16:04X},{tag & 0xFFFF:04X}) is out of order, at byte {at} of {end}"
            )
        last_tag = tag
        if wanted is None or tag in wanted:
            yield element or Element(tag, vr, start, position, False)


def items(data: Data, sequence: Element, layout: Layout) -> Iterator[list[Element]]:
    """Yield each item of a sequence element as the list of its elements."""
    inner = _layout_inside(sequence.vr, sequence.undefined_length, layout)
    position = sequence.start
    while position < sequence.end:
        _, length, start = _item_header(data, position, sequence.end, inner)
        item: list[Element] = []
        position = start
        end = sequence.end if length == UNDEFINED else start + length
        while position < end:
            if length == UNDEFINED and _tag(data, position, inner) == ITEM_END:
                position += 8
                break
            element, position = _element(data, position, end, inner, 1)
            item.append(element)
        yield item


def _layout_inside(vr: bytes | None, undefined: bool, layout: Layout) -> Layout:
    """A UN element of undefined length holds a sequence in implicit VR little endian (PS3.5 6.2.2 note 4)."""
    return Layout(explicit=False, little=True) if vr == b"UN" and undefined else layout


def _element(data: Data, position: int, limit: int, layout: Layout, depth: int) -> tuple[Element, int]:
    """Read one element at `position`; return it and the position behind it."""
    tag, vr, length, start = _header(data, position, limit, layout)
    if length != UNDEFINED:
        if start + length > limit:
            raise DamagedDataSetError(
                f"element ({tag >> 16:04X},{tag & 0xFFFF:04X}) announces {length} bytes, {limit - start} are there"
            )
        if vr == b"SQ":
            _sequence_end(data, start, start + length, layout, depth + 1, delimited=False)
        return Element(tag, vr, start, start + length, False), start + length
    if vr not in {None, b"SQ", b"UN", b"OB", b"OW"}:
        raise DamagedDataSetError(f"element ({tag >> 16:04X},{tag & 0xFFFF:04X}) may not have undefined length")
    end = _sequence_end(
        data, start, limit, _layout_inside(vr, True, layout), depth + 1, delimited=True, fragments=vr in {b"OB", b"OW"}
    )
    return Element(tag, vr, start, end - 8, True), end


def _sequence_end(
    data: Data, position: int, limit: int, layout: Layout, depth: int, *, delimited: bool, fragments: bool = False
) -> int:
    """Check the items from `position` on; return the position behind the sequence."""
    if depth > _DEEPEST:
        raise DamagedDataSetError(f"sequences are nested deeper than {_DEEPEST}")
    let_go_at = position + LET_GO_EVERY_BYTES
    while True:
        if position > let_go_at:
            let_go(data)
            let_go_at = position + LET_GO_EVERY_BYTES
        if not delimited and position == limit:
            return position
        tag, length, position = _item_header(data, position, limit, layout)
        if tag == SEQUENCE_END:
            if not delimited:
                raise DamagedDataSetError(f"a sequence delimiter stands where none belongs, at byte {position - 8}")
            return position
        if length != UNDEFINED:
            if position + length > limit:
                raise DamagedDataSetError(f"an item announces {length} bytes, {limit - position} are there")
            if not fragments:
                _elements_end(data, position, position + length, layout, depth, delimited=False)
            position += length
        elif fragments:
            raise DamagedDataSetError(f"a pixel data fragment has undefined length, at byte {position - 8}")
        else:
            position = _elements_end(data, position, limit, layout, depth, delimited=True)


def _elements_end(data: Data, position: int, limit: int, layout: Layout, depth: int, *, delimited: bool) -> int:
    """Check an item's elements; return the position behind the item."""
    while delimited or position < limit:
        if delimited and position + 8 <= limit and _tag(data, position, layout) == ITEM_END:
            return position + 8
        _, position = _element(data, position, limit, layout, depth)
    return position


def _header(data: Data, position: int, limit: int, layout: Layout) -> tuple[int, bytes | None, int, int]:
    if position + 8 > limit:
        raise DamagedDataSetError(f"ends inside an element's header, at byte {position} of {len(data)}")
    tag = _tag(data, position, layout)
    if not layout.explicit:
        return tag, None, _number(data, position + 4, layout), position + 8
    vr = data[position + 4 : position + 6]
    if vr in _SHORT_FORM:
        return tag, vr, struct.unpack_from(layout.byte_order + "H", data, position + 6)[0], position + 8
    if vr not in _LONG_FORM and not (vr.isalpha() and vr.isupper() and vr.isascii()):
        raise DamagedDataSetError(
            f"element ({tag >> 16:04X},{tag & 0xFFFF:04X}) at byte {position} has no value representation"
        )
    if position + 12 > limit:
        raise DamagedDataSetError(f"ends inside an element's header, at byte {position} of {len(data)}")
    return tag, vr, _number(data, position + 8, layout), position + 12


def _item_header(data: Data, position: int, limit: int, layout: Layout) -> tuple[int, int, int]:
    if position + 8 > limit:
        raise DamagedDataSetError(f"a sequence ends early, at byte {position} of {len(data)}")
    tag = _tag(data, position, layout)
    if tag not in {ITEM, SEQUENCE_END}:
        raise DamagedDataSetError(f"neither an item nor a delimiter where one belongs, at byte {position}")
    return tag, _number(data, position + 4, layout), position + 8


def _tag(data: Data, position: int, layout: Layout) -> int:
    group, element = struct.unpack_from(layout.byte_order + "HH", data, position)
    return int(group << 16 | element)


def _number(data: Data, position: int, layout: Layout) -> int:
    return int(struct.unpack_from(layout.byte_order + "I", data, position)[0])
