"""A change of a patient that a person has to decide: two persons, where the ADT says they are one, or the other way."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from router.model.study_identity import PatientKey

How = Literal["merged", "updated", "unlinked"]


@dataclass(frozen=True, slots=True)
class PatientConflict:
    """`study_patient` is who the study was known to be of when the message came; `key` names its human-queue item.

    `present` and `prior` are the message's. One person proposes to carry it out, another confirms; either may reject.
    """

    id: str
    key: str
    study_instance_uid: str
    origin: str
    how: How
    reason: str
    study_patient: PatientKey
    present: PatientKey
    prior: PatientKey | None
    told_at: datetime
    proposed_by: str | None = None
    proposed_at: datetime | None = None
    proposed_why: str | None = None
    decided: Literal["applied", "rejected"] | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
