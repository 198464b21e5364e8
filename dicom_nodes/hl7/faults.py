"""What is wrong with an HL7 message, and where: the words a sender gets back in MSA and ERR.

A fault's text names segment, field and what was expected; it never quotes what the message holds.
"""

from dataclasses import dataclass
from enum import IntEnum

from dicom_nodes.model.errors import CannotUnderstand
from dicom_nodes.model.report import AckCode


class ErrorCode(IntEnum):
    """HL7 table 0357, as far as it is used here (HL7 v2.5.1 ch. 2.15.5.3)."""

    SEGMENT_SEQUENCE = 100
    REQUIRED_FIELD_MISSING = 101
    DATA_TYPE = 102
    TABLE_VALUE = 103
    UNSUPPORTED_MESSAGE_TYPE = 200
    UNSUPPORTED_EVENT = 201
    UNSUPPORTED_PROCESSING_ID = 202
    UNSUPPORTED_VERSION = 203
    UNKNOWN_KEY = 204
    APPLICATION = 207

    @property
    def words(self) -> str:
        """The table's own description."""
        return _WORDS[self]


_WORDS = {
    ErrorCode.SEGMENT_SEQUENCE: "Segment sequence error",
    ErrorCode.REQUIRED_FIELD_MISSING: "Required field missing",
    ErrorCode.DATA_TYPE: "Data type error",
    ErrorCode.TABLE_VALUE: "Table value not found",
    ErrorCode.UNSUPPORTED_MESSAGE_TYPE: "Unsupported message type",
    ErrorCode.UNSUPPORTED_EVENT: "Unsupported event code",
    ErrorCode.UNSUPPORTED_PROCESSING_ID: "Unsupported processing id",
    ErrorCode.UNSUPPORTED_VERSION: "Unsupported version id",
    ErrorCode.UNKNOWN_KEY: "Unknown key identifier",
    ErrorCode.APPLICATION: "Application internal error",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a message: segment, its repetition (from 1) and field (None: the segment as a whole)."""

    segment: str
    field: int | None = None
    repetition: int = 1

    def __str__(self) -> str:
        name = self.segment if self.repetition == 1 else f"{self.segment}[{self.repetition}]"
        return name if self.field is None else f"{name}-{self.field}"


class Hl7Fault(CannotUnderstand):
    """A message cannot be taken: `AE` for its content, `AR` for reasons that have nothing to do with it."""

    phase = "hl7"

    def __init__(self, place: Place, words: str, code: ErrorCode, ack: AckCode = AckCode.AE) -> None:
        self.place = place
        self.words = words
        self.code = code
        self.ack = ack
        super().__init__(f"{place}: {words}")
