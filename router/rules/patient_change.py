"""What a merge or update of a patient means for a study: known by another identity from now on, or a person's matter.

Never across issuers: a trust's ADT speaks of that trust's numbers only (HAZARDS 1, 18; ADR 113).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

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


def was_joined(change: PatientChange, study: Study, path: Sequence[str]) -> bool:
    """Whether a merge of these two numbers had a part in the number that the study is known by now.

    `path` is what the number of its images was merged into, one after another. Where that does not lead to the number
    of now, a study that has to do with either counts: a person looks.
    """
    present, prior, own = study.present_patient, change.prior, study.patient
    if present is None or prior is None or change.present.issuer not in {own.issuer, present.issuer}:
        return False
    sides, known = {own.patient_id, present.patient_id}, {change.present.patient_id, prior.patient_id}
    if len(sides) == 1:
        return False
    now = present.patient_id or ""
    if sides == known or now not in path:
        return bool(sides & known)
    way = path[: path.index(now) + 1]
    return any({one, following} == known for one, following in pairwise(way))


def judge(change: PatientChange, study: Study) -> Unchanged | Rekey | Conflict:
    """What becomes of a study of this patient."""
    return judge_identity(change, study.present_patient or study.patient)


def judge_identity(change: PatientChange, known: PatientKey) -> Unchanged | Rekey | Conflict:
    """What becomes of whatever is known to be of this patient."""
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
