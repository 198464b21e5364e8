"""Data sets of the workflow services between bytes and text, sequences included (DICOM PS3.5 7.5).

Unlike an image's, such a data set is small, is understood whole and is never passed on as it came.
"""

import struct

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from dicom_nodes.dimse.element_encoder import encoded_element
from dicom_nodes.dimse.identifier import element_text
from dicom_nodes.encoding.text import TextDecoder
from dicom_nodes.encoding.walk import (
    ITEM,
    SEQUENCE_END,
    DamagedDataSetError,
    Element,
    Layout,
    items,
    layout_of,
    plain_data_set,
    walk,
)
from dicom_nodes.model.attributes import Attributes
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import OperationRefused

_DEEPEST = 16
_CHARACTER_SET = 0x00080005
_UNDEFINED = 0xFFFFFFFF


def decode_attributes(data_set: bytes, transfer_syntax_uid: str) -> Attributes:
    """Read every element that has a keyword and a value that is text, number or sequence; others are passed over.

    Raises:
        OperationRefused: 0110, the bytes are no data set.
    """
    try:
        data = plain_data_set(data_set, transfer_syntax_uid)
        layout = layout_of(transfer_syntax_uid)
        return _Reader(data).item(list(walk(data, layout)), layout, TextDecoder(None), 0)
    except (DamagedDataSetError, struct.error):
        raise OperationRefused(Status.PROCESSING_FAILURE, "the data set is damaged") from None


def encode_attributes(attributes: Attributes, transfer_syntax_uid: str) -> bytes:
    """Encode; the character set is UTF-8 (ISO_IR 192) unless everything is ASCII. Sequences have undefined length."""
    values = dict(attributes)
    values.pop("SpecificCharacterSet", None)
    if not _is_ascii(values):
        values["SpecificCharacterSet"] = "ISO_IR 192"
    return _encoded(values, layout_of(transfer_syntax_uid))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def item(self, elements: list[Element], layout: Layout, decoder: TextDecoder, depth: int) -> Attributes:
        if depth > _DEEPEST:
            raise DamagedDataSetError(f"sequences are nested deeper than {_DEEPEST}")
        for element in elements:
            if element.tag == _CHARACTER_SET:
                decoder = TextDecoder(self._data[element.start : element.end].decode("ascii", "replace").strip("\0 "))
        found: Attributes = {}
        for element in elements:
            keyword = keyword_for_tag(element.tag)
            if not keyword or element.tag == _CHARACTER_SET:
                continue
            if dictionary_VR(element.tag) == "SQ":
                found[keyword] = self._sequence(element, layout, decoder, depth)
            else:
                text = element_text(self._data, element, layout, decoder)
                if text is not None:
                    found[keyword] = text
        return found

    def _sequence(self, element: Element, layout: Layout, decoder: TextDecoder, depth: int) -> list[Attributes]:
        is_unknown = element.vr == b"UN" and element.undefined_length
        inner = Layout(explicit=False, little=True) if is_unknown else layout
        found = items(self._data, element, layout)
        return [self.item(elements, inner, decoder, depth + 1) for elements in found]


def _is_ascii(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_ascii, value.values()))
    if isinstance(value, list):
        return all(map(_is_ascii, value))
    return str(value).isascii()


def _encoded(values: Attributes, layout: Layout) -> bytes:
    tags = sorted((tag, keyword) for keyword in values if (tag := tag_for_keyword(keyword)) is not None)
    return b"".join(_element(tag, values[keyword], layout) for tag, keyword in tags)


def _element(tag: int, value: str | list[Attributes], layout: Layout) -> bytes:
    if isinstance(value, str):
        return encoded_element(tag, value, layout)
    order = layout.byte_order
    vr = b"SQ\0\0" if layout.explicit else b""
    header = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) + vr + struct.pack(order + "I", _UNDEFINED)
    return header + b"".join(_item(item, layout) for item in value) + _delimiter(SEQUENCE_END, 0, layout)


def _item(item: Attributes, layout: Layout) -> bytes:
    content = _encoded(item, layout)
    return _delimiter(ITEM, len(content), layout) + content


def _delimiter(tag: int, length: int, layout: Layout) -> bytes:
    return struct.pack(layout.byte_order + "HHI", tag >> 16, tag & 0xFFFF, length)
