"""Mutual aid: who may read for whom, how much a day, and what is kept for acute reads."""

from typing import Any

import pytest

from router.model.aid import AidBook, AidLimits, AidUse
from router.rules.aid import aid_problems


def problems(limits: dict[str, Any] | None = None, taker: dict[str, Any] | None = None, **read: Any) -> tuple[str, ...]:
    agreed = [AidLimits("RXL", frozenset({"RXN"}), **(limits or {})), AidLimits("RXN", **(taker or {}))]
    book = AidBook({one.trust: one for one in agreed}, (AidUse("RXL", "RXN", "ct_head", 80.0),))
    asked = {"employer": "RXL", "origin": "RXN", "exam_group": "ct_head", "minutes": 10.0, "acute": False}
    return aid_problems(**{**asked, **read}, book=book)


def test_within_a_trust_and_without_limits_there_is_nothing_to_ask() -> None:
    assert problems({"minutes_out_per_day": 0.0}, employer="RXN") == ()
    assert aid_problems(employer="A", origin="B", exam_group=None, minutes=1e6, acute=False, book=AidBook()) == ()
    assert problems() == ()


def test_a_trust_reads_only_for_those_it_agreed_with() -> None:
    assert problems(origin="RTX") == ("RXL has no agreement to read for RTX",)


@pytest.mark.parametrize("side", ["out", "in"])
@pytest.mark.parametrize(
    ("limit", "reserve", "acute", "fits"),
    [
        (90.0, 0.0, False, True),
        (89.9, 0.0, False, False),
        (100.0, 0.2, False, False),
        (100.0, 0.2, True, True),
        (112.5, 0.2, False, True),
        (89.9, 0.2, True, False),
    ],
)
def test_a_limit_holds_to_the_minute_and_only_acute_reads_use_its_reserve(
    side: str, limit: float, reserve: float, acute: bool, fits: bool
) -> None:
    agreed = {f"minutes_{side}_per_day": limit, "acute_reserve": reserve}
    found = problems(*([agreed] if side == "out" else [None, agreed]), acute=acute)
    assert (found == ()) is fits


def test_a_groups_limit_binds_that_group_only() -> None:
    assert problems({"group_minutes_out": {"ct_head": 85.0}}) != ()
    assert problems({"group_minutes_out": {"ct_head": 85.0}}, exam_group="mr_head") == ()
    assert problems({"group_minutes_out": {"ct_head": 85.0}}, exam_group=None) == ()


def test_the_reason_is_a_sentence_with_the_figures() -> None:
    assert problems({"minutes_out_per_day": 100.0}) == (
        "RXL reads for others 100 minutes a day at most, 80 are used, 20% of it kept for acute reads",
    )
    assert problems(None, {"group_minutes_in": {"ct_head": 60.0}}, acute=True) == (
        "RXN is read for by others 60 minutes of ct_head a day at most, 80 are used",
    )
