"""Write a report as Basic Text SR (DICOM PS3.3 A.35.1, content after PS3.16 TID 2000), in UTF-8 (ISO_IR 192).

Dates and times are Europe/London's, as on the origin's images; times with their own offset carry it.
"""

from datetime import datetime
from io import BytesIO
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from pydicom.config import RAISE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset

from dicom_nodes.documents.text_value import to_text_value
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.report import OutgoingReport
from dicom_nodes.model.report_text import control_character

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
_NAMESPACE = UUID("0b8a2a44-6d0e-4a6e-9a0c-6d1f7a3f0c11")
_HOME = ZoneInfo("Europe/London")
_REGISTRATION_SCHEME = "99UKREG"
"""Coding scheme of professional registrations (GMC, HCPC): none is registered with DICOM, so a private one."""

Value = str | list[Dataset]


def sop_instance_uid(report: OutgoingReport) -> str:
    """The document's UID, the same for every writing of this version."""
    return _uid(report, "instance")


def write_document(report: OutgoingReport, organisation: str) -> bytes:
    """The data set's bytes in Explicit VR Little Endian, without file meta.

    Raises:
        PeerRefused: something of the report does not fit into DICOM; names the attribute, not the value.
    """
    _check(report)
    item = _item(
        **_patient(report),
        **_study(report),
        **_series_and_equipment(report),
        **_document(report),
        **_verification(report, organisation),
        **_content(report),
    )
    encoded = BytesIO()
    stream = DicomIO(encoded)
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, item)
    return encoded.getvalue()


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


def _patient(report: OutgoingReport) -> dict[str, Value]:
    nhs = _item(PatientID=report.nhs_number or "", IssuerOfPatientID="NHS", TypeOfPatientID="TEXT")
    return {
        "PatientName": report.patient_name or "",
        "PatientID": report.patient_id or "",
        **_present(IssuerOfPatientID=report.patient_id_issuer if report.patient_id else None),
        "PatientBirthDate": report.birth_date.strftime("%Y%m%d") if report.birth_date else "",
        "PatientSex": report.patient_sex if report.patient_sex in {"M", "F", "O"} else "",
        **({"OtherPatientIDsSequence": [nhs]} if report.nhs_number else {}),
    }


def _study(report: OutgoingReport) -> dict[str, Value]:
    date, time = _date_and_time(report.study_time) if report.study_time else ("", "")
    return {
        "StudyInstanceUID": report.study_instance_uid,
        "StudyDate": date,
        "StudyTime": time,
        "StudyID": "",
        "ReferringPhysicianName": "",
        "AccessionNumber": report.accession_number or "",
        **_accession_issuer(report),
        **_present(StudyDescription=_fitting(report.study_description)),
    }


def _series_and_equipment(report: OutgoingReport) -> dict[str, Value]:
    date, time = _date_and_time(report.authored_at)
    return {
        "Modality": "SR",
        "SeriesInstanceUID": _uid(report, "series"),
        "SeriesNumber": "9000",
        "SeriesDate": date,
        "SeriesTime": time,
        "SeriesDescription": "Report",
        "ReferencedPerformedProcedureStepSequence": [],
        "Manufacturer": "Readacross",
    }


def _document(report: OutgoingReport) -> dict[str, Value]:
    date, time = _date_and_time(report.authored_at)
    request = _item(
        StudyInstanceUID=report.study_instance_uid,
        ReferencedStudySequence=[],
        AccessionNumber=report.accession_number or "",
        **_accession_issuer(report),
        RequestedProcedureCodeSequence=[],
        RequestedProcedureDescription=_fitting(report.study_description) or "",
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
        "CompletionFlagDescription": {"P": "Preliminary", "F": "Final", "C": "Corrected"}[report.status],
        "PreliminaryFlag": "PRELIMINARY" if report.status == "P" else "FINAL",
        "PerformedProcedureCodeSequence": _procedure(report),
        **({"ReferencedRequestSequence": [request]} if report.accession_number else {}),
    }


def _procedure(report: OutgoingReport) -> list[Dataset]:
    if report.exam_code is None or not report.exam_code[1]:
        return []
    value, scheme, meaning = report.exam_code
    return [_code(value, scheme, meaning or value)]


