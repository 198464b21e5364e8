"""What the merges of a trust's numbers that stand, one after another, have made of its studies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate

from router.flows.ports import Transaction
from router.model.patient_change import PatientChange
from router.model.record import Entry
from router.model.study import Study
from router.model.study_identity import PatientKey
from router.rules.patient_change import Conflict, Rekey, judge_identity, present_after, was_joined


@dataclass(frozen=True, slots=True)
class Contradicted:
    """A merge that the number of a study's images has followed, whose surviving patient is not theirs; `reason` in
    words. Of several merges it is the one that said so."""

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
    merges = tx.patients.merges(study.origin, own.issuer, own.patient_id)
    if not merges:
        return None, None
    ended = PatientKey(own.issuer, own.patient_id)
    survivors = list(accumulate(merges, lambda who, said: present_after(said, who), initial=ended))
    verdict = judge_identity(PatientChange(survivors[-1], ended), own)
    if isinstance(verdict, Conflict):
        link = _first_to_contradict(merges, own)
        return None, Contradicted(_link(survivors, link), f"{verdict.reason}, which came after the merge")
    doubted = _first_in_doubt(tx, study.origin, merges)
    if doubted is not None:
        why = "a change of the surviving patient's record waits for two persons"
        return None, Contradicted(_link(survivors, doubted), why)
    assert isinstance(verdict, Rekey)
    return verdict.present, None


def correct_survivor(tx: Transaction, origin: str, told: PatientKey, now: datetime) -> None:
    """The trust says another NHS number or birth date of this patient: so do the merges into the number from now on,
    those that wait for two persons too; who was proposed to them looks again."""
    for prior_id, said in tx.patients.merges_into(origin, told.issuer or "", told.patient_id or "").items():
        tx.patients.record_merge(origin, prior_id, present_after(told, said), now)
    for waiting in tx.patient_conflicts.undecided():
        number = waiting.origin, waiting.present.issuer, waiting.present.patient_id
        present = present_after(told, waiting.present)
        if waiting.how == "merged" and number == (origin, told.issuer, told.patient_id) and present != waiting.present:
            locked = tx.patient_conflicts.get(waiting.id, lock=True)
            if locked is not None and locked.decided is None:
                anew = replace(locked, present=present, proposed_by=None, proposed_at=None, proposed_why=None)
                tx.patient_conflicts.put(anew)
                why = "the surviving patient's record was changed since; a proposal of before counts no more"
                detail = {"how": anew.how, "conflict": anew.id, "reason": why}
                uid = anew.study_instance_uid
                tx.ledger.append(Entry("patient.change_corrected", now, "router", uid, node=origin, detail=detail))


def _link(survivors: Sequence[PatientKey], at: int) -> PatientChange:
    """The merge at this place, as the message said it; what it did not say of its survivor is said by those before."""
    ended = survivors[at]
    return PatientChange(survivors[at + 1], PatientKey(ended.issuer, ended.patient_id))


def _first_to_contradict(merges: Sequence[PatientKey], own: PatientKey) -> int:
    """Which merge brought the value that contradicts: who says it last counts, of two values the earlier merge."""
    lasts = []
    for name in ("nhs_number", "birth_date"):
        said = [at for at, one in enumerate(merges) if getattr(one, name)]
        if said and getattr(own, name) not in {None, getattr(merges[said[-1]], name)}:
            lasts.append(said[-1])
    return min(lasts)


def _first_in_doubt(tx: Transaction, origin: str, merges: Sequence[PatientKey]) -> int | None:
    """Which of these survivors two persons have yet to judge."""
    updates = [one for one in tx.patient_conflicts.undecided() if one.how == "updated" and one.origin == origin]
    numbers = {(one.present.issuer, one.present.patient_id) for one in updates}
    return next((at for at, one in enumerate(merges) if (one.issuer, one.patient_id) in numbers), None)


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
