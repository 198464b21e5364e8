"""Acknowledgements in original mode (HL7 v2.5.1 ch. 2.9.2): what we answer, and what a RIS's answer means.

AA accepted; AE the content is wrong, a person must look; AR nothing to do with the content: this kind of message is
not for us, or we cannot now and the same message may be taken later (`OruIntake` answers so).
"""

import hashlib
import re
from datetime import datetime

from dicom_nodes.foundation.clock import Clock
from dicom_nodes.hl7.escapes import escape
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.message import Message, Segment, read_header
from dicom_nodes.hl7.timestamps import write_moment
from dicom_nodes.model.report import AckCode, Acknowledgement

_LONGEST_WORDS = 400
_ERR_OF_BEFORE = re.compile(r"2\.[1-4](\.\d)?")


def build_ack(raw: bytes, code: AckCode, clock: Clock, fault: Hl7Fault | None = None) -> bytes:
    """Answer a message; one without a readable MSH is answered too, with an empty MSA-2."""
    header = _header_of(raw)
    now = clock()
    lines = [_msh(header, raw, now), _msa(header, code, fault)]
    if fault is not None:
        lines.append(_err(fault, _text(header, 12)))
    return "".join(line + "\r" for line in lines).encode("ascii", "replace")


def read_ack(raw: bytes) -> Acknowledgement:
    """Read an answer.

    Raises:
        Hl7Fault: it is no application acknowledgement.
    """
    message = Message(raw)
    found = message.named("MSA")
    if not found:
        raise Hl7Fault(Place("MSA"), "the answer has no MSA segment", ErrorCode.SEGMENT_SEQUENCE)
    code = found[0].value(1)
    if code not in {known.value for known in AckCode}:
        words = "expected AA, AE or AR; a commit acknowledgement says nothing about the report"
        raise found[0].fault(1, words if code in {"CA", "CE", "CR"} else "expected AA, AE or AR", ErrorCode.TABLE_VALUE)
    return Acknowledgement(AckCode(code), found[0].value(2), _words(found[0], message))


def _words(msa: Segment, message: Message) -> str:
    parts = [msa.value(3)]
    for err in message.named("ERR"):
        parts += [err.value(8), err.value(7), err.value(3, 2), err.value(2)]
    distinct = list(dict.fromkeys(part for part in parts if part))
    return "; ".join(distinct)[:_LONGEST_WORDS]


def _header_of(raw: bytes) -> Segment | None:
    try:
        return read_header(raw)
    except Hl7Fault:
        return None


def _text(header: Segment | None, field: int, component: int = 1) -> str:
    """A header value fit to be sent back; what cannot be read is left out."""
    if header is None:
        return ""
    try:
        value = header.value(field, component)
    except Hl7Fault:
        return ""
    return escape(value) if value.isascii() else ""


def _msh(header: Segment | None, raw: bytes, now: datetime) -> str:
    event = _text(header, 9, 2)
    own_id = hashlib.sha256(now.isoformat().encode() + raw).hexdigest()[:20]
    fields = [
        "^~\\&",
        _text(header, 5) or "READACROSS",
        _text(header, 6),
        _text(header, 3),
        _text(header, 4),
        write_moment(now),
        "",
        f"ACK^{event}^ACK" if event else "ACK",
        own_id,
        _text(header, 11) or "P",
        _text(header, 12) or "2.5.1",
    ]
    return "MSH|" + "|".join(fields)


def _msa(header: Segment | None, code: AckCode, fault: Hl7Fault | None) -> str:
    msa = f"MSA|{code}|{_text(header, 10)}"
    return msa if fault is None else f"{msa}|{escape(str(fault))}"


def _err(fault: Hl7Fault, version: str) -> str:
    """ERR as the message's own version has it: until 2.4 one field, ELD, whose words stand in MSA-3 (ch. 2.15.5.1)."""
    place = fault.place
    if _ERR_OF_BEFORE.fullmatch(version):
        where = f"{place.segment}^{place.repetition}^{place.field or ''}"
        return f"ERR|{where}^{fault.code:d}&{fault.code.words}&HL70357"
    location = f"{place.segment}^{place.repetition}" + (f"^{place.field}" if place.field else "")
    reason = f"{fault.code:d}^{fault.code.words}^HL70357"
    return f"ERR||{location}|{reason}|E||||{escape(fault.words)}"
