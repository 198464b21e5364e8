"""Read a report document: Basic Text, Enhanced or Comprehensive SR, or Encapsulated PDF (DICOM PS3.3 A.35, A.45).

The structure is checked to the last byte first, so a truncated document is never a shorter report.
"""

from datetime import UTC, datetime
from re import fullmatch
from zoneinfo import ZoneInfo

from dicom_nodes.documents.content import Content, read_content
from dicom_nodes.documents.elements import Item, read_items
from dicom_nodes.documents.observers import read_authors
from dicom_nodes.documents.pdf_reading import read_pdf
from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.walk import DamagedDataSetError
from dicom_nodes.model.errors import CannotUnderstand
from dicom_nodes.model.instance import InstanceHeader
from dicom_nodes.model.report import IncomingReport, ReportAuthor, ReportChannel

_REPORT_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.88.11": "Basic Text SR",
    "1.2.840.10008.5.1.4.1.1.88.22": "Enhanced SR",
    "1.2.840.10008.5.1.4.1.1.88.33": "Comprehensive SR",
    "1.2.840.10008.5.1.4.1.1.88.34": "Comprehensive 3D SR",
}
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
_NHS_ISSUERS = {"NHS", "NHSNBR", "2.16.840.1.113883.2.1.4.1"}
_HOME = ZoneInfo("Europe/London")


def read_document(data_set: bytes, transfer_syntax_uid: str) -> IncomingReport:
    """Read a document.

    Raises:
        CannotUnderstand: says what is wrong, without quoting a value.
    """
    try:
        header = read_header(data_set, transfer_syntax_uid)
        document = read_items(data_set, transfer_syntax_uid)
    except DamagedDataSetError as error:
        raise CannotUnderstand(f"the document is damaged: {error}") from None
    is_pdf = header.sop_class_uid == ENCAPSULATED_PDF
    if header.sop_class_uid not in _REPORT_CLASSES and not is_pdf:
        raise CannotUnderstand("not a report document; expected Basic Text, Enhanced or Comprehensive SR, or a PDF")
    if not header.sop_instance_uid:
        raise CannotUnderstand("the document has no SOP Instance UID (0008,0018)")
    content = read_pdf(document) if is_pdf else read_content(document)
    if not content.text.strip():
        raise CannotUnderstand("the document has no report text in its content (0040,A730)")
    channel = ReportChannel.ENCAPSULATED_PDF if is_pdf else ReportChannel.DICOM_SR
    return _report(header, document, content, data_set, channel)


def _report(
    header: InstanceHeader, document: Item, content: Content, data_set: bytes, channel: ReportChannel
) -> IncomingReport:
    patient_id, issuer = hospital_number(header, document)
    if not (header.study_instance_uid or header.accession_number or patient_id or header.nhs_number):
        raise CannotUnderstand("the document has no identity at all: no study, accession or patient")
    authors = read_authors(document)
    signer = authors[0] if authors and authors[0].role != "assistant" else ReportAuthor(None)
    return IncomingReport(
        channel=channel,
        study_instance_uid=header.study_instance_uid or None,
        accession_number=header.accession_number,
        accession_issuer=header.accession_issuer,
        patient_id=patient_id,
        patient_id_issuer=issuer,
        nhs_number=header.nhs_number,
        birth_date=header.birth_date,
        status=_status(document, is_pdf=channel is ReportChannel.ENCAPSULATED_PDF),
        text=content.text,
        author_registration=signer.registration,
        author_name=signer.name,
        authored_at=_authored_at(document),
        original_reference=header.sop_instance_uid,
        original=data_set,
        sections=content.sections,
        authors=authors,
        addendum=content.addendum,
        alert_codes=content.codes,
    )


def _status(document: Item, *, is_pdf: bool) -> str:
    """Final only if complete, verified and not flagged preliminary (C.17.2): everything else is preliminary.

    One that has predecessors corrects them. A PDF has no completion flag (C.24.2).
    """
    final = (
        (is_pdf or document.text("CompletionFlag") == "COMPLETE")
        and document.text("VerificationFlag") == "VERIFIED"
        and document.text("PreliminaryFlag") != "PRELIMINARY"
    )
    if not final:
        return "P"
    return "C" if document.items("PredecessorDocumentsSequence") else "F"


def hospital_number(header: InstanceHeader, document: Item) -> tuple[str | None, str | None]:
    """The patient's number that is not the NHS number, with its issuer."""
    if (header.patient_id_issuer or "").upper() not in _NHS_ISSUERS:
        return header.patient_id, header.patient_id_issuer
    for other in document.items("OtherPatientIDsSequence"):
        number, issuer = other.text("PatientID"), other.text("IssuerOfPatientID")
        if number and issuer and issuer.upper() not in _NHS_ISSUERS:
            return number, issuer
    return None, None


def _authored_at(document: Item) -> datetime | None:
    """Content Date and Time, else when it was verified; Europe/London where no offset is given."""
    offset = document.text("TimezoneOffsetFromUTC")
    stated = document.text("ContentDate") + document.text("ContentTime")
    moment = _moment(stated, offset)
    if moment is None:
        for verifier in document.items("VerifyingObserverSequence"):
            moment = moment or _moment(verifier.text("VerificationDateTime"), offset)
    return moment


def _moment(text: str, offset: str) -> datetime | None:
    """A DICOM DT with at least minutes; None when it is not one, or when Europe/London had it twice or never."""
    match = fullmatch(r"(\d{12})(\d\d)?(?:\.\d{1,6})?([+-]\d{4})?", text)
    if match is None:
        return None
    zone = match[3] or (offset if fullmatch(r"[+-]\d{4}", offset) else "")
    try:
        local = datetime.strptime(match[1] + (match[2] or "00") + (zone or "+0000"), "%Y%m%d%H%M%S%z")
    except ValueError:
        return None
    if zone:
        return local.astimezone(UTC)
    one, other = (local.replace(tzinfo=_HOME, fold=fold).astimezone(UTC) for fold in (0, 1))
    return one if one == other else None
