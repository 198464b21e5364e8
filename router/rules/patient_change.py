"""What a merge or update of a patient means for a study: known by another identity from now on, or a person's matter.

Never across issuers: a trust's ADT speaks of that trust's numbers only (HAZARDS 1, 18; ADR 113).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from router.model.patient_change import PatientChange
from router.model.study import Study
from router.model.study_identity import PatientKey

_WORDS = {
    "issuer": "the issuer",
    "patient_id": "the patient id",
    "nhs_number": "the NHS number",
    "birth_date": "the birth date",
}


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The study says so already."""


@dataclass(frozen=True, slots=True)
class Rekey:
    """`present` is who the patient is from now on; `changed` names fields. A `doubt` holds reports on their way."""

    present: PatientKey
    changed: tuple[str, ...]
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """It cannot be the same person; nothing is changed before a person has looked."""

    reason: str


def refusal(change: PatientChange) -> str | None:
    """Why nothing can be done about the message as a whole."""
    numbers = [change.present, *([change.prior] if change.prior is not None else [])]
    if any(not key.issuer or not key.patient_id for key in numbers):
        return "a patient id is missing, or its issuer"
    if change.prior is not None and change.prior.issuer != change.present.issuer:
        return "it joins numbers of two issuers, which are never one"
    if change.prior is not None and change.prior.patient_id == change.present.patient_id:
        return "it merges a number into itself"
    return None


def present_after(told: PatientKey, known: PatientKey) -> PatientKey:
    """Who it is by the message; what that does not say stays."""
    return PatientKey(
        issuer=told.issuer,
        patient_id=told.patient_id,
        nhs_number=told.nhs_number or known.nhs_number,
        birth_date=told.birth_date or known.birth_date,
    )


def was_joined(change: PatientChange, study: Study) -> bool:
    """Whether an earlier merge made the study of one of these two numbers known by the other."""
    present, prior = study.present_patient, change.prior
    if present is None or prior is None:
        return False
    sides = {(key.issuer, key.patient_id) for key in (study.patient, present)}
    return sides == {(key.issuer, key.patient_id) for key in (change.present, prior)}


def judge(change: PatientChange, study: Study) -> Unchanged | Rekey | Conflict:
    """What becomes of a study of this patient."""
    known = study.present_patient or study.patient
    told = change.present
    present = present_after(told, known)
    changed = tuple(_changed(known, present))
    if not changed:
        return Unchanged()
    contradicted = [_WORDS[name] for name in ("nhs_number", "birth_date") if _differ(known, told, name)]
    if contradicted and change.prior is not None:
        return Conflict(f"{' and '.join(contradicted)} of the surviving record differ from the study's")
    if len(contradicted) == 2:
        return Conflict("both the NHS number and the birth date changed: it may be another person under this number")
    doubt = f"{contradicted[0]} of the patient was changed" if contradicted else None
    return Rekey(present, changed, doubt)


def _changed(known: PatientKey, present: PatientKey) -> Iterator[str]:
    for one in fields(PatientKey):
        if getattr(known, one.name) != getattr(present, one.name):
            yield one.name


def _differ(known: PatientKey, told: PatientKey, name: str) -> bool:
    before, after = getattr(known, name), getattr(told, name)
    return before is not None and after is not None and before != after
