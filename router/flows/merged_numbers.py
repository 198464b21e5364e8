"""What the merges of a trust's numbers that stand, one after another, have made of its studies."""

from dataclasses import replace

from router.flows.ports import Transaction
from router.model.patient_change import PatientChange
from router.model.study import Study
from router.model.study_identity import PatientKey
from router.rules.patient_change import was_joined


def present_identity(tx: Transaction, study: Study) -> PatientKey | None:
    """Who the patient that a study's images name is now, where that number was merged; else None."""
    patient = study.patient
    if not patient.issuer or not patient.patient_id:
        return None
    surviving = tx.patients.surviving_id(study.origin, patient.issuer, patient.patient_id)
    return None if surviving == patient.patient_id else replace(patient, patient_id=surviving)


def joined_by(tx: Transaction, origin: str, change: PatientChange) -> list[Study]:
    """The trust's studies that a merge of these two numbers made known by another, also as one of several; locked.

    To be asked before the merge is forgotten.
    """
    numbers = [key for key in (change.present, change.prior) if key is not None]
    near = {
        PatientKey(key.issuer, number, None, None)
        for key in numbers
        for number in tx.patients.path(origin, key.issuer or "", key.patient_id or "")
    }
    found = {study.study_instance_uid for key in near for study in tx.studies.of_same_person(key)}
    studies = [tx.studies.get(uid, lock=True) for uid in sorted(found)]
    of_trust = [study for study in studies if study is not None and study.origin == origin]
    return [study for study in of_trust if was_joined(change, study, _path(tx, study))]


def _path(tx: Transaction, study: Study) -> list[str]:
    own = study.patient
    return list(tx.patients.path(study.origin, own.issuer or "", own.patient_id or ""))
