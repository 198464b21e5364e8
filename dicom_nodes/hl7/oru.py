"""Read ORU^R01 into a report (HL7 v2.5.1 ch. 7.3.1; fields as UK radiology fills them).

One message is one report of one patient and one examination. What would be lost or guessed is a fault instead.
"""

import re
from collections.abc import Iterator, Sequence

from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.identifiers import read_accession, read_patient
from dicom_nodes.hl7.message import Field, Message, Segment
from dicom_nodes.hl7.timestamps import read_date, read_moment
from dicom_nodes.model.report import AckCode, IncomingReport, ReportChannel

SEGMENTS = {
    "MSH", "SFT", "UAC", "PID", "PD1", "NK1", "ARV", "NTE", "PRT", "PV1", "PV2", "ORC", "OBR", "OBX", "TQ1", "TQ2",
    "TCD", "SID", "SAC", "CTD", "FT1", "CTI", "SPM", "IPC",
}  # fmt: skip
_TEXT_TYPES = {"TX", "FT", "ST"}
_COPIES = {"ED", "RP"}
"""Encapsulated or referenced documents: a copy for printing beside the text, kept with the original."""
_STUDY_UID_CODE = "113014"
_STATUSES = {"P", "F", "C", "X"}
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")


def read_oru(raw: bytes, processing_id: str = "P") -> IncomingReport:
    """Read a message whose MSH-11 is `processing_id`: a training message never becomes a patient's report.

    Raises:
        Hl7Fault: with segment, field and what was expected.
    """
    message = Message(raw)
    _check_header(message, processing_id)
    pid, orders = _only(message, "PID"), message.named("OBR")
    if not orders:
        raise Hl7Fault(Place("OBR"), "the message has no OBR segment", ErrorCode.SEGMENT_SEQUENCE)
    observations = message.named("OBX")
    accession = read_accession(message)
    patient = read_patient(pid, accession.issuer)
    study_instance_uid = _study_instance_uid(observations)
    if not (study_instance_uid or accession.number or patient.patient_id or patient.nhs_number):
        words = "no identity at all; expected an NHS number or hospital number, an accession number or a study UID"
        raise pid.fault(3, words, ErrorCode.REQUIRED_FIELD_MISSING)
    registration, name = _author(_same(orders, 32))
    return IncomingReport(
        channel=ReportChannel.HL7_ORU,
        study_instance_uid=study_instance_uid,
        accession_number=accession.number,
        accession_issuer=accession.issuer,
        patient_id=patient.patient_id,
        patient_id_issuer=patient.issuer,
        nhs_number=patient.nhs_number,
        birth_date=read_date(pid.first(7)),
        status=_status(orders, observations),
        text=_text(message),
        author_registration=registration,
        author_name=name,
        authored_at=read_moment(orders[0].first(22)),
        original_reference=message.control_id,
        original=raw,
    )


def _check_header(message: Message, processing_id: str) -> None:
    header = message.header
    kind, event = header.value(9, 1), header.value(9, 2)
    if kind != "ORU":
        raise _refused(9, "expected message type ORU", ErrorCode.UNSUPPORTED_MESSAGE_TYPE)
    if event != "R01":
        raise _refused(9, "expected event R01", ErrorCode.UNSUPPORTED_EVENT)
    if header.value(11) != processing_id:
        raise _refused(11, f"expected processing id {processing_id}", ErrorCode.UNSUPPORTED_PROCESSING_ID)
    if not re.fullmatch(r"2\.[1-8](\.\d)?", header.value(12)):
        raise _refused(12, "expected version 2.1 to 2.8", ErrorCode.UNSUPPORTED_VERSION)
    if not message.control_id:
        raise header.fault(10, "message control id is missing", ErrorCode.REQUIRED_FIELD_MISSING)
    for segment in message.segments:
        is_sites_own = segment.name.startswith("Z") and segment.raw[3:4] == header.raw[3:4]
        if segment.name not in SEGMENTS and not is_sites_own:
            words = "segment not known in ORU^R01; was a carriage return left unescaped in the text before it?"
            raise Hl7Fault(segment.place(), words, ErrorCode.SEGMENT_SEQUENCE)


def _refused(field: int, words: str, code: ErrorCode) -> Hl7Fault:
    return Hl7Fault(Place("MSH", field), words, code, AckCode.AR)


