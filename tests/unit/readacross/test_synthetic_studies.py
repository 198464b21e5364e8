"""Synthetic studies are the same each time, of nobody, and mixed as the standards page says."""

from collections import Counter
from statistics import mean

from dicom_nodes.foundation.nhs_number import is_nhs_number
from dicom_nodes.rules.ingest import is_uid
from readacross.bench.synthetic_studies import synthetic_study

TOTAL = 4_000
STUDIES = [synthetic_study(number, TOTAL) for number in range(TOTAL)]


def test_a_number_is_always_the_same_study() -> None:
    assert synthetic_study(17, TOTAL) == STUDIES[17]


def test_nhs_numbers_are_of_the_test_range_and_uids_are_uids() -> None:
    numbers = [study.nhs_number for study in STUDIES if study.nhs_number]

    assert len(numbers) > TOTAL * 0.8
    assert all(number.startswith("999") and is_nhs_number(number) for number in numbers)
    assert all(is_uid(f"{study.series_instance_uid(9)}.999") for study in STUDIES)
    assert len({study.study_instance_uid for study in STUDIES}) == TOTAL


def test_the_mix_is_that_of_the_standards_page() -> None:
    share = Counter(study.series[0][0] for study in STUDIES)

    assert 0.43 < (share["DX"] + share["CR"]) / TOTAL < 0.51
    assert 0.18 < share["US"] / TOTAL < 0.26
    assert 0.13 < share["CT"] / TOTAL < 0.19
    assert 0.07 < share["MR"] / TOTAL < 0.13
    assert 35 < mean(study.instance_count for study in STUDIES) < 65


def test_a_person_has_one_name_and_birth_date() -> None:
    people = {(study.patient_id, study.issuer, study.patient_name, study.birth_date) for study in STUDIES}

    assert len(people) == len({study.patient_id for study in STUDIES})
