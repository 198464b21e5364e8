"""Identifiers of queries between bytes and text: decode what was asked, encode what is answered (PS3.4 C.4)."""

import struct
import zlib
from collections.abc import Mapping

from pydicom.datadict import dictionary_VR, keyword_for_tag

from dicom_nodes.dimse.element_encoder import BINARY, element_encoders
from dicom_nodes.encoding.text import TextDecoder
from dicom_nodes.encoding.walk import DamagedDataSetError, Element, Layout, items, layout_of, plain_data_set, walk
from dicom_nodes.model.errors import CannotUnderstand, IdentifierMismatch
from dicom_nodes.model.query import Query, QueryLevel, QueryRoot
from dicom_nodes.rules.query_identifier import MATCHED_SEQUENCES

_SPECIFIC_CHARACTER_SET, _QUERY_RETRIEVE_LEVEL = 0x00080005, 0x00080052
_UNREADABLE = {"SQ", "OB", "OW", "OF", "OD", "UN", "AT"}
_ASCII = TextDecoder(None)
_DEFLATED = "1.2.840.10008.1.2.1.99"


def decode_query(identifier: bytes, transfer_syntax_uid: str, root: QueryRoot, *, relational: bool = False) -> Query:
    """Read an identifier.

    Raises:
        CannotUnderstand: the bytes are no data set.
        IdentifierMismatch: it has no level, or one that does not exist; or an id or UID that cannot be read.
    """
    try:
        layout = layout_of(transfer_syntax_uid)
        data = _without_file_meta(plain_data_set(identifier, transfer_syntax_uid), layout)
        elements = {element.tag: element for element in walk(data, layout)}
    except DamagedDataSetError:
        raise CannotUnderstand("the identifier is not a data set") from None
    decoder = TextDecoder(_ascii(data, elements.get(_SPECIFIC_CHARACTER_SET)) or None)
    level = _level(_ascii(data, elements.pop(_QUERY_RETRIEVE_LEVEL, None)))
    elements.pop(_SPECIFIC_CHARACTER_SET, None)
    reader = _Reader(data, layout, decoder)
    keys: dict[str, str] = {}
    for element in elements.values():
        keys |= reader.keys(element)
    return Query(root, level, keys, reader.others, relational)


def encode_identifier(level: QueryLevel | None, values: Mapping[str, str], transfer_syntax_uid: str) -> bytes:
    """Encode an answer; its character set is UTF-8 (ISO_IR 192) unless all of it is ASCII."""
    texts = dict(values)
    if level is not None:
        texts["QueryRetrieveLevel"] = level
    if not "".join(texts.values()).isascii():
        texts["SpecificCharacterSet"] = "ISO_IR 192"
    encoded = b"".join([encode(texts) for encode in element_encoders(tuple(texts), transfer_syntax_uid)])
    if transfer_syntax_uid == _DEFLATED:
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        encoded = deflater.compress(encoded) + deflater.flush()
        encoded += b"\0" * (len(encoded) % 2)
    return encoded


def element_text(data: bytes, element: Element, layout: Layout, decoder: TextDecoder) -> str | None:
    """The element's value as text, or None where it has none that can be matched."""
    vr = dictionary_VR(element.tag)
    if vr in _UNREADABLE or element.undefined_length:
        return None
    value = data[element.start : element.end]
    if vr in BINARY:
        size = struct.calcsize(BINARY[vr])
        return "\\".join(
            str(struct.unpack_from(layout.byte_order + BINARY[vr], value, at)[0])
            for at in range(0, len(value) - size + 1, size)
        )
    return "\\".join(part.strip(" \0") for part in decoder.decode(value).split("\\"))


class _Reader:
    """Reads the keys of one identifier; `others` counts what it cannot."""

    def __init__(self, data: bytes, layout: Layout, decoder: TextDecoder) -> None:
        self._data, self._layout, self._decoder = data, layout, decoder
        self.others = 0

    def keys(self, element: Element) -> dict[str, str]:
        keyword = keyword_for_tag(element.tag)
        if keyword in MATCHED_SEQUENCES:
            return self._keys_of_item(keyword, element)
        self._require_readable(keyword, element)
        text = element_text(self._data, element, self._layout, self._decoder) if keyword else None
        if text is not None:
            return {keyword: text}
        self.others += 1 if element.tag & 0xFFFF else 0
        return {}

    def _require_readable(self, keyword: str, element: Element) -> None:
        """An identity is never guessed: one with bytes that its character set lacks may be somebody else's."""
        is_uid = bool(keyword) and dictionary_VR(element.tag) == "UI"
        if (keyword == "PatientID" or is_uid) and not element.undefined_length:
            decoder = _ASCII if is_uid else self._decoder
            if not decoder.is_readable(self._data[element.start : element.end]):
                raise IdentifierMismatch(f"{keyword} holds bytes outside Specific Character Set")

    def _keys_of_item(self, keyword: str, sequence: Element) -> dict[str, str]:
        """Keys of the only item that sequence matching allows (PS3.4 C.2.2.2.6); an empty one asks for everything."""
        found = list(items(self._data, sequence, self._layout))
        if not any(found):
            return {keyword: ""}
        self.others += len(found) - 1
        return {f"{keyword}.{inner}": text for element in found[0] for inner, text in self.keys(element).items()}


def _without_file_meta(data: bytes, layout: Layout) -> bytes:
    """Orthanc 1.10 asks for an image with (0002,0003) before its identifier, where group 0002 says nothing."""
    at = 0
    while data[at : at + 2] == struct.pack(layout.byte_order + "H", 2) and at + 8 <= len(data):
        if not layout.explicit:
            at += 8 + int(struct.unpack_from(layout.byte_order + "I", data, at + 4)[0])
        elif data[at + 4 : at + 6] == b"OB" and at + 12 <= len(data):
            at += 12 + int(struct.unpack_from(layout.byte_order + "I", data, at + 8)[0])
        else:
            at += 8 + int(struct.unpack_from(layout.byte_order + "H", data, at + 6)[0])
    return data[at:] if at <= len(data) else data


def _level(text: str) -> QueryLevel:
    try:
        return QueryLevel(text)
    except ValueError:
        raise IdentifierMismatch("Query/Retrieve Level is missing or unknown") from None


def _ascii(data: bytes, element: Element | None) -> str:
    return "" if element is None else data[element.start : element.end].decode("ascii", "replace").strip("\0 ")
