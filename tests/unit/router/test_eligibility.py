"""Who may read what: every reason against a reader is named."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from router.model.aid import AidBook, AidLimits
from router.model.reader import Level, Outsourcer, Profession
from router.model.session import Leave, SessionKind
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


HEAD = replace(NEED, exam_code="CSKUH", exam_group="ct_head")


@pytest.mark.parametrize(
    ("need", "changes", "reason"),
    [
        ({"minimum_level": Level.SPECIALIST}, {}, "level general in neuro, and specialist is needed"),
        (
            {"minimum_level": Level.SPECIALIST},
            {"levels": {"neuro": Level.SPECIAL_INTEREST}},
            "level special interest in neuro, and specialist is needed",
        ),
        ({}, {"exam_scope": frozenset({"xr_chest"})}, "exam CSKUH of group ct_head is outside the reader's exam scope"),
        (
            {"exam_code": None, "exam_group": None},
            {"exam_scope": frozenset({"ct_head"})},
            "exam (no code) is outside the reader's exam scope",
        ),
        (
            {},
            {"profession": Profession.REPORTING_RADIOGRAPHER},
            "a reporting radiographer without an exam scope reads nothing",
        ),
        ({"read_by": frozenset({"a"})}, {}, "has read this study already; the second reader must be somebody else"),
        ({"read_by": frozenset({"c -A"})}, {}, "has read this study already; the second reader must be somebody else"),
        ({}, {"display_valid_until": NOW}, "the display check of the workstation ended on 2026-11-02"),
        (
            {"session_kinds": frozenset({SessionKind.ACUTE, SessionKind.ON_CALL})},
            {},
            "no open session is of a kind that this pathway asks for (acute, on_call)",
        ),
        (
            {},
            {"speeds": {"ct_head": 0.5}, "used": 9, "session": {"capacity_reads": None, "capacity_minutes": 76.0}},
            "no capacity is left in the open session",
        ),
    ],
)
def test_what_a_read_asks_beyond_its_subspecialty_is_named(
    need: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    assert exclusions(replace(HEAD, **need), on_duty(**changes), NOW) == (reason,)


@pytest.mark.parametrize(
    ("need", "changes"),
    [
        ({"minimum_level": Level.SPECIAL_INTEREST}, {"levels": {"neuro": Level.SPECIALIST}}),
        ({}, {"exam_scope": frozenset({"ct_head"}), "profession": Profession.REPORTING_RADIOGRAPHER}),
        ({}, {"exam_scope": frozenset({"CSKUH"})}),
        ({}, {"display_valid_until": NOW + HOUR}),
        ({"session_kinds": frozenset({SessionKind.ACUTE})}, {"session": {"kind": SessionKind.ACUTE}}),
        ({}, {"speeds": {"ct_head": 2.0}, "used": 9, "session": {"capacity_reads": None, "capacity_minutes": 66.5}}),
    ],
)
def test_what_just_fits_is_eligible(need: dict[str, Any], changes: dict[str, Any]) -> None:
    assert exclusions(replace(HEAD, **need), on_duty(**changes), NOW) == ()


def test_who_is_on_leave_gets_nothing_until_the_leave_ends() -> None:
    leave = Leave("l", "a", NOW - HOUR, NOW + HOUR)
    away = replace(on_duty(), leave=(leave,))
    assert exclusions(NEED, away, NOW) == ("on leave",)
    assert exclusions(NEED, replace(away, leave=(replace(leave, ends_at=NOW),)), NOW) == ()


def test_an_outsourcers_queue_has_a_limit() -> None:
    company = replace(on_duty(outsourcer=Outsourcer(2500, 20)), waiting_reads=20)
    assert exclusions(NEED, company, NOW) == ("the outsourcer's queue is full (20 of 20 reads wait)",)
    assert exclusions(NEED, replace(company, waiting_reads=19), NOW) == ()


def test_a_spent_aid_limit_keeps_readers_of_other_trusts_away() -> None:
    book = AidBook({"RXL": AidLimits("RXL", frozenset({"RXN"}), minutes_out_per_day=7.0, acute_reserve=0.5)})
    assert "RXL reads for others 7 minutes a day at most" in exclusions(NEED, on_duty(), NOW, book)[0]
    assert exclusions(replace(NEED, acute=True), on_duty(), NOW, book) == ()
    assert exclusions(NEED, on_duty(employer="RXN"), NOW, book) == ()
