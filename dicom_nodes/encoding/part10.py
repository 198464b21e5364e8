"""An object of ours: a DICOM Part 10 file (PS3.10 section 7) around the data set exactly as it was received.

Provenance travels in the file meta information (Source Application Entity Title, Private Information), so the
catalogue can be rebuilt from the files alone.
"""

import json
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dicom_nodes.model.errors import CrashConsistency
from dicom_nodes.model.instance import Channel, Provenance

IMPLEMENTATION_CLASS_UID = "2.25.302837465910283746591028374659102837465"
IMPLEMENTATION_VERSION_NAME = "READACROSS"
PRIVATE_CREATOR_UID = "2.25.302837465910283746591028374659102837466"
"""(0002,0100): says that (0002,0102) is our JSON."""
_PREAMBLE = b"\0" * 128 + b"DICM"
_LONG_FORM = {b"OB", b"UN"}


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """What the file meta information says."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    provenance: Provenance
    notes: dict[str, Any]
    """What else was noted with the object, such as the issuers its identifiers were qualified with."""
    data_set_offset: int


def file_meta(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, provenance: Provenance, notes: dict[str, Any]
) -> bytes:
    """Everything that stands before the data set in the spool: preamble, prefix and file meta with provenance."""
    private = {
        "origin": provenance.origin,
        "channel": provenance.channel.value,
        "received_at": provenance.received_at.isoformat(),
        **notes,
    }
    return _assembled(
        _common_elements(sop_class_uid, sop_instance_uid, transfer_syntax_uid)
        + _element(0x0016, b"AE", _padded(provenance.sending_ae_title.encode("ascii", "replace"), b" "))
        + _element(0x0100, b"UI", _uid(PRIVATE_CREATOR_UID))
        + _element(0x0102, b"OB", _padded(json.dumps(private).encode(), b" "))
    )


def plain_file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """The same for others, who need not know our provenance; the same instance always gives the same bytes."""
    return _assembled(_common_elements(sop_class_uid, sop_instance_uid, transfer_syntax_uid))


def data_set_of(file: bytes) -> bytes:
    """What follows the file meta information in anybody's Part 10 file; empty when it is none."""
    if file[128:132] != b"DICM" or len(file) < 144:
        return b""
    (group_length,) = struct.unpack_from("<I", file, 140)
    return file[144 + group_length :]


def read_meta(head: bytes, place: str) -> ObjectMeta:
    """Read the meta information from the beginning of a spooled object; 16 KiB of it are always enough.

    Raises:
        CrashConsistency: `place` does not begin like one of our objects.
    """
    try:
        if head[128:132] != b"DICM":
            raise ValueError("no DICM prefix")
        position, values = 132, {}
        (group_length,) = struct.unpack_from("<I", head, 140)
        end = 144 + group_length
        while position < end:
            group, number = struct.unpack_from("<HH", head, position)
            if group != 2:
                raise ValueError("file meta information ends early")
            is_long = head[position + 4 : position + 6] in _LONG_FORM
            start = position + (12 if is_long else 8)
            (length,) = (
                struct.unpack_from("<I", head, position + 8)
                if is_long
                else struct.unpack_from("<H", head, position + 6)
            )
            position = start + length
            values[number] = head[start:position]
        private = json.loads(values[0x0102])
        provenance = Provenance(
            origin=private.pop("origin"),
            channel=Channel(private.pop("channel")),
            sending_ae_title=values[0x0016].decode("ascii").strip(),
            received_at=datetime.fromisoformat(private.pop("received_at")),
        )
        sop_class, sop_instance, syntax = (values[n].rstrip(b"\0").decode("ascii") for n in (0x0002, 0x0003, 0x0010))
        return ObjectMeta(sop_class, sop_instance, syntax, provenance, private, end)
    except (ValueError, KeyError, struct.error, IndexError) as error:
        raise CrashConsistency(f"{place}: not an object of this spool ({type(error).__name__})") from None


def _common_elements(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    return b"".join(
        (
            _element(0x0001, b"OB", b"\0\1"),
            _element(0x0002, b"UI", _uid(sop_class_uid)),
            _element(0x0003, b"UI", _uid(sop_instance_uid)),
            _element(0x0010, b"UI", _uid(transfer_syntax_uid)),
            _element(0x0012, b"UI", _uid(IMPLEMENTATION_CLASS_UID)),
            _element(0x0013, b"SH", _padded(IMPLEMENTATION_VERSION_NAME.encode(), b" ")),
        )
    )


def _assembled(elements: bytes) -> bytes:
    return _PREAMBLE + _element(0x0000, b"UL", struct.pack("<I", len(elements))) + elements


def _element(number: int, vr: bytes, value: bytes) -> bytes:
    if vr in _LONG_FORM:
        return struct.pack("<HH2sHI", 2, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, number, vr, len(value)) + value


def _uid(uid: str) -> bytes:
    return _padded(uid.encode("ascii"), b"\0")


def _padded(value: bytes, padding: bytes) -> bytes:
    return value + padding if len(value) % 2 else value
