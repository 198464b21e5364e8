"""Write a report as ORU^R01 for the origin's RIS (HL7 v2.5.1 ch. 7.3.1; fields as UK radiology reads them).

The same report and version always gives the same bytes, and what was written is read back and compared before it
may leave: what the message cannot carry is a loss, and one that changes the meaning a refusal (HAZARDS 14, 15).
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from dicom_nodes.config import Ris
from dicom_nodes.hl7.charset import codec_of, kinds_not_in
from dicom_nodes.hl7.escapes import escape
from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.message import Message
from dicom_nodes.hl7.oru import read_oru
from dicom_nodes.hl7.oru_text import lines_of, text_segments, too_long, values_of
from dicom_nodes.hl7.outgoing_segments import accession, line, msh, name_parts, pid
from dicom_nodes.hl7.timestamps import write_moment
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.loss import Loss, LossKind
from dicom_nodes.model.report import IncomingReport, OutgoingReport, ReportAuthor
from dicom_nodes.report_settings import OruHabits
from dicom_nodes.rules.report_losses import TYPOGRAPHY, harmful, losses_of_text, why_not_sent, with_stand_ins

_REPORT_CODE = "18748-4^Diagnostic imaging report^LN"
_STUDY_UID_CODE = "113014^DICOM Study^DCM"
"""As IHE RAD-28 writes it."""
_OBX_4_IS_REQUIRED = {"2.3", "2.3.1"}
_QUANTITY_IS_REQUIRED = {"2.3"}
"""ORC-7 and OBR-27, of which only the quantity is said: one examination (HL7 v2.3 ch. 4.3.1.7)."""
_AS_BEFORE = OruHabits()


@dataclass(frozen=True, slots=True)
class WrittenOru:
    """A message without its MLLP frame, and what it could not carry."""

    message: bytes
    losses: tuple[Loss, ...]


def control_id(report: OutgoingReport) -> str:
    """MSH-10: 20 characters that are the same for every sending of this version, so the RIS can tell a repeat.

    Under another identity of the patient it is none: a RIS that has it under the old number would file it no more.
    """
    digest = hashlib.sha256(f"{report.report_id}\n{report.version}{report.moved_to}".encode()).digest()
    return base64.b32encode(digest).decode("ascii")[:20]


def build_oru(report: OutgoingReport, ris: Ris, ods_code: str, habits: OruHabits = _AS_BEFORE) -> bytes:
    """The message alone; see `write_oru`."""
    return write_oru(report, ris, ods_code, habits).message


def write_oru(report: OutgoingReport, ris: Ris, ods_code: str, habits: OruHabits = _AS_BEFORE) -> WrittenOru:
    """Build the message and read it back.

    Raises:
        PeerRefused: it would not arrive as it is, in its text or in whom and what it is about; the loss report.
    """
    if habits.addendum == "alone" and report.addition is not None:
        report = replace(report, text=report.addition)
    substitutions = _substitutions(report.text, ris, habits)
    lines = lines_of(with_stand_ins(report.text, substitutions), habits)
    values = values_of(lines, habits)
    segments = "".join(segment + "\r" for segment in _segments(report, values, ris, ods_code, habits))
    losses = [*too_long(lines, values, habits, codec_of(ris.charset)), *_not_in_the_charset(segments, ris)]
    _refuse(losses)
    message = segments.encode(codec_of(ris.charset))
    losses += _losses(message, report, ris.processing_id, habits, substitutions)
    _refuse(losses)
    return WrittenOru(message, tuple(losses))


def _refuse(losses: list[Loss]) -> None:
    if harmful(losses):
        raise PeerRefused(why_not_sent("ris", losses) or "")


def _substitutions(text: str, ris: Ris, habits: OruHabits) -> dict[str, str]:
    if not habits.plain_typography:
        return {}
    lacking = {character for character in set(text) if kinds_not_in(character, ris.charset)}
    return {character: TYPOGRAPHY[character] for character in lacking.intersection(TYPOGRAPHY)}


def _not_in_the_charset(segments: str, ris: Ris) -> Iterator[Loss]:
    if missing := kinds_not_in(segments, ris.charset):
        words = f"the RIS's character set {ris.charset} has no {missing}"
        yield Loss(LossKind.CHARACTERS, words, changes_meaning=True)


def _segments(report: OutgoingReport, values: list[str], ris: Ris, ods_code: str, habits: OruHabits) -> list[str]:
    has_sub_id = ris.version in _OBX_4_IS_REQUIRED
    observations = text_segments(values, habits, report.status, 2 if "obx" in habits.study_uid else 1, has_sub_id)
    sub_id = "1" if has_sub_id else ""
    study = line("OBX", {1: "1", 2: "HD", 3: _STUDY_UID_CODE, 4: sub_id, 5: report.study_instance_uid, 11: "O"})
    studies = [study] if "obx" in habits.study_uid else []
    quantity = "1" if ris.version in _QUANTITY_IS_REQUIRED else ""
    orc = line("ORC", {1: "RE", 3: accession(report), **({7: quantity} if quantity else {})})
    notes_first = habits.text == "nte_per_line"
    return [
        msh(control_id(report), report.verified_at, ris, ods_code),
        pid(report),
        *([orc] if habits.orc else []),
        _obr(report, habits, quantity),
        *((*observations, *studies) if notes_first else (*studies, *observations)),
        *([f"ZDS|{report.study_instance_uid}^READACROSS^Application^DICOM"] if "zds" in habits.study_uid else []),
    ]


def _losses(
    message: bytes, report: OutgoingReport, processing_id: str, habits: OruHabits, substitutions: Mapping[str, str]
) -> Iterator[Loss]:
    """Read the message as its receiver will, and compare."""
    try:
        read = read_oru(message, processing_id)
    except Hl7Fault as fault:
        raise PeerRefused(f"the report cannot be written as ORU^R01: {fault}; nothing was sent") from None
    yield from losses_of_text(report.text, read.text, substitutions)
    if differing := _differing(message, read, report, habits):
        yield Loss(LossKind.STRUCTURE, f"{differing} would not read back as it is", changes_meaning=True)
    if not habits.study_uid:
        yield Loss(LossKind.STRUCTURE, "the Study Instance UID is not sent (reports.oru.study_uid)", False)
    if not habits.orc:
        yield Loss(LossKind.STRUCTURE, "without ORC the report's own number is not sent (reports.oru.orc)", False)


def _differing(message: bytes, read: IncomingReport, report: OutgoingReport, habits: OruHabits) -> str:
    told = {
        "the status": (read.status, report.status),
        "the NHS number": (read.nhs_number, report.nhs_number),
        "the hospital number": (read.patient_id, report.patient_id),
        "the birth date": (read.birth_date, report.birth_date),
    }
    if report.accession_number is not None:
        told["the accession number"] = (read.accession_number, report.accession_number)
    if "obx" in habits.study_uid:
        told["the Study Instance UID"] = (read.study_instance_uid, report.study_instance_uid)
    if "zds" in habits.study_uid:
        told["ZDS-1"] = (Message(message).named("ZDS")[0].value(1), report.study_instance_uid)
    return ", ".join(name for name, (arrived, came) in told.items() if arrived != came)


def _obr(report: OutgoingReport, habits: OruHabits, quantity: str) -> str:
    code, scheme, meaning = report.exam_code or ("", "", None)
    service = "^".join(escape(part) for part in (code, meaning or report.study_description or "", scheme)).rstrip("^")
    return line(
        "OBR",
        {
            1: "1",
            3: escape(report.report_id) if habits.orc else accession(report),
            4: service or _REPORT_CODE,
            7: write_moment(report.study_time) if report.study_time else "",
            22: write_moment(report.authored_at),
            24: escape(report.modality or ""),
            25: report.status,
            27: quantity,
            32: _person_and_number(ReportAuthor(report.author_registration, report.author_name)),
            33: "~".join(_person_and_number(author) for author in report.assistants),
        },
    )


def _person_and_number(author: ReportAuthor) -> str:
    """NDL, whose first component is CNN: id & family & given & middle & suffix & prefix."""
    family, given, middle, prefix, suffix = name_parts(author.name)
    return "&".join([escape(author.registration or ""), family, given, middle, suffix, prefix]).rstrip("&")
