"""Whose a study is, as its instances say one after the other: the first to say something counts (HAZARDS 7)."""

from dicom_nodes.model.instance import InstanceHeader
from dicom_nodes.model.study import StudyOwner
from dicom_nodes.rules.person_name import fold


def owner_said_by(header: InstanceHeader, origin: str) -> StudyOwner:
    """Whose its study is, as this instance alone says."""
    name = header.attributes.get("PatientName")
    return StudyOwner(
        origin=origin,
        patient_id_issuer=header.patient_id_issuer if header.patient_id else None,
        patient_id=header.patient_id,
        nhs_number=header.nhs_number,
        birth_date=header.birth_date,
        patient_name=None if name is None else fold(name),
    )


def merged_owner(first: StudyOwner | None, later: StudyOwner | None) -> StudyOwner | None:
    """Whose the study is when both have spoken."""
    if first is None or later is None or first == later:
        return first or later
    return StudyOwner(
        origin=first.origin,
        patient_id_issuer=later.patient_id_issuer if first.patient_id_issuer is None else first.patient_id_issuer,
        patient_id=later.patient_id if first.patient_id is None else first.patient_id,
        nhs_number=first.nhs_number or later.nhs_number,
        birth_date=first.birth_date or later.birth_date,
        patient_name=later.patient_name if first.patient_name is None else first.patient_name,
    )
