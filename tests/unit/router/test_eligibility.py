"""Who may read what: every reason against a reader is named."""

from datetime import timedelta
from typing import Any

import pytest

from router.rules.eligibility import Need, best_session, exclusions
from tests.unit.router.people import NOW, credential, load, on_duty, reader

NEED = Need("r", "RXN", frozenset({"CT"}), "neuro", 7.0)
YESTERDAY, HOUR = NOW - timedelta(1), timedelta(hours=1)


def test_a_reader_with_everything_is_eligible() -> None:
    assert exclusions(NEED, on_duty(), NOW) == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"credentials": ()}, "no valid credential for trust RXN"),
        ({"credentials": (credential("RXL"),)}, "no valid credential for trust RXN"),
        ({"credentials": (credential(valid_until=NOW),)}, "no valid credential for trust RXN"),
        ({"credentials": (credential(valid_from=NOW + HOUR),)}, "no valid credential for trust RXN"),
        ({"credentials": (credential(revoked_at=NOW),)}, "no valid credential for trust RXN"),
        ({"active": False}, "the reader is not active"),
        ({"modalities": frozenset({"MR"})}, "modality CT is outside the reader's scope"),
        ({"subspecialties": frozenset({"msk"})}, "subspecialty neuro is outside the reader's scope"),
        ({"session": {"ends_at": NOW}}, "no session is open"),
        ({"session": {"starts_at": NOW + HOUR, "ends_at": NOW + 2 * HOUR}}, "no session is open"),
        ({"used": 10}, "no capacity is left in the open session"),
        (
            {"session": {"capacity_reads": None, "capacity_minutes": 13.0}, "used": 1},
            "no capacity is left in the open session",
        ),
    ],
)
def test_a_reader_who_lacks_one_thing_is_excluded_for_it(changes: dict[str, Any], reason: str) -> None:
    assert exclusions(NEED, on_duty(**changes), NOW) == (reason,)


@pytest.mark.parametrize(
    "changes",
    [
        {"credentials": (credential(valid_from=NOW),)},
        {"credentials": (credential(revoked_at=NOW + HOUR),)},
        {"credentials": (credential(valid_until=YESTERDAY), credential())},
        {"used": 9},
        {"session": {"capacity_reads": None, "capacity_minutes": 14.0}, "used": 1},
        {"session": {"starts_at": NOW}},
    ],
)
def test_the_edge_still_counts(changes: dict[str, Any]) -> None:
    assert exclusions(NEED, on_duty(**changes), NOW) == ()


def test_who_declined_is_excluded() -> None:
    need = Need("r", "RXN", frozenset({"CT"}), "neuro", 7.0, frozenset({"a"}))
    assert exclusions(need, on_duty(), NOW) == ("declined this read",)
    assert exclusions(need, on_duty("b"), NOW) == ()


def test_all_modalities_of_the_study_must_be_in_scope() -> None:
    need = Need("r", "RXN", frozenset({"CT", "PT"}), "neuro", 7.0)
    assert exclusions(need, on_duty(), NOW) == ("modality PT is outside the reader's scope",)


def test_every_reason_is_named_not_only_the_first() -> None:
    lacking = on_duty(credentials=(), modalities=frozenset(), subspecialties=frozenset(), used=10)
    assert len(exclusions(NEED, lacking, NOW)) == 4


def test_the_open_session_with_most_room_is_taken() -> None:
    sessions = (load(used=5), load(id="s-wide", used=1), load(id="s-closed", ends_at=NOW))
    chosen = best_session(NEED, type(on_duty())(reader(), sessions), NOW)
    assert chosen is not None
    assert chosen.session.id == "s-wide"
