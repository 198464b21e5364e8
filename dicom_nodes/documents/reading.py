"""Read Basic Text, Enhanced and Comprehensive SR into a report (DICOM PS3.3 A.35.1–A.35.3, C.17).

The structure is checked to the last byte first, so a truncated document is never a shorter report.
"""

from datetime import UTC, datetime
from re import fullmatch
from zoneinfo import ZoneInfo

from dicom_nodes.documents.content import render
from dicom_nodes.documents.elements import Item, read_items
from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.walk import DamagedDataSetError
from dicom_nodes.model.errors import CannotUnderstand
from dicom_nodes.model.instance import InstanceHeader
from dicom_nodes.model.report import IncomingReport, ReportChannel

_REPORT_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.88.11": "Basic Text SR",
    "1.2.840.10008.5.1.4.1.1.88.22": "Enhanced SR",
    "1.2.840.10008.5.1.4.1.1.88.33": "Comprehensive SR",
}
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
    if header.sop_class_uid not in _REPORT_CLASSES:
        raise CannotUnderstand("not a report document; expected Basic Text, Enhanced or Comprehensive SR")
    if not header.sop_instance_uid:
        raise CannotUnderstand("the document has no SOP Instance UID (0008,0018)")
    text = render(document)
    if not text.strip():
        raise CannotUnderstand("the document has no report text in its content (0040,A730)")
    return _report(header, document, text, data_set)


def _report(header: InstanceHeader, document: Item, text: str, data_set: bytes) -> IncomingReport:
    patient_id, issuer = _hospital_number(header, document)
    if not (header.study_instance_uid or header.accession_number or patient_id or header.nhs_number):
        raise CannotUnderstand("the document has no identity at all: no study, accession or patient")
    registration, name = _author(document)
    return IncomingReport(
        channel=ReportChannel.DICOM_SR,
        study_instance_uid=header.study_instance_uid or None,
        accession_number=header.accession_number,
        accession_issuer=header.accession_issuer,
        patient_id=patient_id,
        patient_id_issuer=issuer,
        nhs_number=header.nhs_number,
        birth_date=header.birth_date,
        status=_status(document),
        text=text,
        author_registration=registration,
        author_name=name,
        authored_at=_authored_at(document),
        original_reference=header.sop_instance_uid,
        original=data_set,
    )


def _status(document: Item) -> str:
    """Final only if complete, verified and not flagged preliminary (C.17.2): everything else is preliminary."""
    final = (
        document.text("CompletionFlag") == "COMPLETE"
        and document.text("VerificationFlag") == "VERIFIED"
        and document.text("PreliminaryFlag") != "PRELIMINARY"
    )
    return "F" if final else "P"


def _hospital_number(header: InstanceHeader, document: Item) -> tuple[str | None, str | None]:
    """The patient's number that is not the NHS number, with its issuer."""
    if (header.patient_id_issuer or "").upper() not in _NHS_ISSUERS:
        return header.patient_id, header.patient_id_issuer
    for other in document.items("OtherPatientIDsSequence"):
        number, issuer = other.text("PatientID"), other.text("IssuerOfPatientID")
        if number and issuer and issuer.upper() not in _NHS_ISSUERS:
            return number, issuer
    return None, None


def _author(document: Item) -> tuple[str | None, str | None]:
    """(registration, name) of the verifying observer, else of the author."""
    for verifier in document.items("VerifyingObserverSequence"):
        codes = verifier.items("VerifyingObserverIdentificationCodeSequence")
        return _registration(codes), verifier.text("VerifyingObserverName") or None
    for author in document.items("AuthorObserverSequence"):
        return _registration(author.items("PersonIdentificationCodeSequence")), author.text("PersonName") or None
    return None, None


def _registration(codes: list[Item]) -> str | None:
    return codes[0].text("CodeValue") or codes[0].text("LongCodeValue") or None if codes else None


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