def _only(message: Message, name: str) -> Segment:
    found = message.named(name)
    if len(found) != 1:
        words = f"expected one {name} segment, found {len(found)}; one message is one report of one patient"
        raise Hl7Fault(Place(name), words, ErrorCode.SEGMENT_SEQUENCE)
    return found[0]


def _same(orders: Sequence[Segment], field: int) -> Field:
    """The field of the first OBR, having checked that no other OBR contradicts it."""
    for order in orders[1:]:
        if order.first(field).raw not in {b"", orders[0].first(field).raw}:
            raise order.fault(field, "differs from the first OBR's; one message is one report", ErrorCode.DATA_TYPE)
    return orders[0].first(field)


def _study_instance_uid(observations: Sequence[Segment]) -> str | None:
    uids = {}
    for observation in observations:
        if _names_the_study(observation):
            uid = observation.value(5)
            if not _UID.fullmatch(uid) or len(uid) > 64:
                raise observation.fault(5, "not a DICOM UID", ErrorCode.DATA_TYPE)
            uids[uid] = observation
    if len(uids) > 1:
        raise list(uids.values())[1].fault(5, "a second study UID; one message is one report", ErrorCode.DATA_TYPE)
    return next(iter(uids), None)


def _names_the_study(observation: Segment) -> bool:
    return observation.value(3) == _STUDY_UID_CODE and "DCM" in {observation.value(3, 2), observation.value(3, 3)}


def _status(orders: Sequence[Segment], observations: Sequence[Segment]) -> str:
    """OBR-25, or OBX-11 where it is absent; never final when any part of the text is preliminary (HAZARDS 10)."""
    texts = [observation for observation in observations if observation.value(2) in _TEXT_TYPES]
    stated = [(order, 25) for order in orders if order.value(25)] or [(text, 11) for text in texts if text.value(11)]
    if not stated:
        raise orders[0].fault(25, "status is missing, also in OBX-11", ErrorCode.REQUIRED_FIELD_MISSING)
    segment, field = stated[0]
    status = segment.value(field)
    for other, other_field in stated:
        if other.value(other_field) not in _STATUSES:
            raise other.fault(other_field, "expected status P, F, C or X", ErrorCode.TABLE_VALUE)
        if other.value(other_field) != status:
            raise other.fault(other_field, "contradicts the status stated before it", ErrorCode.TABLE_VALUE)
    for text in texts:
        if status != "P" and text.value(11) == "P":
            raise text.fault(11, "preliminary, while OBR-25 says otherwise", ErrorCode.TABLE_VALUE)
    return status


def _text(message: Message) -> str:
    text = "\n".join(line for segment in _results(message) for line in _lines(segment))
    if not text.strip():
        words = "no report text; expected OBX segments of type TX, FT or ST"
        raise Hl7Fault(Place("OBX", 5), words, ErrorCode.REQUIRED_FIELD_MISSING)
    return text


def _results(message: Message) -> Iterator[Segment]:
    """The OBX segments, and the notes (NTE) of an order or a result, in the order of the message."""
    reached = False
    for segment in message.segments:
        reached = reached or segment.name == "OBR"
        if reached and segment.name in {"OBX", "NTE"}:
            yield segment


def _lines(segment: Segment) -> Iterator[str]:
    if segment.name == "NTE":
        yield from (repetition.text() for repetition in segment.repetitions(3))
        return
    value_type = segment.value(2)
    if value_type in _TEXT_TYPES and not _names_the_study(segment):
        yield from (repetition.text() for repetition in segment.repetitions(5) or [segment.first(5)])
    elif value_type not in _COPIES and not _names_the_study(segment) and segment.value(5):
        words = "a value that is no text would be lost; expected type TX, FT or ST (or ED, RP for a copy)"
        raise segment.fault(2, words, ErrorCode.DATA_TYPE)


def _author(field: Field) -> tuple[str | None, str | None]:
    """(registration, name as DICOM PN) from OBR-32: NDL as the standard has it, or XCN as many systems send it."""
    if field.has_subcomponents(1):
        registration, family, given, middle, suffix, prefix = (field.component(1, n) for n in range(1, 7))
    else:
        registration, family, given, middle, suffix, prefix = (field.component(n) for n in range(1, 7))
        if family.isdigit():
            family = given = middle = suffix = prefix = ""
    name = "^".join([family, given, middle, prefix, suffix]).rstrip("^")
    return registration or None, name or None
