"""DIMSE status codes this node answers with or acts on (DICOM PS3.7 annex C, PS3.4 B.2.3, C.4.1–C.4.3)."""

from enum import IntEnum


class Status(IntEnum):
    SUCCESS = 0x0000
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NOT_AUTHORISED = 0x0124
    OUT_OF_RESOURCES = 0xA700
    CANNOT_COUNT_MATCHES = 0xA701
    CANNOT_PERFORM_SUB_OPERATIONS = 0xA702
    MOVE_DESTINATION_UNKNOWN = 0xA801
    DATA_SET_MISMATCH = 0xA900
    SUB_OPERATIONS_INCOMPLETE = 0xB000
    CANNOT_UNDERSTAND = 0xC000
    CANCELLED = 0xFE00
    PENDING = 0xFF00
    PENDING_KEY_UNSUPPORTED = 0xFF01


def is_stored(status: int) -> bool:
    """Whether a C-STORE answer says the instance is kept: success or one of the warnings B000, B006, B007."""
    return status in {0x0000, 0xB000, 0xB006, 0xB007}
