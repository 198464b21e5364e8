"""Whoever may not have a read does not stand in the way of whoever may: the arrays know each limit themselves."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from router.model.session import Leave
from router.rules.eligibility import Need
from router.rules.planning import Assign, PlannableRead, Snapshot, plan
from tests.unit.router.people import NOW, on_duty

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("duty", "person", "need"),
    [
        ({}, {}, {"declined_by": frozenset({"a"})}),
        ({}, {}, {"read_by": frozenset({"a"})}),
        ({}, {}, {"read_by": frozenset({"C-a"})}),
        ({"leave": (Leave("l", "a", NOW - HOUR, NOW + HOUR),)}, {}, {}),
        ({}, {"display_valid_until": NOW}, {}),
        ({}, {"active": False}, {}),
        ({}, {"credentials": ()}, {}),
        ({}, {"session": {"ends_at": NOW}}, {}),
        ({}, {"modalities": frozenset({"MR"})}, {}),
    ],
)
def test_the_next_best_reader_gets_it_at_once(
    duty: dict[str, Any], person: dict[str, Any], need: dict[str, Any]
) -> None:
    asked = Need("r", "RXN", frozenset({"CT"}), "neuro", 7.0)
    read = PlannableRead(replace(asked, **need), NOW + 24 * HOUR, 0)
    best, other = replace(on_duty("a", **person), **duty), on_duty("b", used=5)
    (unhindered,) = plan(Snapshot(NOW, (PlannableRead(asked, NOW + 24 * HOUR, 0),), (on_duty("a"), other)))
    assert isinstance(unhindered, Assign)
    assert unhindered.reader_id == "a"
    (decision,) = plan(Snapshot(NOW, (read,), (best, other)))
    assert isinstance(decision, Assign)
    assert decision.reader_id == "b"
