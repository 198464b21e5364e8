"""Whether a study is what an order asked for: same accession number of the same issuer, and nothing that denies it."""

from router.model.imaging_order import ImagingOrder
from router.model.study import Study
from router.model.study_identity import PatientKey


def joins(order: ImagingOrder, study: Study) -> str | None:
    """Why a study with the order's accession number is not the ordered one; None where it is. Holds no identifiers.

    A modality without a worklist makes a Study Instance UID of its own: then the patient has to agree positively.
    """
    known = [study.patient, *([study.present_patient] if study.present_patient is not None else [])]
    denials = [denial(order.patient, patient) for patient in known]
    if all(denials):
        return denials[0]
    is_same_uid = order.study_instance_uid in {None, study.study_instance_uid}
    if not is_same_uid and not any(_agree(order.patient, patient) for patient in known):
        return "its Study Instance UID is another, and no patient identifier agrees"
    return None


def denial(ordered: PatientKey, known: PatientKey) -> str | None:
    """Which identifier of the patient both say, and say differently; in words, without identifiers."""
    if ordered.issuer and ordered.issuer == known.issuer and _differ(ordered.patient_id, known.patient_id):
        return "the patient id is another"
    if _differ(ordered.nhs_number, known.nhs_number):
        return "the NHS number is another"
    if ordered.birth_date and known.birth_date and ordered.birth_date != known.birth_date:
        return "the birth date is another"
    return None


def _differ(one: str | None, other: str | None) -> bool:
    return bool(one and other and one != other)


def _agree(ordered: PatientKey, known: PatientKey) -> bool:
    same_number = ordered.issuer and ordered.patient_id and ordered.issuer == known.issuer
    same_nhs = ordered.nhs_number and ordered.nhs_number == known.nhs_number
    return bool((same_number and ordered.patient_id == known.patient_id) or same_nhs)
