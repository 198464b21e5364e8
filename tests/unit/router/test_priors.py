"""Which priors a rule selects, and whom they are surely of."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from router.model.directives import PriorSelection
from router.model.study import PatientKey, Study
from router.rules.priors import is_same_patient, select_priors
from tests.unit.router.people import NOW

PATIENT = PatientKey("RXN", "H1", "9990000018", date(1950, 2, 3))
PRESENT = Study("1.1", "RXN", "A1", "RXN", PATIENT, 1, ("CT",), "CT HEAD", None, "HEAD", NOW)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"issuer": "RXL", "patient_id": "H9"}, True),  # NHS number and birth date
        ({"nhs_number": None, "birth_date": None}, True),  # the hospital's own number
        ({"issuer": "RXL", "nhs_number": None}, False),  # the same number of another hospital
        ({"issuer": None, "patient_id": None, "birth_date": None}, False),  # an NHS number alone
        ({"issuer": None, "patient_id": None, "nhs_number": None}, False),  # a birth date alone
        ({"nhs_number": "9990000026"}, False),  # twins under one hospital number
        ({"birth_date": date(1950, 2, 4)}, False),
        ({"issuer": "RXL", "patient_id": "H9", "birth_date": date(1950, 2, 4)}, False),
    ],
)
def test_a_patient_is_the_same_only_by_an_issued_identity_that_nothing_contradicts(
    changes: dict[str, Any], same: bool
) -> None:
    other = replace(PATIENT, **changes)
    assert (is_same_patient(PATIENT, other), is_same_patient(other, PATIENT)) == (same, same)


def prior(uid: str, days: float | None, **changes: Any) -> Study:
    at = None if days is None else NOW - timedelta(days=days)
    return replace(PRESENT, study_instance_uid=uid, study_time=at, origin="RXL", **changes)


OTHERS = (
    prior("ct", 10),
    prior("mr", 5, modalities=("MR",)),
    prior("chest", 20, body_part="chest"),
    prior("old", 3000),
    prior("later", -1),
    prior("whole", 30, body_part=None),
    prior("undated", None),
    prior("stranger", 1, patient=replace(PATIENT, nhs_number="9990000026")),
    PRESENT,
)


@pytest.mark.parametrize(
    ("said", "uids"),
    [
        ({}, ["mr", "ct", "chest", "whole", "old", "undated"]),
        ({"modalities": ("CT", "DX")}, ["ct", "chest", "whole", "old", "undated"]),
        ({"same_body_part": True}, ["mr", "ct", "whole", "old", "undated"]),
        ({"within_days": 365}, ["mr", "ct", "chest", "whole", "undated"]),
        ({"within_days": 10, "most": 1}, ["mr"]),
        ({"modalities": ("PT",)}, []),
    ],
)
def test_a_rule_selects_by_modality_body_part_age_and_number_newest_first(
    said: dict[str, Any], uids: list[str]
) -> None:
    chosen = select_priors(PRESENT, OTHERS, PriorSelection("r", **said), NOW)
    assert [study.study_instance_uid for study in chosen] == uids