def _verification(report: OutgoingReport, organisation: str) -> dict[str, Value]:
    """Author Observer for every report; Verifying Observer and VERIFIED for a final or corrected one."""
    registration = [_registration(report.author_registration)] if report.author_registration else []
    name = report.author_name or report.author_registration
    author = _item(
        ObserverType="PSN",
        PersonName=name or "",
        PersonIdentificationCodeSequence=registration,
        InstitutionName=organisation,
        InstitutionCodeSequence=[],
    )
    authors: dict[str, Value] = {"AuthorObserverSequence": [author]} if name else {}
    if report.status == "P":
        return {"VerificationFlag": "UNVERIFIED", **authors}
    verifier = _item(
        VerifyingOrganization=organisation,
        VerificationDateTime=report.verified_at.astimezone(_HOME).strftime("%Y%m%d%H%M%S%z"),
        VerifyingObserverName=name or "",
        VerifyingObserverIdentificationCodeSequence=registration,
    )
    return {"VerificationFlag": "VERIFIED", "VerifyingObserverSequence": [verifier], **authors}


def _registration(registration: str) -> Dataset:
    return _code(registration, _REGISTRATION_SCHEME, "Professional registration")


def _content(report: OutgoingReport) -> dict[str, Value]:
    """Title, language, observer, and one section with the text (PS3.16 TID 2000, 1204, 1002)."""
    children = [
        _content_item("HAS CONCEPT MOD", "CODE", _LANGUAGE, ConceptCodeSequence=[_code("en-GB", "RFC5646", "English")]),
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
        "ConceptNameCodeSequence": [_code("18748-4", "LN", "Diagnostic imaging report")],
        "ContinuityOfContent": "SEPARATE",
        "ContentSequence": children,
    }


_LANGUAGE = ("121049", "Language of Content Item and Descendants")
_OBSERVER_TYPE = ("121005", "Observer Type")
_OBSERVER_NAME = ("121008", "Person Observer Name")
_FINDINGS = ("121070", "Findings")
_FINDING = ("121071", "Finding")


def _person() -> Dataset:
    return _code("121006", "DCM", "Person")


def _content_item(relationship: str, value_type: str, concept: tuple[str, str], **values: Value) -> Dataset:
    name = [_code(concept[0], "DCM", concept[1])]
    return _item(RelationshipType=relationship, ValueType=value_type, ConceptNameCodeSequence=name, **values)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    keyword = "CodeValue" if len(value) <= 16 else "LongCodeValue"
    return _item(**{keyword: value}, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _accession_issuer(report: OutgoingReport) -> dict[str, Value]:
    if not (report.accession_number and report.accession_issuer):
        return {}
    return {"IssuerOfAccessionNumberSequence": [_item(LocalNamespaceEntityID=report.accession_issuer)]}


def _present(**values: str | None) -> dict[str, Value]:
    return {keyword: value for keyword, value in values.items() if value}


def _fitting(description: str | None) -> str | None:
    """A description that is not valid as LO is left out: it is only there for convenience."""
    return description if description and len(description) <= 64 and "\\" not in description else None


def _item(**values: Value) -> Dataset:
    """A data set of these attributes; every value is checked against its VR, and never quoted in an error."""
    item = Dataset()
    for keyword, value in values.items():
        tag = tag_for_keyword(keyword)
        assert tag is not None, keyword
        vr = dictionary_VR(tag)
        if isinstance(value, str) and vr != "UT" and "\\" in value:
            raise PeerRefused(f"{keyword} of the report holds a backslash, which DICOM takes for a separator")
        try:
            item.add(DataElement(tag, vr, value, validation_mode=RAISE))
        except ValueError:
            raise PeerRefused(f"{keyword} of the report does not fit into DICOM's {vr}") from None
    return item


def _date_and_time(moment: datetime) -> tuple[str, str]:
    local = moment.astimezone(_HOME)
    return local.strftime("%Y%m%d"), local.strftime("%H%M%S")


def _uid(report: OutgoingReport, what: str) -> str:
    return f"2.25.{uuid5(_NAMESPACE, f'{report.report_id}/{report.version}/{what}').int}"
