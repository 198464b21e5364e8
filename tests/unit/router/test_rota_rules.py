"""Recurring patterns laid out in days, and overlaps found."""

from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from router.model.errors import Invalid
from router.model.rota import Pattern
from router.model.session import Session, SessionKind
from router.rules.rota import entitlement_warnings, lay_out, without_overlaps
from tests.unit.router.people import NOW, credential, reader

NIGHTS = Pattern(
    id="p",
    reader_id="a",
    weekdays=(5, 6),
    starts=time(21),
    ends=time(7),
    first_day=date(2026, 10, 17),
    last_day=date(2026, 10, 26),
    kind=SessionKind.OUT_OF_HOURS,
)


def session(start_h: float, end_h: float, name: str = "", reader_id: str = "a") -> Session:
    starts, ends = NOW + timedelta(hours=start_h), NOW + timedelta(hours=end_h)
    return Session(name or f"{start_h}-{end_h}", reader_id, starts, ends, capacity_reads=1)


def test_a_night_shift_ends_at_the_same_local_time_when_the_clocks_change() -> None:
    sessions, remarks = lay_out(NIGHTS)
    assert remarks == ()
    assert [(s.starts_at.isoformat()[:16], s.ends_at.isoformat()[:16], s.capacity_minutes) for s in sessions] == [
        ("2026-10-17T20:00", "2026-10-18T06:00", 600),
        ("2026-10-18T20:00", "2026-10-19T06:00", 600),
        ("2026-10-24T20:00", "2026-10-25T07:00", 660),
        ("2026-10-25T21:00", "2026-10-26T07:00", 600),
    ]


def test_a_pattern_whose_time_is_skipped_or_doubled_is_refused_on_that_day_only() -> None:
    early = replace(NIGHTS, weekdays=(6,), starts=time(1, 30), ends=time(5), last_day=date(2026, 11, 1))
    sessions, remarks = lay_out(early)
    assert [f"{s.starts_at:%m-%d %H:%M}" for s in sessions] == ["10-18 00:30", "11-01 01:30"]
    assert [(r.row, "occurs twice" in r.reason) for r in remarks] == [("2026-10-25", True)]
    spring = replace(early, first_day=date(2026, 3, 22), last_day=date(2026, 4, 5))
    sessions, remarks = lay_out(spring)
    assert (len(sessions), remarks[0].row) == (2, "2026-03-29")
    assert "does not exist" in remarks[0].reason


def test_every_second_week_and_days_left_out() -> None:
    pattern = replace(NIGHTS, weekdays=(0,), every_weeks=2, first_day=date(2026, 11, 2), last_day=date(2026, 12, 31))
    sessions, _ = lay_out(replace(pattern, except_days=frozenset({date(2026, 11, 16)})))
    assert [f"{s.starts_at:%m-%d}" for s in sessions] == ["11-02", "11-30", "12-14", "12-28"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"last_day": date(2028, 1, 1)}, "at most 366 days"),
        ({"weekdays": (2,), "last_day": date(2026, 10, 17)}, "never happens"),
    ],
)
def test_a_pattern_without_end_or_without_days_is_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        lay_out(replace(NIGHTS, **change))  # type: ignore[arg-type]


def test_of_two_rows_that_overlap_the_first_stays_and_the_other_says_why() -> None:
    rows = [("2", session(0, 4)), ("3", session(3, 5)), ("4", session(4, 5)), ("5", session(3, 5, "x", "b"))]
    kept, remarks = without_overlaps(rows, [])
    assert [s.id for s in kept] == ["0-4", "4-5", "x"]
    assert [(r.row, r.reason.startswith("overlaps row 2 of the same reader, ")) for r in remarks] == [("3", True)]


def test_a_booked_session_is_in_the_way_of_others_but_not_of_itself() -> None:
    kept, remarks = without_overlaps([("2", session(0, 4)), ("3", session(1, 2))], [session(0, 4)])
    assert [s.id for s in kept] == ["0-4"]
    assert "overlaps a session that is booked" in remarks[0].reason


def test_a_session_after_the_last_credential_is_warned_of() -> None:
    rows = [("2", session(0, 4)), ("3", session(48, 52)), ("4", session(0, 1, reader_id="b"))]
    readers = {"a": reader(credentials=(credential(),)), "b": reader("b", credentials=())}
    warnings = list(entitlement_warnings(rows, readers))
    assert [(w.row, w.is_refusal) for w in warnings] == [("3", False), ("4", False)]
    assert "no valid credential then (last until 2026-11-03)" in warnings[0].reason
    assert "has no credential at all" in warnings[1].reason
