"""Write a report as Basic Text SR (DICOM PS3.3 A.35.1, content after PS3.16 TID 2000), in UTF-8 (ISO_IR 192).

Dates and times are Europe/London's, as on the origin's images; times with their own offset carry it.
"""

from pydicom.dataset import Dataset

from dicom_nodes.documents.report_attributes import (
    HOME,
    Value,
    accession_issuer,
    code_item,
    date_and_time,
    encoded,
    fitting,
    item_of,
    patient_attributes,
    procedure_codes,
    study_attributes,
    uid_of,
)
from dicom_nodes.documents.text_value import to_text_value
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.report import OutgoingReport
from dicom_nodes.model.report_text import control_character

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
_REGISTRATION_SCHEME = "99UKREG"
"""Coding scheme of professional registrations (GMC, HCPC): none is registered with DICOM, so a private one."""


def sop_instance_uid(report: OutgoingReport) -> str:
    """The document's UID, the same for every writing of this version."""
    return uid_of(report, "instance")


def write_document(report: OutgoingReport, organisation: str) -> bytes:
    """The data set's bytes in Explicit VR Little Endian, without file meta.

    Raises:
        PeerRefused: something of the report does not fit into DICOM; names the attribute, not the value.
    """
    _check(report)
    item = item_of(
        **patient_attributes(report),
        **study_attributes(report),
        **_series_and_equipment(report),
        **_document(report),
        **_verification(report, organisation),
        **_content(report),
    )
    return encoded(item)


def _check(report: OutgoingReport) -> None:
    if report.status not in {"P", "F", "C"}:
        raise PeerRefused("a report that is not preliminary, final or corrected cannot be a structured report")
    if report.status != "P" and not (report.author_name or report.author_registration):
        raise PeerRefused("a final report without its author cannot be a verified document")
    if not report.text.strip():
        raise PeerRefused("the report has no text")
    if control := control_character(report.text):
        raise PeerRefused(f"the report's text holds the control character {control}, which DICOM cannot carry")
    try:
        report.text.encode("utf-8")
    except UnicodeEncodeError:
        raise PeerRefused("the report's text holds half a surrogate pair, which is no character") from None


def _series_and_equipment(report: OutgoingReport) -> dict[str, Value]:
    date, time = date_and_time(report.authored_at)
    return {
        "Modality": "SR",
        "SeriesInstanceUID": uid_of(report, "series"),
        "SeriesNumber": "9000",
        "SeriesDate": date,
        "SeriesTime": time,
        "SeriesDescription": "Report",
        "ReferencedPerformedProcedureStepSequence": [],
        "Manufacturer": "Readacross",
    }


def _document(report: OutgoingReport) -> dict[str, Value]:
    date, time = date_and_time(report.authored_at)
    request = item_of(
        StudyInstanceUID=report.study_instance_uid,
        ReferencedStudySequence=[],
        AccessionNumber=report.accession_number or "",
        **accession_issuer(report),
        RequestedProcedureCodeSequence=[],
        RequestedProcedureDescription=fitting(report.study_description) or "",
        RequestedProcedureID="",
        PlacerOrderNumberImagingServiceRequest="",
        FillerOrderNumberImagingServiceRequest="",
    )
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": BASIC_TEXT_SR,
        "SOPInstanceUID": sop_instance_uid(report),
        "InstanceNumber": str(report.version),
        "ContentDate": date,
        "ContentTime": time,
        "CompletionFlag": "COMPLETE",
        "CompletionFlagDescription": _kind(report),
        "PreliminaryFlag": "PRELIMINARY" if report.status == "P" else "FINAL",
        "PerformedProcedureCodeSequence": procedure_codes(report),
        **({"ReferencedRequestSequence": [request]} if report.accession_number else {}),
    }


def _kind(report: OutgoingReport) -> str:
    return "Addendum" if report.addendum else {"P": "Preliminary", "F": "Final", "C": "Corrected"}[report.status]


def _verification(report: OutgoingReport, organisation: str) -> dict[str, Value]:
    """Author Observer for every report; Verifying Observer and VERIFIED for a final or corrected one."""
    registration = [_registration(report.author_registration)] if report.author_registration else []
    name = report.author_name or report.author_registration
    author = item_of(
        ObserverType="PSN",
        PersonName=name or "",
        PersonIdentificationCodeSequence=registration,
        InstitutionName=organisation,
        InstitutionCodeSequence=[],
    )
    authors: dict[str, Value] = {"AuthorObserverSequence": [author]} if name else {}
    if report.status == "P":
        return {"VerificationFlag": "UNVERIFIED", **authors}
    verifier = item_of(
        VerifyingOrganization=organisation,
        VerificationDateTime=report.verified_at.astimezone(HOME).strftime("%Y%m%d%H%M%S%z"),
        VerifyingObserverName=name or "",
        VerifyingObserverIdentificationCodeSequence=registration,
    )
    return {"VerificationFlag": "VERIFIED", "VerifyingObserverSequence": [verifier], **authors}


def _registration(registration: str) -> Dataset:
    return code_item(registration, _REGISTRATION_SCHEME, "Professional registration")


def _content(report: OutgoingReport) -> dict[str, Value]:
    """Title, language, observer, and one section with the text (PS3.16 TID 2000, 1204, 1002)."""
    children = [
        _content_item("HAS CONCEPT MOD", "CODE", _LANGUAGE, ConceptCodeSequence=[_english()]),
    ]
    if name := report.author_name or report.author_registration:
        children += [
            _content_item("HAS OBS CONTEXT", "CODE", _OBSERVER_TYPE, ConceptCodeSequence=[_person()]),
            _content_item("HAS OBS CONTEXT", "PNAME", _OBSERVER_NAME, PersonName=name),
        ]
    text = _content_item("CONTAINS", "TEXT", _FINDING, TextValue=to_text_value(report.text))
    children.append(
        _content_item("CONTAINS", "CONTAINER", _FINDINGS, ContinuityOfContent="SEPARATE", ContentSequence=[text])
    )
    return {
        "ValueType": "CONTAINER",
        "ConceptNameCodeSequence": [code_item("18748-4", "LN", "Diagnostic imaging report")],
        "ContinuityOfContent": "SEPARATE",
        "ContentSequence": children,
    }


_LANGUAGE = ("121049", "Language of Content Item and Descendants")
_OBSERVER_TYPE = ("121005", "Observer Type")
_OBSERVER_NAME = ("121008", "Person Observer Name")
_FINDINGS = ("121070", "Findings")
_FINDING = ("121071", "Finding")


def _english() -> Dataset:
    return code_item("en-GB", "RFC5646", "English")


def _person() -> Dataset:
    return code_item("121006", "DCM", "Person")


def _content_item(relationship: str, value_type: str, concept: tuple[str, str], **values: Value) -> Dataset:
    name = [code_item(concept[0], "DCM", concept[1])]
    return item_of(RelationshipType=relationship, ValueType=value_type, ConceptNameCodeSequence=name, **values)
