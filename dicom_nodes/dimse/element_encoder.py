"""Writes the elements of answers; what is the same in every answer of a query is worked out once.

A million answers are a million times the same dozen elements: their tags, order and headers are kept per list of
keywords.
"""

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import groupby

from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicom_nodes.encoding.walk import ITEM, Layout, layout_of

BINARY = {"US": "H", "UL": "I", "SS": "h", "SL": "i", "FL": "f", "FD": "d"}
_LONG_FORM = {"UC", "UR", "UT", "SQ"}

Encode = Callable[[Mapping[str, str]], bytes]
"""Takes an answer's texts and writes one element."""


@lru_cache(maxsize=256)
def element_encoders(keywords: tuple[str, ...], transfer_syntax_uid: str) -> tuple[Encode, ...]:
    """An encoder for each element, in the order of tags; `Sequence.Keyword` goes into the sequence's only item.

    Keywords that are not DICOM's are left out.
    """
    return _encoders([(keyword, keyword) for keyword in keywords], layout_of(transfer_syntax_uid))


def encoded_element(tag: int, text: str, layout: Layout) -> bytes:
    """One element with its header; `text` holds several values joined by backslashes."""
    return _value_encoder(tag, "value", layout)({"value": text})


def _encoders(keywords: list[tuple[str, str]], layout: Layout) -> tuple[Encode, ...]:
    """Of (keyword relative to this item, name among the texts) pairs."""
    tagged = [(tag_for_keyword(keyword.partition(".")[0]), keyword, name) for keyword, name in keywords]
    known = sorted((tag, keyword, name) for tag, keyword, name in tagged if tag is not None)
    made: list[Encode] = []
    for tag, group in groupby(known, key=lambda entry: entry[0]):
        members = list(group)
        if "." in members[0][1]:
            inner = [(keyword.partition(".")[2], name) for _, keyword, name in members]
            made.append(_sequence_encoder(tag, [name for _, name in inner], _encoders(inner, layout), layout))
        else:
            made.append(_value_encoder(tag, members[0][2], layout))
    return tuple(made)


def _value_encoder(tag: int, name: str, layout: Layout) -> Encode:
    vr = dictionary_VR(tag)
    start, length = _header(tag, vr, layout)
    padding = b"\0" if vr == "UI" else b" "
    if vr in BINARY:
        number = struct.Struct(layout.byte_order + BINARY[vr])

        def encode_numbers(texts: Mapping[str, str]) -> bytes:
            value = b"".join(number.pack(int(part)) for part in texts[name].split("\\") if part)
            return start + length.pack(len(value)) + value

        return encode_numbers

    def encode_text(texts: Mapping[str, str]) -> bytes:
        value = texts[name].encode()
        if len(value) & 1:
            value += padding
        return start + length.pack(len(value)) + value

    return encode_text


def _sequence_encoder(tag: int, names: list[str], inner: tuple[Encode, ...], layout: Layout) -> Encode:
    start, length = _header(tag, "SQ", layout)
    item = struct.Struct(layout.byte_order + "HHI")

    def encode(texts: Mapping[str, str]) -> bytes:
        if not any(texts[name] for name in names):
            return start + length.pack(0)
        content = b"".join([encode_element(texts) for encode_element in inner])
        content = item.pack(ITEM >> 16, ITEM & 0xFFFF, len(content)) + content
        return start + length.pack(len(content)) + content

    return encode


def _header(tag: int, vr: str, layout: Layout) -> tuple[bytes, struct.Struct]:
    """What stands before the value's length, and how the length is written (DICOM PS3.5 section 7.1)."""
    start = struct.pack(layout.byte_order + "HH", tag >> 16, tag & 0xFFFF)
    if not layout.explicit:
        return start, struct.Struct(layout.byte_order + "I")
    if vr in _LONG_FORM:
        return start + vr.encode() + b"\0\0", struct.Struct(layout.byte_order + "I")
    return start + vr.encode(), struct.Struct(layout.byte_order + "H")
