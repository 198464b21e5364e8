"""An HL7 message that is no report and cannot be taken: an order or a change of a patient, kept for a person."""

from dataclasses import dataclass
from enum import StrEnum


class MessageKind(StrEnum):
    ORDER = "hl7_order"
    PATIENT_CHANGE = "hl7_adt"


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """`answer` is what its sender was told, `reason` says what and where and quotes nothing of it."""

    kind: MessageKind
    answer: str
    reason: str
    original: bytes
