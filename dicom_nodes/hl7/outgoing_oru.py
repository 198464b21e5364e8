"""Write a report as ORU^R01 for the origin's RIS (HL7 v2.5.1 ch. 7.3.1; fields as UK radiology reads them).

The same report and version always gives the same bytes, and what was written is read back and compared before it
may leave: a character set that cannot carry the text is a refusal, never a replacement (HAZARDS 14, 15).
"""

import base64
import hashlib

from dicom_nodes.config import Ris
from dicom_nodes.hl7.charset import codec_of, kinds_not_in
from dicom_nodes.hl7.escapes import escape
from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.oru import read_oru
from dicom_nodes.hl7.timestamps import write_moment
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.report import OutgoingReport

_REPORT_CODE = "18748-4^Diagnostic imaging report^LN"
_STUDY_UID_CODE = "113014^DICOM Study^DCM"
"""As IHE RAD-28 writes it."""


def control_id(report: OutgoingReport) -> str:
    """MSH-10: 20 characters that are the same for every sending of this version, so the RIS can tell a repeat."""
    digest = hashlib.sha256(f"{report.report_id}\n{report.version}".encode()).digest()
    return base64.b32encode(digest).decode("ascii")[:20]


def build_oru(report: OutgoingReport, ris: Ris, ods_code: str) -> bytes:
    """Build the message, without its MLLP frame.

    Raises:
        PeerRefused: the RIS's character set cannot carry the report, or it would not read back as it is.
    """
    segments = [
        _msh(report, ris, ods_code),
        _pid(report),
        _line("ORC", {1: "RE", 3: _accession(report)}),
        _obr(report),
        _line("OBX", {1: "1", 2: "HD", 3: _STUDY_UID_CODE, 5: report.study_instance_uid, 11: "O"}),
        _line("OBX", {1: "2", 2: "FT", 3: _REPORT_CODE, 5: escape(report.text, line_breaks=True), 11: report.status}),
    ]
    text = "".join(segment + "\r" for segment in segments)
    if missing := kinds_not_in(text, ris.charset):
        raise PeerRefused(f"the RIS's character set {ris.charset} has no {missing}; nothing was sent")
    message = text.encode(codec_of(ris.charset))
    _prove(message, report, ris.processing_id)
    return message


def _prove(message: bytes, report: OutgoingReport, processing_id: str) -> None:
    """Read the message as its receiver will, and compare."""
    try:
        read = read_oru(message, processing_id)
    except Hl7Fault as fault:
        raise PeerRefused(f"the report cannot be written as ORU^R01: {fault}; nothing was sent") from None
    same_text = (read.text, read.status) == (report.text, report.status)
    same_patient = (read.nhs_number, read.patient_id) == (report.nhs_number, report.patient_id)
    same_study = read.study_instance_uid == report.study_instance_uid
    same_accession = report.accession_number in {None, read.accession_number}
    if not (same_text and same_patient and same_study and same_accession):
        raise PeerRefused("the report would not read back as it is from ORU^R01; nothing was sent")


def _line(name: str, fields: dict[int, str]) -> str:
    """A segment from field numbers (not for MSH, whose first field is the separator)."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def _msh(report: OutgoingReport, ris: Ris, ods_code: str) -> str:
    fields = {
        2: "^~\\&",
        3: escape(ris.sending_application),
        4: ods_code,
        5: escape(ris.receiving_application),
        6: ods_code,
        7: write_moment(report.verified_at),
        9: "ORU^R01" if ris.version == "2.3" else "ORU^R01^ORU_R01",
        10: control_id(report),
        11: ris.processing_id,
        12: ris.version,
        17: "GBR",
        18: ris.charset,
    }
    return "MSH|" + "|".join(fields.get(number, "") for number in range(2, 19))


def _pid(report: OutgoingReport) -> str:
    identifiers = [f"{escape(report.nhs_number)}^^^NHS^NH"] if report.nhs_number else []
    if report.patient_id:
        issuer = escape(report.patient_id_issuer or "")
        identifiers.append(f"{escape(report.patient_id)}^^^{issuer}^MR^{issuer}".rstrip("^"))
    birth_date = report.birth_date.strftime("%Y%m%d") if report.birth_date else ""
    sex = report.patient_sex if report.patient_sex in {"M", "F", "O"} else "U"
    return _line("PID", {1: "1", 3: "~".join(identifiers), 5: _person(report.patient_name), 7: birth_date, 8: sex})


def _person(name: str | None) -> str:
    """DICOM PN (family^given^middle^prefix^suffix) as XPN, where suffix and prefix change places."""
    family, given, middle, prefix, suffix = _name_parts(name)
    return "^".join([family, given, middle, suffix, prefix]).rstrip("^")


def _name_parts(name: str | None) -> list[str]:
    alphabetic = (name or "").split("=")[0].split("^")
    return [escape(part.strip()) for part in [*alphabetic, "", "", "", "", ""][:5]]


def _accession(report: OutgoingReport) -> str:
    """ORC-3 with the authority in its fourth component."""
    number, issuer = escape(report.accession_number or ""), escape(report.accession_issuer or "")
    return f"{number}^^^{issuer}".rstrip("^")


def _obr(report: OutgoingReport) -> str:
    code, scheme, meaning = report.exam_code or ("", "", None)
    service = "^".join(escape(part) for part in (code, meaning or report.study_description or "", scheme)).rstrip("^")
    return _line(
        "OBR",
        {
            1: "1",
            3: escape(report.report_id),
            4: service or _REPORT_CODE,
            7: write_moment(report.study_time) if report.study_time else "",
            22: write_moment(report.authored_at),
            24: escape(report.modality or ""),
            25: report.status,
            32: _reporter(report),
        },
    )


def _reporter(report: OutgoingReport) -> str:
    """OBR-32 as NDL, whose first component is CNN: id & family & given & middle & suffix & prefix."""
    family, given, middle, prefix, suffix = _name_parts(report.author_name)
    return "&".join([escape(report.author_registration or ""), family, given, middle, suffix, prefix]).rstrip("&")
