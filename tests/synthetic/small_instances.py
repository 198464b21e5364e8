"""Data sets of a few elements and any length, made in microseconds, for tests of what keeps them."""

import random
import struct
from datetime import UTC, datetime

from dicom_nodes.encoding.digest import HeldDataSet
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.model.instance import Channel, IncomingInstance, Provenance

CT = "1.2.840.10008.5.1.4.1.1.2"
_PROVENANCE = Provenance("RXN", Channel.ACQUIRED, "CT1", datetime(2026, 11, 23, tzinfo=UTC))


def small_data_set(
    number: int, payload_bytes: int, *, study: int = 1, seed: int = 0, patient_id: str | None = None
) -> bytes:
    """A data set with the UIDs of instance `number` and so many bytes of noise."""
    payload = random.Random(f"{number} {seed}").randbytes(payload_bytes + payload_bytes % 2)
    uids = (
        (0x0008, 0x16, CT),
        (0x0008, 0x18, uid_of(number)),
        (0x0020, 0x0D, f"1.9.{study}"),
        (0x0020, 0x0E, f"1.9.{study}.1"),
    )
    encoded = [_element(group, element, uid) for group, element, uid in uids]
    if patient_id is not None:
        encoded.insert(2, struct.pack("<HH2sH", 0x0010, 0x0020, b"LO", len(patient_id)) + patient_id.encode())
    elements = b"".join(encoded)
    return elements + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, len(payload)) + payload


def uid_of(number: int) -> str:
    return f"1.9.8.{number}"


def incoming_of(number: int, data_set: bytes | HeldDataSet) -> IncomingInstance:
    """The instance as its C-STORE request brings it."""
    held = HeldDataSet(data_set) if isinstance(data_set, bytes) else data_set
    return IncomingInstance(CT, uid_of(number), EXPLICIT_VR_LITTLE_ENDIAN, held, _PROVENANCE, "association")


def _element(group: int, element: int, uid: str) -> bytes:
    value = uid.encode() + b"\0" * (len(uid) % 2)
    return struct.pack("<HH2sH", group, element, b"UI", len(value)) + value
