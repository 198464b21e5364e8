"""Read ADT messages that change who a patient is (HL7 v2.5.1 ch. 3.3): data, a merge or an unlinking.

A merge names the surviving number in PID-3 and the one that ends in MRG-1 of the same issuer. Other events are
refused: those that change nobody's identity so that a feed that was set up too wide is noticed, the rest as a loss.
"""

from collections.abc import Iterator, Sequence

from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.header import check_header, refused
from dicom_nodes.hl7.identifiers import read_patient
from dicom_nodes.hl7.message import Message, Segment, read_header
from dicom_nodes.hl7.timestamps import read_date
from dicom_nodes.model.patient_change import PatientChange, PatientIdentifiers

_UPDATES = {"A08", "A31"}
_MERGES = {"A40", "A18"}
_UNLINK = "A37"
_CHANGING_NOBODY = {
    f"A{number:02}" for number in (*range(1, 18), *range(19, 24), *range(25, 30), 32, 33, 38, *range(52, 63))
}
"""Admissions, transfers, visits, allergies and the like (HL7 v2.5.1 table 0003): no number ends and none moves."""
_HOSPITAL = {"MR", "PI", ""}


def read_changes(raw: bytes, default_issuer: str) -> tuple[PatientChange, ...]:
    """Read a message for production (MSH-11 `P`): one change for each PID. Numbers without issuer are the trust's own.

    Raises:
        Hl7Fault: with segment, field and what was expected.
    """
    message = Message(raw)
    event = _checked_event(message)
    if event == _UNLINK:
        return (_unlinked(message, default_issuer, raw),)
    pairs = list(_pairs(message.segments))
    if not pairs:
        raise Hl7Fault(Place("PID"), "the message has no PID segment", ErrorCode.SEGMENT_SEQUENCE)
    return tuple(_change(message, event, pid, mrg, default_issuer, raw) for pid, mrg in pairs)


def changes_nobody(raw: bytes, fault: Hl7Fault) -> bool:
    """Whether a message that was refused for its event would have changed nobody: nothing is lost with it."""
    return fault.code is ErrorCode.UNSUPPORTED_EVENT and read_header(raw).value(9, 2) in _CHANGING_NOBODY


def _checked_event(message: Message) -> str:
    header = message.header
    event = header.value(9, 2)
    if header.value(9) != "ADT" or event not in _UPDATES | _MERGES | {_UNLINK}:
        raise refused(9, "expected ADT^A08, A31, A40, A18 or A37", ErrorCode.UNSUPPORTED_EVENT)
    check_header(message)
    return event


def _pairs(segments: Sequence[Segment]) -> Iterator[tuple[Segment, Segment | None]]:
    """Each PID with the MRG that follows it before the next one."""
    pid: Segment | None = None
    mrg: Segment | None = None
    for segment in segments:
        if segment.name == "PID":
            if pid is not None:
                yield pid, mrg
            pid, mrg = segment, None
        elif segment.name == "MRG":
            if pid is None or mrg is not None:
                raise segment.fault(1, "expected one MRG after each PID", ErrorCode.SEGMENT_SEQUENCE)
            mrg = segment
    if pid is not None:
        yield pid, mrg


def _unlinked(message: Message, default_issuer: str, raw: bytes) -> PatientChange:
    """Two PID segments, each a person of their own (HL7 v2.5.1 ch. 3.3.37)."""
    pids = message.named("PID")
    if len(pids) != 2:
        raise Hl7Fault(Place("PID"), f"expected two PID segments, found {len(pids)}", ErrorCode.SEGMENT_SEQUENCE)
    present, prior = (_identifiers(pid, default_issuer) for pid in pids)
    if present.issuer != prior.issuer:
        raise pids[1].fault(3, "expected a hospital number of the first PID's issuer", ErrorCode.DATA_TYPE)
    return PatientChange(present, prior, message.control_id, raw, unlinked=True)


def _change(
    message: Message, event: str, pid: Segment, mrg: Segment | None, default_issuer: str, raw: bytes
) -> PatientChange:
    present = _identifiers(pid, default_issuer)
    issuer = present.issuer
    if event in _UPDATES:
        return PatientChange(present, None, message.control_id, raw)
    if mrg is None:
        raise Hl7Fault(Place("MRG"), "a merge needs an MRG segment after its PID", ErrorCode.SEGMENT_SEQUENCE)
    return PatientChange(present, _prior(mrg, issuer, default_issuer), message.control_id, raw)


def _identifiers(pid: Segment, default_issuer: str) -> PatientIdentifiers:
    found = read_patient(pid, default_issuer)
    if not found.patient_id:
        raise pid.fault(3, "expected a hospital number (CX.5 MR or PI)", ErrorCode.REQUIRED_FIELD_MISSING)
    issuer = found.issuer or default_issuer
    return PatientIdentifiers(issuer, found.patient_id, found.nhs_number, read_date(pid.first(7)))


def _prior(mrg: Segment, issuer: str, default_issuer: str) -> PatientIdentifiers:
    """The number that ends: the only hospital number of the surviving one's issuer in MRG-1."""
    found: set[str] = set()
    for cx in mrg.repetitions(1):
        whose = cx.component(6) or cx.component(4) or default_issuer
        if cx.component(1) and cx.component(5) in _HOSPITAL and whose == issuer:
            found.add(cx.component(1))
    if len(found) != 1:
        words = f"expected one hospital number of the issuer that PID-3 names, found {len(found)}"
        raise mrg.fault(1, words, ErrorCode.REQUIRED_FIELD_MISSING)
    return PatientIdentifiers(issuer, found.pop())
