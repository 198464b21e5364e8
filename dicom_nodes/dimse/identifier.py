"""Identifiers of queries between bytes and text: decode what was asked, encode what is answered (PS3.4 C.4)."""

import struct
import zlib
from collections.abc import Mapping

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from dicom_nodes.encoding.text import TextDecoder
from dicom_nodes.encoding.walk import DamagedDataSetError, Element, Layout, layout_of, plain_data_set, walk
from dicom_nodes.model.errors import CannotUnderstand, IdentifierMismatch
from dicom_nodes.model.query import Query, QueryLevel, QueryRoot

_SPECIFIC_CHARACTER_SET, _QUERY_RETRIEVE_LEVEL = 0x00080005, 0x00080052
_BINARY = {"US": "H", "UL": "I", "SS": "h", "SL": "i", "FL": "f", "FD": "d"}
_UNREADABLE = {"SQ", "OB", "OW", "OF", "OD", "UN", "AT"}
_LONG_FORM = {"UC", "UR", "UT"}
_DEFLATED = "1.2.840.10008.1.2.1.99"


def decode_query(identifier: bytes, transfer_syntax_uid: str, root: QueryRoot, *, relational: bool = False) -> Query:
    """Read an identifier.

    Raises:
        CannotUnderstand: the bytes are no data set.
        IdentifierMismatch: it has no level, or one that does not exist.
    """
    try:
        data = plain_data_set(identifier, transfer_syntax_uid)
        layout = layout_of(transfer_syntax_uid)
        elements = {element.tag: element for element in walk(data, layout)}
    except DamagedDataSetError:
        raise CannotUnderstand("the identifier is not a data set") from None
    decoder = TextDecoder(_ascii(data, elements.get(_SPECIFIC_CHARACTER_SET)) or None)
    level = _level(_ascii(data, elements.pop(_QUERY_RETRIEVE_LEVEL, None)))
    elements.pop(_SPECIFIC_CHARACTER_SET, None)
    keys: dict[str, str] = {}
    others = 0
    for tag, element in elements.items():
        keyword = keyword_for_tag(tag)
        text = element_text(data, element, layout, decoder) if keyword else None
        if text is not None:
            keys[keyword] = text
        elif tag & 0xFFFF:
            others += 1
    return Query(root, level, keys, others, relational)


def encode_identifier(level: QueryLevel | None, values: Mapping[str, str], transfer_syntax_uid: str) -> bytes:
    """Encode an answer; its character set is UTF-8 (ISO_IR 192) unless all of it is ASCII."""
    texts = dict(values)
    if level is not None:
        texts["QueryRetrieveLevel"] = level
    if not all(text.isascii() for text in texts.values()):
        texts["SpecificCharacterSet"] = "ISO_IR 192"
    layout = layout_of(transfer_syntax_uid)
    tags = sorted((tag, keyword) for keyword in texts if (tag := tag_for_keyword(keyword)) is not None)
    encoded = b"".join(encoded_element(tag, texts[keyword], layout) for tag, keyword in tags)
    if transfer_syntax_uid == _DEFLATED:
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        encoded = deflater.compress(encoded) + deflater.flush()
        encoded += b"\0" * (len(encoded) % 2)
    return encoded


def _level(text: str) -> QueryLevel:
    try:
        return QueryLevel(text)
    except ValueError:
        raise IdentifierMismatch("Query/Retrieve Level is missing or unknown") from None


def _ascii(data: bytes, element: Element | None) -> str:
    return "" if element is None else data[element.start : element.end].decode("ascii", "replace").strip("\0 ")


def element_text(data: bytes, element: Element, layout: Layout, decoder: TextDecoder) -> str | None:
    """The element's value as text, or None where it has none that can be matched."""
    vr = dictionary_VR(element.tag)
    if vr in _UNREADABLE or element.undefined_length:
        return None
    value = data[element.start : element.end]
    if vr in _BINARY:
        size = struct.calcsize(_BINARY[vr])
        return "\\".join(
            str(struct.unpack_from(layout.byte_order + _BINARY[vr], value, at)[0])
            for at in range(0, len(value) - size + 1, size)
        )
    return "\\".join(part.strip(" ") for part in decoder.decode(value).split("\\"))


def encoded_element(tag: int, text: str, layout: Layout) -> bytes:
    """An element with its header; `text` holds several values joined by backslashes."""
    vr = dictionary_VR(tag)
    value = _value(vr, text, layout)
    header = struct.pack(layout.byte_order + "HH", tag >> 16, tag & 0xFFFF)
    if not layout.explicit:
        return header + struct.pack(layout.byte_order + "I", len(value)) + value
    if vr in _LONG_FORM:
        return header + vr.encode() + b"\0\0" + struct.pack(layout.byte_order + "I", len(value)) + value
    return header + vr.encode() + struct.pack(layout.byte_order + "H", len(value)) + value


def _value(vr: str, text: str, layout: Layout) -> bytes:
    if vr in _BINARY:
        numbers = [int(part) for part in text.split("\\") if part]
        return b"".join(struct.pack(layout.byte_order + _BINARY[vr], number) for number in numbers)
    value = text.encode("utf-8")
    return value + (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
