"""From a header to catalogue rows and back."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Row, bindparam, select

from dicom_nodes.model.instance import InstanceHeader, QuarantinedInstance, SpooledInstance, quarantine_id_of
from dicom_nodes.model.study import StudyOwner
from dicom_nodes.rules.person_name import fold
from dicom_nodes.spool import tables
from dicom_nodes.spool.instances import short

OTHER_ACCESSIONS = "OtherAccessionNumbers"
"""Not a DICOM keyword: further accession numbers that images of one study carry, for a person to sort out."""
_STUDY = tables.study.c
OWNER_BY_STUDY_UID = select(
    _STUDY.origin, _STUDY.patient_id_issuer, _STUDY.patient_id, _STUDY.nhs_number, _STUDY.birth_date,
    _STUDY.patient_name_folded,
).where(_STUDY.study_instance_uid == bindparam("key"))  # fmt: skip
QUARANTINED_BY_ID = select(tables.quarantine.c.segment, tables.quarantine.c.epoch, tables.quarantine.c.offset).where(
    tables.quarantine.c.quarantine_id == bindparam("key")
)
_FILLABLE = (
    "nhs_number", "patient_name", "patient_name_folded", "patient_birth_date", "patient_sex", "birth_date",
    "accession_number", "accession_issuer", "study_date", "study_time", "studied_at", "study_description", "exam_code",
)  # fmt: skip
_STUDY_ATTRIBUTES = {
    "SpecificCharacterSet", "PatientBirthTime", "PatientAge", "PatientSize", "PatientWeight", "PatientComments",
    "NameOfPhysiciansReadingStudy", "TimezoneOffsetFromUTC", "InstitutionName",
}  # fmt: skip
_SERIES_ATTRIBUTES = {
    "ProtocolName", "Laterality", "PerformingPhysicianName", "OperatorsName", "Manufacturer", "ManufacturerModelName",
    "StationName", "InstitutionName", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
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
        "patient_birth_date": _date(found.get("PatientBirthDate")),
        "patient_sex": short(found.get("PatientSex"), 16),
        "birth_date": header.birth_date,
        "accession_number": header.accession_number,
        "accession_issuer": header.accession_issuer,
        "study_date": _date(found.get("StudyDate")),
        "study_time": short(found.get("StudyTime"), 16),
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
        "evicted_at": None,
    }


def series_row(header: InstanceHeader) -> dict[str, Any]:
    """The row of a series, without its count."""
    found = header.attributes
    return {
        "study_instance_uid": header.study_instance_uid,
        "series_instance_uid": header.series_instance_uid,
        "modality": short(found.get("Modality"), 16),
        "series_number": short(found.get("SeriesNumber"), 16),
        "series_description": found.get("SeriesDescription"),
        "body_part_examined": short(found.get("BodyPartExamined"), 16),
        "series_date": _date(found.get("SeriesDate")),
        "series_time": short(found.get("SeriesTime"), 16),
        "attributes": _chosen(found, _SERIES_ATTRIBUTES),
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


def filled_in(row: Mapping[str, Any], spooled: SpooledInstance) -> dict[str, Any]:
    """What this instance says of patient and study that no earlier one did; and every further accession number."""
    said = study_row(spooled)
    gaps = {name: said[name] for name in _FILLABLE if row[name] is None and said[name] is not None}
    if row["patient_id"] is None and said["patient_id"] is not None:
        gaps |= {"patient_id": said["patient_id"], "patient_id_issuer": said["patient_id_issuer"]}
    other = said["accession_number"]
    known = {row["accession_number"], *row["attributes"].get(OTHER_ACCESSIONS, "").split("\\")}
    if other is not None and row["accession_number"] is not None and other not in known:
        others = "\\".join(filter(None, (row["attributes"].get(OTHER_ACCESSIONS), other)))
        gaps["attributes"] = row["attributes"] | {OTHER_ACCESSIONS: others}
    return gaps


def owner_in(values: tuple[Any, ...] | None) -> StudyOwner | None:
    """Whose the study is, from what `OWNER_BY_STUDY_UID` selects as a driver gives it."""
    if values is None:
        return None
    origin, issuer, patient_id, nhs_number, birth_date, patient_name = values
    born = date.fromisoformat(birth_date) if isinstance(birth_date, str) else birth_date
    return StudyOwner(origin, issuer if patient_id else None, patient_id, nhs_number, born, patient_name)


def as_second_content(spooled: SpooledInstance) -> QuarantinedInstance:
    """A live object whose UID another live object has, as it is shown to a person."""
    return as_kept_aside(spooled, "same SOP Instance UID is here with other content")


def as_kept_aside(spooled: SpooledInstance, reason: str) -> QuarantinedInstance:
    """A live object that cannot be taken, as it is shown to a person."""
    header = spooled.header
    return QuarantinedInstance(
        quarantine_id=quarantine_id_of(header.sop_instance_uid, spooled.digest),
        reason=reason,
        sop_class_uid=header.sop_class_uid,
        sop_instance_uid=header.sop_instance_uid,
        study_instance_uid=header.study_instance_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        provenance=spooled.provenance,
        digest=spooled.digest,
        size_bytes=spooled.size_bytes,
        location=spooled.location,
    )


def _chosen(attributes: dict[str, str], keywords: set[str]) -> dict[str, str]:
    return {keyword: text for keyword, text in attributes.items() if keyword in keywords}


def _date(text: str | None) -> str | None:
    """A date as columns compare it; `2026.03.01` is the form of ACR-NEMA (DICOM PS3.5 table 6.2-1, DA)."""
    return short(text and text.replace(".", ""), 8)
