"""DIMSE command sets between values and bytes: implicit VR little endian, group 0000 (DICOM PS3.7 6.3, annex E)."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from dicom_nodes.upper_layer.faults import invalid
from dicom_nodes.upper_layer.pdu_types import Buffer

NO_DATA_SET = 0x0101
DATA_SET_PRESENT = 0x0001
"""Any value but 0101H says so; this one is what most send (DICOM PS3.7 table E.1-1)."""


class CommandField(IntEnum):
    """(0000,0100), DICOM PS3.7 table E.1-1; a response is its request with the highest bit set."""

    C_STORE_RQ = 0x0001
    C_GET_RQ = 0x0010
    C_FIND_RQ = 0x0020
    C_MOVE_RQ = 0x0021
    C_ECHO_RQ = 0x0030
    N_EVENT_REPORT_RQ = 0x0100
    N_GET_RQ = 0x0110
    N_SET_RQ = 0x0120
    N_ACTION_RQ = 0x0130
    N_CREATE_RQ = 0x0140
    N_DELETE_RQ = 0x0150
    C_CANCEL_RQ = 0x0FFF


RESPONSE = 0x8000
MEDIUM_PRIORITY = 0


@dataclass(slots=True)
class Command:
    """A command set; what is None is absent. `command_data_set_type` says whether a data set follows.

    Made twice for each message and changed by nobody; not frozen, because that would take four times as long.
    """

    command_field: int
    command_data_set_type: int = NO_DATA_SET
    message_id: int | None = None
    message_id_being_responded_to: int | None = None
    affected_sop_class_uid: str | None = None
    requested_sop_class_uid: str | None = None
    affected_sop_instance_uid: str | None = None
    requested_sop_instance_uid: str | None = None
    priority: int | None = None
    status: int | None = None
    offending_element: tuple[int, ...] | None = None
    error_comment: str | None = None
    error_id: int | None = None
    move_destination: str | None = None
    move_originator_ae_title: str | None = None
    move_originator_message_id: int | None = None
    number_of_remaining_suboperations: int | None = None
    number_of_completed_suboperations: int | None = None
    number_of_failed_suboperations: int | None = None
    number_of_warning_suboperations: int | None = None
    event_type_id: int | None = None
    action_type_id: int | None = None
    attribute_identifier_list: tuple[int, ...] | None = None

    @property
    def has_data_set(self) -> bool:
        return self.command_data_set_type != NO_DATA_SET

    @property
    def is_response(self) -> bool:
        return bool(self.command_field & RESPONSE)


_ELEMENTS: tuple[tuple[int, str, str], ...] = (
    (0x0002, "affected_sop_class_uid", "UI"),
    (0x0003, "requested_sop_class_uid", "UI"),
    (0x0100, "command_field", "US"),
    (0x0110, "message_id", "US"),
    (0x0120, "message_id_being_responded_to", "US"),
    (0x0600, "move_destination", "AE"),
    (0x0700, "priority", "US"),
    (0x0800, "command_data_set_type", "US"),
    (0x0900, "status", "US"),
    (0x0901, "offending_element", "AT"),
    (0x0902, "error_comment", "LO"),
    (0x0903, "error_id", "US"),
    (0x1000, "affected_sop_instance_uid", "UI"),
    (0x1001, "requested_sop_instance_uid", "UI"),
    (0x1002, "event_type_id", "US"),
    (0x1005, "attribute_identifier_list", "AT"),
    (0x1008, "action_type_id", "US"),
    (0x1020, "number_of_remaining_suboperations", "US"),
    (0x1021, "number_of_completed_suboperations", "US"),
    (0x1022, "number_of_failed_suboperations", "US"),
    (0x1023, "number_of_warning_suboperations", "US"),
    (0x1030, "move_originator_ae_title", "AE"),
    (0x1031, "move_originator_message_id", "US"),
)
"""Element number, name and VR, in the order in which they are sent (DICOM PS3.7 table E.1-1)."""

_HEADER = struct.Struct("<HHL")
_US = struct.Struct("<H")


def encode_command(command: Command) -> bytes:
    """The command set with its group length."""
    parts: list[bytes] = []
    for number, name, encode in _IN_ORDER:
        value = getattr(command, name)
        if value is not None:
            content = encode(value)
            parts += _HEADER.pack(0, number, len(content)), content
    body = b"".join(parts)
    return _HEADER.pack(0, 0, 4) + struct.pack("<L", len(body)) + body


def decode_command(data: Buffer) -> Command:
    """Read a command set; elements that are retired or unknown are passed over.

    Raises:
        PduFault: it is not one.
    """
    values: dict[str, Any] = {}
    content, at, end = bytes(data), 0, len(data)
    while at < end:
        start = at + _HEADER.size
        if start > end:
            raise invalid("a command set is cut short")
        group, number, length = _HEADER.unpack_from(content, at)
        at = start + length
        if group or at > end:
            raise invalid("a command set holds something else than command elements")
        known = _KNOWN.get(number)
        if known is not None:
            name, decode = known
            values[name] = decode(content[start:at])
    if values.get("command_field") is None or values.get("command_data_set_type") is None:
        raise invalid("a command set lacks its command field or command data set type")
    return Command(**values)


def _us(content: bytes) -> int | None:
    if not content:
        return None
    if len(content) != 2:
        raise invalid("a number in a command set does not have 2 bytes")
    return int(_US.unpack(content)[0])


def _text(content: bytes) -> str:
    return content.strip(b"\0 ").decode("ascii", "backslashreplace")


def _tags(content: bytes) -> tuple[int, ...]:
    if len(content) % 4:
        raise invalid("a list of tags in a command set is cut short")
    pairs = struct.iter_unpack("<HH", content)
    return tuple(group << 16 | element for group, element in pairs)


def _encode_text(value: str, padding: bytes) -> bytes:
    content = value.encode("ascii", "replace")
    return content + padding if len(content) % 2 else content


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "US": _US.pack,
    "UI": lambda value: _encode_text(value, b"\0"),
    "AE": lambda value: _encode_text(value, b" "),
    "LO": lambda value: _encode_text(value, b" "),
    "AT": lambda tags: b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags),
}
_DECODERS: dict[str, Callable[[bytes], Any]] = {"US": _us, "UI": _text, "AE": _text, "LO": _text, "AT": _tags}
_KNOWN = {number: (name, _DECODERS[vr]) for number, name, vr in _ELEMENTS}
_IN_ORDER = tuple((number, name, _ENCODERS[vr]) for number, name, vr in _ELEMENTS)
