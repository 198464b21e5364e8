"""Attributes that every document of a report has: whose it is, of which study, and how values are checked (PS3.3 C.7).

Dates and times are Europe/London's, as on the origin's images. A value that does not fit its VR is refused by the
attribute's name and never quoted.
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

from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.report import OutgoingReport

_NAMESPACE = UUID("0b8a2a44-6d0e-4a6e-9a0c-6d1f7a3f0c11")
HOME = ZoneInfo("Europe/London")

Value = str | int | bytes | list[Dataset]


def encoded(data_set: Dataset) -> bytes:
    """The data set's bytes in Explicit VR Little Endian, without file meta."""
    buffer = BytesIO()
    stream = DicomIO(buffer)
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, data_set)
    return buffer.getvalue()


def patient_attributes(report: OutgoingReport) -> dict[str, Value]:
    nhs = item_of(PatientID=report.nhs_number or "", IssuerOfPatientID="NHS", TypeOfPatientID="TEXT")
    return {
        "PatientName": report.patient_name or "",
        "PatientID": report.patient_id or "",
        **present(IssuerOfPatientID=report.patient_id_issuer if report.patient_id else None),
        "PatientBirthDate": report.birth_date.strftime("%Y%m%d") if report.birth_date else "",
        "PatientSex": report.patient_sex if report.patient_sex in {"M", "F", "O"} else "",
        **({"OtherPatientIDsSequence": [nhs]} if report.nhs_number else {}),
    }


def study_attributes(report: OutgoingReport) -> dict[str, Value]:
    date, time = date_and_time(report.study_time) if report.study_time else ("", "")
    return {
        "StudyInstanceUID": report.study_instance_uid,
        "StudyDate": date,
        "StudyTime": time,
        "StudyID": "",
        "ReferringPhysicianName": "",
        "AccessionNumber": report.accession_number or "",
        **accession_issuer(report),
        **present(StudyDescription=fitting(report.study_description)),
    }


def procedure_codes(report: OutgoingReport) -> list[Dataset]:
    if report.exam_code is None or not report.exam_code[1]:
        return []
    value, scheme, meaning = report.exam_code
    return [code_item(value, scheme, meaning or value)]


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    keyword = "CodeValue" if len(value) <= 16 else "LongCodeValue"
    return item_of(**{keyword: value}, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def accession_issuer(report: OutgoingReport) -> dict[str, Value]:
    if not (report.accession_number and report.accession_issuer):
        return {}
    return {"IssuerOfAccessionNumberSequence": [item_of(LocalNamespaceEntityID=report.accession_issuer)]}


def present(**values: str | None) -> dict[str, Value]:
    return {keyword: value for keyword, value in values.items() if value}


def fitting(description: str | None) -> str | None:
    """A description that is not valid as LO is left out: it is only there for convenience."""
    return description if description and len(description) <= 64 and "\\" not in description else None


def item_of(**values: Value) -> Dataset:
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


def date_and_time(moment: datetime) -> tuple[str, str]:
    local = moment.astimezone(HOME)
    return local.strftime("%Y%m%d"), local.strftime("%H%M%S")


def uid_of(report: OutgoingReport, what: str) -> str:
    """A UID that is the same for every writing of this version, and another once the patient is known by others.

    One SOP Instance UID never names two patients, nor does one series hold documents of both (DICOM PS3.5 section 9).
    """
    return f"2.25.{uuid5(_NAMESPACE, f'{report.report_id}/{report.version}/{what}{report.moved_to}').int}"
