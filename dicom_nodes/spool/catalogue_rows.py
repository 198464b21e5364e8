"""From a header to catalogue rows and back."""

from typing import Any

from sqlalchemy import Row

from dicom_nodes.model.instance import InstanceHeader, SpooledInstance, StoredObject
from dicom_nodes.rules.person_name import fold

_STUDY_ATTRIBUTES = {
    "SpecificCharacterSet", "PatientBirthTime", "PatientAge", "PatientSize", "PatientWeight", "PatientComments",
    "NameOfPhysiciansReadingStudy", "TimezoneOffsetFromUTC", "InstitutionName",
}  # fmt: skip
_SERIES_ATTRIBUTES = {
    "ProtocolName", "Laterality", "PerformingPhysicianName", "OperatorsName", "Manufacturer", "ManufacturerModelName",
    "StationName", "InstitutionName", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
}  # fmt: skip
_IMAGE_ATTRIBUTES = {
    "ImageType", "ContentDate", "ContentTime", "AcquisitionDate", "AcquisitionNumber", "Rows", "Columns",
    "BitsAllocated", "NumberOfFrames", "CompletionFlag", "VerificationFlag",
}  # fmt: skip


def folded(text: str | None) -> str | None:
    """The text as names are compared: case-folded and without diacritics (DICOM PS3.4 C.2.2.2.1)."""
    return None if text is None else fold(text)


def study_row(spooled: SpooledInstance) -> dict[str, Any]:
    """The row of a study whose first instance this is; counts start at 0."""
    header, found = spooled.header, spooled.header.attributes
    return {
        "study_instance_uid": header.study_instance_uid,
        "origin": spooled.provenance.origin,
        "patient_id": header.patient_id,
        "patient_id_issuer": header.patient_id_issuer,
        "nhs_number": header.nhs_number,
        "patient_name": found.get("PatientName"),
        "patient_name_folded": folded(found.get("PatientName")),
        "patient_birth_date": _short(found.get("PatientBirthDate"), 8),
        "patient_sex": _short(found.get("PatientSex"), 16),
        "birth_date": header.birth_date,
        "accession_number": header.accession_number,
        "accession_issuer": header.accession_issuer,
        "study_date": _short(found.get("StudyDate"), 8),
        "study_time": _short(found.get("StudyTime"), 16),
        "studied_at": header.study_time,
        "study_id": found.get("StudyID"),
        "study_description": found.get("StudyDescription"),
        "referring_physician_name": found.get("ReferringPhysicianName"),
        "referring_physician_name_folded": folded(found.get("ReferringPhysicianName")),
        "exam_code": list(header.exam_code) if header.exam_code else None,
        "modalities": "",
        "series_count": 0,
        "instance_count": 0,
        "attributes": _chosen(found, _STUDY_ATTRIBUTES),
        "sending_ae_title": spooled.provenance.sending_ae_title,
        "last_arrival": spooled.provenance.received_at,
        "growing": False,
        "settled_revision": 0,
        "archived_revision": 0,
    }


def series_row(header: InstanceHeader) -> dict[str, Any]:
    """The row of a series, without its count."""
    found = header.attributes
    return {
        "study_instance_uid": header.study_instance_uid,
        "series_instance_uid": header.series_instance_uid,
        "modality": _short(found.get("Modality"), 16),
        "series_number": _short(found.get("SeriesNumber"), 16),
        "series_description": found.get("SeriesDescription"),
        "body_part_examined": _short(found.get("BodyPartExamined"), 16),
        "series_date": _short(found.get("SeriesDate"), 8),
        "series_time": _short(found.get("SeriesTime"), 16),
        "attributes": _chosen(found, _SERIES_ATTRIBUTES),
    }


def instance_row(spooled: SpooledInstance) -> dict[str, Any]:
    """The row of an instance."""
    header, provenance = spooled.header, spooled.provenance
    return {
        "sop_instance_uid": header.sop_instance_uid,
        "sop_class_uid": header.sop_class_uid,
        "series_instance_uid": header.series_instance_uid,
        "study_instance_uid": header.study_instance_uid,
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "instance_number": _short(header.attributes.get("InstanceNumber"), 16),
        "digest": spooled.digest,
        "size_bytes": spooled.size_bytes,
        "origin": provenance.origin,
        "channel": provenance.channel.value,
        "sending_ae_title": provenance.sending_ae_title,
        "received_at": provenance.received_at,
        "location": spooled.location,
        "attributes": _chosen(header.attributes, _IMAGE_ATTRIBUTES),
        "archived_at": None,
    }


def study_header(row: Row[Any]) -> InstanceHeader:
    """A header that stands for the study: patient and study level only, no instance UIDs."""
    columns = {
        "PatientName": row.patient_name,
        "PatientID": row.patient_id,
        "PatientBirthDate": row.patient_birth_date,
        "PatientSex": row.patient_sex,
        "AccessionNumber": row.accession_number,
        "StudyDate": row.study_date,
        "StudyTime": row.study_time,
        "StudyID": row.study_id,
        "StudyDescription": row.study_description,
        "ReferringPhysicianName": row.referring_physician_name,
        "StudyInstanceUID": row.study_instance_uid,
    }
    return InstanceHeader(
        sop_class_uid="",
        sop_instance_uid="",
        study_instance_uid=row.study_instance_uid,
        series_instance_uid="",
        transfer_syntax_uid="",
        patient_id=row.patient_id,
        patient_id_issuer=row.patient_id_issuer,
        nhs_number=row.nhs_number,
        birth_date=row.birth_date,
        accession_number=row.accession_number,
        accession_issuer=row.accession_issuer,
        study_time=row.studied_at,
        exam_code=(row.exam_code[0], row.exam_code[1], row.exam_code[2]) if row.exam_code else None,
        attributes=row.attributes | {keyword: text for keyword, text in columns.items() if text},
    )


def stored_object(row: Row[Any]) -> StoredObject:
    """An instance row as senders need it."""
    return StoredObject(**{name: getattr(row, name) for name in StoredObject.__dataclass_fields__})


def _chosen(attributes: dict[str, str], keywords: set[str]) -> dict[str, str]:
    return {keyword: text for keyword, text in attributes.items() if keyword in keywords}


def _short(text: str | None, longest: int) -> str | None:
    """A key as a column takes it; an overlong value is not a value of that kind and matches nothing."""
    return text if text is None or len(text) <= longest else None
