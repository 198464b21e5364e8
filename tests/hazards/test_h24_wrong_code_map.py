"""Hazard 24: a wrong code map; what is not mapped is put before a person, with the code as the origin sent it.

The map of a trust is mutated in every way that a mistake could: the entry is gone, it is another code's or another
scheme's, it names another modality. No mutation makes the study an exam that somebody guessed, and the person is
shown the original code. (The laterality of an exam is in its code; nothing here derives or changes it.)
"""

from typing import Any

import pytest

from dicom_nodes.contract import ExamCode
from tests.integration.router.region import Region, settled

CODE = ExamCode(value="KNEEL", scheme="LOCAL", meaning="CT knee left")
ENTRY = {
    "local_code": "KNEEL",
    "scheme": "LOCAL",
    "standard_code": "CKNEL",
    "standard_scheme": "NICIP",
    "group": "ct_msk",
    "modality": "CT",
    "subspecialty": "neuro",
    "minutes": 8.0,
    "pathway": "routine",
}


def mapped(region: Region, *entries: dict[str, Any]) -> int:
    answer = region.client.put("/trusts/RXN/exam-codes", json={"codes": entries}, headers=region.staff)
    return int(answer.status_code)


@pytest.mark.parametrize(
    "mutation",
    [
        {"local_code": "KNEER"},
        {"local_code": "kneel"},
        {"local_code": "KNEE"},
        {"scheme": "OTHER"},
        {"modality": "MR"},
    ],
)
def test_a_mutated_entry_never_routes_the_study_and_the_original_code_is_shown(
    sqlite_region: Region, mutation: dict[str, Any]
) -> None:
    assert mapped(sqlite_region, {**ENTRY, **mutation}) == 200
    sqlite_region.rxn.say(settled(exam_code=CODE))
    sqlite_region.plan()
    assert sqlite_region.read()["state"] == "RECEIVED"
    (item,) = sqlite_region.queue("unmapped_exam")
    assert item["reason"].startswith("exam code KNEEL (LOCAL) ")


def test_two_entries_for_one_code_are_refused_before_they_can_be_used(region: Region) -> None:
    assert mapped(region, ENTRY) == 200
    assert mapped(region, ENTRY, {**ENTRY, "standard_code": "CKNER"}) == 422
    region.rxn.say(settled(exam_code=CODE))
    assert region.read()["exam_code"] == "CKNEL"


def test_a_map_put_right_routes_the_next_revision(region: Region) -> None:
    assert mapped(region, {**ENTRY, "modality": "MR"}) == 200
    region.rxn.say(settled(exam_code=CODE))
    assert mapped(region, ENTRY) == 200
    region.rxn.say(settled(exam_code=CODE, revision=2, contents="abc"))
    assert (region.read()["state"], region.read()["exam_group"]) == ("READY", "ct_msk")
