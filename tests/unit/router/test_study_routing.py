"""What a study asks for; what the table does not hold goes to a person."""

from datetime import timedelta
from typing import Any

import pytest

from router.config import RoutingFile
from router.rules.study_routing import NotForReading, Routed, Unmapped, route
from tests.unit.router.people import NOW
from tests.unit.router.test_report_matching import study

ROUTING = RoutingFile.model_validate(
    {
        "readable_modalities": ["CT", "MR", "PT"],
        "priorities": {"urgent": 24.0, "routine": 672.0},
        "exams": [
            {"code": "CSKUH", "scheme": "NICIP", "subspecialty": "neuro", "minutes": 7, "priority": "urgent"},
            {"modalities": ["CT"], "body_part": "Chest", "subspecialty": "chest", "minutes": 9, "priority": "routine"},
            {"modalities": ["CT"], "subspecialty": "body", "minutes": 10, "priority": "routine"},
            {"modalities": ["PT", "CT"], "subspecialty": "nuclear", "minutes": 20, "priority": "routine"},
        ],
    }
)


@pytest.mark.parametrize(
    ("changes", "subspecialty", "minutes"),
    [
        ({"exam_code": ("CSKUH", "NICIP", None)}, "neuro", 7.0),
        ({}, "body", 10.0),
        ({"body_part": "CHEST"}, "chest", 9.0),
        ({"body_part": " chest "}, "chest", 9.0),
        ({"body_part": "ABDOMEN"}, "body", 10.0),
        ({"modalities": ("CT", "SR")}, "body", 10.0),
        ({"modalities": ("CT", "PT")}, "nuclear", 20.0),
    ],
)
def test_an_exam_is_found_by_code_or_by_modality(changes: dict[str, Any], subspecialty: str, minutes: float) -> None:
    outcome = route(study(**changes), ROUTING, NOW)
    assert isinstance(outcome, Routed)
    assert (outcome.subspecialty, outcome.expected_minutes) == (subspecialty, minutes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exam_code": ("ZZZZZ", "NICIP", None)}, "exam code ZZZZZ (NICIP) is not in the exam table"),
        ({"exam_code": ("CSKUH", "LOCAL", None)}, "exam code CSKUH (LOCAL) is not in the exam table"),
        ({"modalities": ("MR",)}, "no entry of the exam table is for modality MR, body part (none)"),
        ({"modalities": ("CT", "MR")}, "no entry of the exam table is for modality CT+MR, body part (none)"),
        ({"modalities": ("US",)}, "modality US is not in the list of readable ones"),
        ({"modalities": ()}, "modality (none) is not in the list of readable ones"),
    ],
)
def test_an_unmapped_exam_is_never_guessed(changes: dict[str, Any], reason: str) -> None:
    outcome = route(study(**changes), ROUTING, NOW)
    assert isinstance(outcome, Unmapped)
    assert outcome.reason == reason


def test_an_unknown_code_goes_by_modality_only_where_the_file_says_so() -> None:
    by_modality = ROUTING.model_copy(update={"unknown_code": "by_modality"})
    outcome = route(study(exam_code=("ZZZZZ", "NICIP", None)), by_modality, NOW)
    assert isinstance(outcome, Routed)
    assert outcome.subspecialty == "body"


def test_documents_alone_are_not_for_reading() -> None:
    assert isinstance(route(study(modalities=("SR", "PR")), ROUTING, NOW), NotForReading)


@pytest.mark.parametrize(("examined", "counts_from"), [(-5, -5), (None, 0), (5, 0)])
def test_due_time_counts_from_the_examination_unless_that_is_missing_or_ahead(
    examined: int | None, counts_from: int
) -> None:
    at = None if examined is None else NOW + timedelta(hours=examined)
    outcome = route(study(study_time=at), ROUTING, NOW)
    assert isinstance(outcome, Routed)
    assert outcome.due_at == NOW + timedelta(hours=counts_from + 672)
