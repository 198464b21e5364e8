"""What the merges of a trust's numbers that stand, one after another, have made of its studies."""

from dataclasses import dataclass, replace

from router.flows.ports import Transaction
from router.model.patient_change import PatientChange
from router.model.study import Study
from router.model.study_identity import PatientKey
from router.rules.patient_change import Conflict, Rekey, judge, was_joined


@dataclass(frozen=True, slots=True)
class Contradicted:
    """A merge of the number that a study's images name, whose surviving patient is not theirs; `reason` in words."""

    change: PatientChange
    reason: str


def present_identity(tx: Transaction, study: Study) -> tuple[PatientKey | None, Contradicted | None]:
    """Who the patient that a study's images name is now, where that number was merged; else None.

    Where the surviving patient has another NHS number or birth date, the study is known as its images say, and two
    persons have to judge.
    """
    own = study.patient
    if not own.issuer or not own.patient_id:
        return None, None
    surviving = tx.patients.surviving(study.origin, own.issuer, own.patient_id)
    if surviving.patient_id == own.patient_id:
        return None, None
    change = PatientChange(surviving, PatientKey(own.issuer, own.patient_id))
    verdict = judge(change, replace(study, present_patient=None))
    if isinstance(verdict, Conflict):
        return None, Contradicted(change, f"{verdict.reason}, which came after the merge")
    assert isinstance(verdict, Rekey)
    return verdict.present, None


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
