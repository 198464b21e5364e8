"""Which earlier studies of the same patient go with a read's images, as a routing rule selects them (HAZARDS 16).

Identity is (issuer, id), or NHS number with birth date; what contradicts either never joins (HAZARDS 1).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from router.model.directives import PriorSelection
from router.model.study import PatientKey, Study

HEARD_WITHIN_S = 300.0
"""A node that was silent for longer may hold priors that nobody has told the router of."""


def is_same_patient(one: PatientKey, other: PatientKey) -> bool:
    """Whether both are surely of one person; where one identifier says yes and another no, they are not."""
    by_hospital = _same(one.issuer, other.issuer) and _same(one.patient_id, other.patient_id)
    by_number = _same(one.nhs_number, other.nhs_number) and _same(one.birth_date, other.birth_date)
    against = _differ(one.nhs_number, other.nhs_number) or _differ(one.birth_date, other.birth_date)
    return (by_hospital or by_number) and not against


def known_now(study: Study) -> PatientKey:
    """The patient after merges and updates."""
    return study.present_patient or study.patient


def select_priors(study: Study, others: Sequence[Study], said: PriorSelection, now: datetime) -> tuple[Study, ...]:
    """The priors that the rule wants, newest first; those whose time is unknown come last.

    What a study does not say (its time, its body part) keeps it in: too much is better than a prior that is missing.
    """
    at = study.study_time or now
    wanted = [
        other
        for other in others
        if other.study_instance_uid != study.study_instance_uid
        and is_same_patient(known_now(study), known_now(other))
        and _in_time(other, at, said.within_days)
        and (not said.modalities or not set(said.modalities).isdisjoint(other.modalities))
        and not (said.same_body_part and _differ(_part(study), _part(other)))
    ]
    wanted.sort(key=lambda other: other.study_instance_uid)
    wanted.sort(key=lambda other: timedelta.max if other.study_time is None else at - other.study_time)
    return tuple(wanted if said.most is None else wanted[: said.most])


def _in_time(other: Study, at: datetime, within_days: int | None) -> bool:
    if other.study_time is None:
        return True
    return other.study_time <= at and (within_days is None or at - other.study_time <= timedelta(days=within_days))


def _part(study: Study) -> str | None:
    return (study.body_part or "").strip().upper() or None


def _same(one: object, other: object) -> bool:
    return one is not None and one == other


def _differ(one: object, other: object) -> bool:
    return one is not None and other is not None and one != other
