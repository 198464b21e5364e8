"""Read ORU^R01 into reports (HL7 v2.5.1 ch. 7.3.1; fields as UK radiology fills them).

One message is about one patient. Orders of one accession number are one report; orders of several are several, each
with text of its own. What would be lost or guessed is a fault of the whole message instead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dicom_nodes.hl7.authors import read_authors, signer_of
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.header import check_header, refused
from dicom_nodes.hl7.identifiers import Accession, Patient, accession_of, read_patient
from dicom_nodes.hl7.message import Message, Segment
from dicom_nodes.hl7.observations import TEXT_TYPES, alert_codes, names_the_study, read_words, study_instance_uid
from dicom_nodes.hl7.report_status import read_status
from dicom_nodes.hl7.timestamps import read_date, read_moment
from dicom_nodes.model.report import IncomingReport, ReportChannel

SEGMENTS = {
    "MSH", "SFT", "UAC", "PID", "PD1", "NK1", "ARV", "NTE", "PRT", "PV1", "PV2", "ORC", "OBR", "OBX", "TQ1", "TQ2",
    "TCD", "SID", "SAC", "CTD", "FT1", "CTI", "SPM", "IPC", "DSC",
}  # fmt: skip


@dataclass(slots=True)
class _Part:
    """The segments of one report."""

    accession: Accession
    orc: list[Segment] = field(default_factory=list)
    obr: list[Segment] = field(default_factory=list)
    results: list[Segment] = field(default_factory=list)

    def add(self, other: "_Part") -> None:
        self.orc += [orc for orc in other.orc if all(orc is not known for known in self.orc)]
        self.obr += other.obr
        self.results += other.results

    @property
    def observations(self) -> list[Segment]:
        return [segment for segment in self.results if segment.name == "OBX"]


def read_oru(raw: bytes, processing_id: str = "P") -> IncomingReport:
    """Read a message of one report.

    Raises:
        Hl7Fault: with segment, field and what was expected; also when it holds several reports.
    """
    reports = read_reports(raw, processing_id)
    if len(reports) > 1:
        raise Hl7Fault(Place("OBR"), f"expected one report, found {len(reports)}", ErrorCode.SEGMENT_SEQUENCE)
    return reports[0]


def read_reports(raw: bytes, processing_id: str = "P") -> tuple[IncomingReport, ...]:
    """Read a message whose MSH-11 is `processing_id`: a training message never becomes a patient's report.

    Raises:
        Hl7Fault: with segment, field and what was expected; then the message holds no report that may be taken.
    """
    message = Message(raw)
    _check_header(message, processing_id)
    pid = _only(message, "PID")
    if not message.named("OBR"):
        raise Hl7Fault(Place("OBR"), "the message has no OBR segment", ErrorCode.SEGMENT_SEQUENCE)
    parts = _parts(message)
    return tuple(_report(message, pid, part, number) for number, part in enumerate(parts, 1))


def _report(message: Message, pid: Segment, part: _Part, number: int) -> IncomingReport:
    patient = read_patient(pid, part.accession.issuer)
    uid = study_instance_uid(part.observations)
    _require_identity(pid, patient, part.accession, uid)
    texts = [one for one in part.observations if one.value(2) in TEXT_TYPES and not names_the_study(one)]
    cancelled = all(order.value(25) == "X" for order in part.obr)
    missed = texts[0].place(5) if texts else part.obr[0].place()
    words = read_words(part.results, missed, may_be_empty=cancelled)
    authors = read_authors(part.orc, part.obr, texts)
    signer = signer_of(authors)
    return IncomingReport(
        channel=ReportChannel.HL7_ORU,
        study_instance_uid=uid,
        accession_number=part.accession.number,
        accession_issuer=part.accession.issuer,
        patient_id=patient.patient_id,
        patient_id_issuer=patient.issuer,
        nhs_number=patient.nhs_number,
        birth_date=read_date(pid.first(7)),
        status=read_status(part.obr, texts, addendum=words.addendum),
        text=words.text,
        author_registration=signer.registration,
        author_name=signer.name,
        authored_at=read_moment(part.obr[0].first(22)),
        original_reference=message.control_id,
        original=bytes(message),
        sections=words.sections,
        authors=authors,
        addendum=words.addendum,
        alert_codes=alert_codes(part.observations),
        part=number,
    )


def _parts(message: Message) -> list[_Part]:
    """The message's orders, those of one accession number together, each with the results and notes behind it."""
    orders = list(_orders(message))
    accessions = list(dict.fromkeys(order.accession for order in orders if order.accession.number))
    if len(accessions) < 2:
        whole = _Part(accessions[0] if accessions else Accession(None, None))
        for order in orders:
            whole.add(order)
        return [whole]
    parts = {accession: _Part(accession) for accession in accessions}
    for order in orders:
        if order.accession.number is None:
            words = "no accession number, while the message has several: which report this is of cannot be told"
            raise (order.orc or order.obr)[0].fault(3, words, ErrorCode.REQUIRED_FIELD_MISSING)
        parts[order.accession].add(order)
    return list(parts.values())


