"""What MSH of any message must say before its content is looked at."""

import re

from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.message import Message
from dicom_nodes.model.report import AckCode


def check_header(message: Message, processing_id: str = "P") -> None:
    """Processing id (MSH-11), version (MSH-12) and control id (MSH-10).

    Raises:
        Hl7Fault: AR for what this system does not take, AE without a control id.
    """
    header = message.header
    if header.value(11) != processing_id:
        raise refused(11, f"expected processing id {processing_id}", ErrorCode.UNSUPPORTED_PROCESSING_ID)
    if not re.fullmatch(r"2\.[1-8](\.\d)?", header.value(12)):
        raise refused(12, "expected version 2.1 to 2.8", ErrorCode.UNSUPPORTED_VERSION)
    if not message.control_id:
        raise header.fault(10, "message control id is missing", ErrorCode.REQUIRED_FIELD_MISSING)


def refused(field_number: int, words: str, code: ErrorCode) -> Hl7Fault:
    """A message that this system does not take, whatever its content (AR)."""
    return Hl7Fault(Place("MSH", field_number), words, code, AckCode.AR)
