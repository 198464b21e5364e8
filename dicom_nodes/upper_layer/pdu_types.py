"""PDU types, item types and the shape all of them share (DICOM PS3.8 9.3, PS3.7 annex D)."""

import struct
from collections.abc import Iterator
from enum import IntEnum

from dicom_nodes.upper_layer.faults import invalid

Buffer = bytes | bytearray | memoryview


class PduType(IntEnum):
    """First byte of a PDU (DICOM PS3.8 9.3.1)."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    P_DATA_TF = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


class ItemType(IntEnum):
    """First byte of an item or sub-item (DICOM PS3.8 9.3.2, 9.3.3, annex D; PS3.7 D.3.3)."""

    APPLICATION_CONTEXT = 0x10
    PRESENTATION_CONTEXT_RQ = 0x20
    PRESENTATION_CONTEXT_AC = 0x21
    ABSTRACT_SYNTAX = 0x30
    TRANSFER_SYNTAX = 0x40
    USER_INFORMATION = 0x50
    MAXIMUM_LENGTH = 0x51
    IMPLEMENTATION_CLASS_UID = 0x52
    ASYNCHRONOUS_OPERATIONS_WINDOW = 0x53
    ROLE_SELECTION = 0x54
    IMPLEMENTATION_VERSION_NAME = 0x55
    EXTENDED_NEGOTIATION = 0x56
    COMMON_EXTENDED_NEGOTIATION = 0x57
    USER_IDENTITY_RQ = 0x58
    USER_IDENTITY_AC = 0x59


PDU_HEADER = struct.Struct(">BxL")
"""Type, reserved, length of what follows."""
ITEM_HEADER = struct.Struct(">BxH")


def pdu(pdu_type: PduType, body: bytes) -> bytes:
    """A whole PDU."""
    return PDU_HEADER.pack(pdu_type, len(body)) + body


def item(item_type: ItemType, body: bytes) -> bytes:
    """An item or sub-item."""
    return ITEM_HEADER.pack(item_type, len(body)) + body


def items(body: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, content) of each item; unknown types included, which the reader passes over.

    Raises:
        PduFault: an item does not fit into what contains it.
    """
    at, end = 0, len(body)
    while at < end:
        if end - at < ITEM_HEADER.size:
            raise invalid("an item is cut short")
        item_type, length = ITEM_HEADER.unpack_from(body, at)
        at += ITEM_HEADER.size
        if length > end - at:
            raise invalid("an item is longer than what contains it")
        yield item_type, body[at : at + length]
        at += length


def uid_of(content: bytes) -> str:
    """A UID; trailing NULs and blanks are passed over, since senders pad where they should not.

    Raises:
        PduFault: it is empty, longer than any UID, or not of printable ASCII.
    """
    text = content.rstrip(b"\0 ").lstrip(b" ")
    if not text or len(text) > _LONGEST_UID or not text.isascii() or not text.decode("ascii").isprintable():
        raise invalid("a UID is empty or not one")
    return text.decode("ascii")


_LONGEST_UID = 128
"""Twice what PS3.5 9.1 allows: a name that is too long is answered as unknown, not with an abort."""