def _orders(message: Message) -> Iterator[_Part]:
    """One OBR each, with the ORC and the notes before it and its results."""
    uses_orc = any(segment.value(3) for segment in message.named("ORC"))
    orc: list[Segment] = []
    notes: list[Segment] = []
    order: _Part | None = None
    for segment in message.segments:
        if segment.name == "ORC":
            orc, notes = [segment], []
            if order is not None:
                yield order
            order = None
        elif segment.name == "OBR":
            if order is not None:
                yield order
            accession = (
                accession_of(segment) if not uses_orc else accession_of(orc[0]) if orc else Accession(None, None)
            )
            order, notes = _Part(accession, list(orc), [segment], list(notes)), []
        elif segment.name == "OBX" and order is None:
            words = "a result before its OBR: whose it is cannot be told"
            raise Hl7Fault(segment.place(), words, ErrorCode.SEGMENT_SEQUENCE)
        elif segment.name in {"OBX", "NTE"}:
            if order is not None:
                order.results.append(segment)
            elif orc:
                notes.append(segment)
    if order is not None:
        yield order


def _require_identity(pid: Segment, patient: Patient, accession: Accession, uid: str | None) -> None:
    if not (uid or accession.number or patient.patient_id or patient.nhs_number):
        words = "no identity at all; expected an NHS number or hospital number, an accession number or a study UID"
        raise pid.fault(3, words, ErrorCode.REQUIRED_FIELD_MISSING)


def _check_header(message: Message, processing_id: str) -> None:
    header = message.header
    kind, event = header.value(9, 1), header.value(9, 2)
    if kind != "ORU":
        raise refused(9, "expected message type ORU", ErrorCode.UNSUPPORTED_MESSAGE_TYPE)
    if event != "R01":
        raise refused(9, "expected event R01", ErrorCode.UNSUPPORTED_EVENT)
    check_header(message, processing_id)
    _check_segments(message.segments, header)


def _check_segments(segments: Sequence[Segment], header: Segment) -> None:
    for segment in segments:
        is_sites_own = segment.name.startswith("Z") and segment.raw[3:4] == header.raw[3:4]
        if segment.name not in SEGMENTS and not is_sites_own:
            words = "segment not known in ORU^R01; was a carriage return left unescaped in the text before it?"
            raise Hl7Fault(segment.place(), words, ErrorCode.SEGMENT_SEQUENCE)
    if segments[-1].name == "DSC" and segments[-1].value(1):
        raise segments[-1].fault(
            1, "a message in fragments is not supported; send it whole", ErrorCode.SEGMENT_SEQUENCE
        )


def _only(message: Message, name: str) -> Segment:
    found = message.named(name)
    if len(found) != 1:
        words = f"expected one {name} segment, found {len(found)}; one message is of one patient"
        raise Hl7Fault(found[1].place() if found else Place(name), words, ErrorCode.SEGMENT_SEQUENCE)
    return found[0]
