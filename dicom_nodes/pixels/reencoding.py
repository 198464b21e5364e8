"""Writes a data set's elements in another layout, value by value as bytes: nothing is decoded, so nothing is guessed.

Texts keep their bytes and so their character set. What cannot be carried over for certain is refused.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from pydicom.datadict import dictionary_VR

from dicom_nodes.encoding.walk import SEQUENCE_END, UNDEFINED, Element, Layout, items, walk

Changes = Mapping[int, "tuple[bytes, bytes] | None"]
"""Tag → (VR, little endian value) to write instead, or None to leave it out; top level only."""

_ITEM = struct.Struct("<HHI")
_LONG_FORM = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_LONGEST_SHORT = 0xFFFE
_SWAPPED = {b"US": 2, b"SS": 2, b"OW": 2, b"AT": 2, b"UL": 4, b"SL": 4, b"FL": 4, b"OF": 4, b"OL": 4}
_SWAPPED |= {b"FD": 8, b"OD": 8, b"SV": 8, b"UV": 8, b"OV": 8}
_PIXEL_DATA, _BITS_ALLOCATED, _PIXEL_REPRESENTATION = 0x7FE00010, 0x00280100, 0x00280103
_WORD_BITS = 16
_WAVEFORM_DATA, _WAVEFORM_BITS = 0x54001010, 0x54001004


class CannotConvertError(Exception):
    """Why there is no such data set, in words that quote no value."""


def reencoded(data: bytes, source: Layout, target: Layout, changes: Changes | None = None) -> bytes:
    """The data set in `target` (little endian); sequences get defined lengths.

    Raises:
        CannotConvertError: an element cannot be carried over for certain.
        DamagedDataSetError: `data` is no data set.
    """
    return b"".join(_Writer(data, source, target).elements(walk(data, source), changes or {}))


class _Writer:
    def __init__(self, data: bytes, source: Layout, target: Layout) -> None:
        self._data, self._source, self._target = data, source, target

    def elements(self, elements: Iterator[Element] | Sequence[Element], changes: Changes) -> list[bytes]:
        """Their encodings in order, with the changes in their places."""
        known = list(elements)
        numbers = _numbers(self._data, known, self._source)
        by_tag: dict[int, Element | None] = {element.tag: element for element in known}
        by_tag |= dict.fromkeys(changes)
        parts: list[bytes] = []
        for tag in sorted(by_tag):
            element = by_tag[tag]
            if tag in changes:
                change = changes[tag]
                if change is not None:
                    parts += self._encoded(tag, change[0], change[1])
            elif element is not None:
                parts += self._element(element, numbers)
        return parts

    def _element(self, element: Element, numbers: dict[int, int]) -> list[bytes]:
        vr = element.vr or _vr_of(element.tag, numbers)
        if vr == b"SQ":
            return self._sequence(element, numbers)
        value = self._data[element.start : element.end]
        if element.undefined_length:
            if vr != b"UN":
                raise CannotConvertError(f"element {_name(element.tag)} is compressed inside")
            return [self._header(element.tag, vr, UNDEFINED), value, _ITEM.pack(SEQUENCE_END >> 16, 0xE0DD, 0)]
        if not self._source.little:
            value = _swapped(element.tag, vr, value, numbers)
        return self._encoded(element.tag, vr, value)

    def _sequence(self, element: Element, outer: dict[int, int]) -> list[bytes]:
        parts: list[bytes] = []
        for item in items(self._data, element, self._source):
            content = b"".join(self._item(item, outer))
            parts += _ITEM.pack(0xFFFE, 0xE000, len(content)), content
        return [self._header(element.tag, b"SQ", sum(map(len, parts))), *parts]

    def _item(self, item: Sequence[Element], outer: dict[int, int]) -> list[bytes]:
        numbers = outer | _numbers(self._data, item, self._source)
        return [part for element in item for part in self._element(element, numbers)]

    def _encoded(self, tag: int, vr: bytes, value: bytes) -> list[bytes]:
        if self._target.explicit and vr not in _LONG_FORM and len(value) > _LONGEST_SHORT:
            vr = b"UN"  # PS3.5 6.2.2
        return [self._header(tag, vr, len(value)), value]

    def _header(self, tag: int, vr: bytes, length: int) -> bytes:
        group, element = tag >> 16, tag & 0xFFFF
        if not self._target.explicit:
            return struct.pack("<HHI", group, element, length)
        if vr in _LONG_FORM:
            return struct.pack("<HH2sHI", group, element, vr, 0, length)
        return struct.pack("<HH2sH", group, element, vr, length)


def _numbers(data: bytes, elements: Sequence[Element], layout: Layout) -> dict[int, int]:
    """The values on which the meaning of other elements depends."""
    wanted = {_BITS_ALLOCATED, _PIXEL_REPRESENTATION, _WAVEFORM_BITS}
    order = "little" if layout.little else "big"
    return {
        element.tag: int.from_bytes(data[element.start : element.end], order)  # type: ignore[arg-type]
        for element in elements
        if element.tag in wanted and element.end - element.start == 2
    }


def _vr_of(tag: int, numbers: dict[int, int]) -> bytes:
    """The VR of an element of implicit VR (DICOM PS3.6, PS3.5 annex A.1); UN where it is not known."""
    group, number = tag >> 16, tag & 0xFFFF
    if number == 0:
        return b"UL"
    if group % 2:
        return b"LO" if 0x10 <= number <= 0xFF else b"UN"
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return b"UN"
    if vr == "US or SS":
        return b"SS" if numbers.get(_PIXEL_REPRESENTATION) == 1 else b"US"
    if tag == _WAVEFORM_DATA:
        return b"OB" if numbers.get(_WAVEFORM_BITS) == 8 else b"OW"
    return b"OW" if " or " in vr else vr.encode("ascii")


def _swapped(tag: int, vr: bytes, value: bytes, numbers: dict[int, int]) -> bytes:
    """A big endian value in little endian."""
    if vr == b"UN" and value:
        raise CannotConvertError(f"element {_name(tag)} is big endian and of unknown kind")
    if tag == _PIXEL_DATA and vr == b"OW" and numbers.get(_BITS_ALLOCATED, _WORD_BITS) > _WORD_BITS:
        raise CannotConvertError("big endian pixels of more than 16 bits are not written alike by everybody")
    width = _SWAPPED.get(vr, 1)
    if width == 1:
        return value
    if len(value) % width:
        raise CannotConvertError(f"element {_name(tag)} does not hold whole numbers")
    return np.frombuffer(value, dtype=f">u{width}").astype(f"<u{width}").tobytes()


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
