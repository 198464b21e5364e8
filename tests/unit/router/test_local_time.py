"""Local time to UTC: skipped and repeated hours of Europe/London are told, not guessed."""

from datetime import UTC, datetime

import pytest

from router.rules.local_time import RepeatedTime, SkippedTime, day_start, utc_of


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-01-15T09:00", "2026-01-15T09:00"),
        ("2026-07-15T09:00", "2026-07-15T08:00"),
        ("2026-03-29T00:59", "2026-03-29T00:59"),
        ("2026-03-29T02:00", "2026-03-29T01:00"),
        ("2026-10-25T00:59", "2026-10-24T23:59"),
        ("2026-10-25T02:00", "2026-10-25T02:00"),
        ("2026-10-25T01:30+01:00", "2026-10-25T00:30"),
        ("2026-10-25T01:30+00:00", "2026-10-25T01:30"),
    ],
)
def test_a_local_time_is_the_instant_it_names(local: str, utc: str) -> None:
    assert utc_of(datetime.fromisoformat(local)) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize("local", ["2026-03-29T01:00", "2026-03-29T01:59"])
def test_a_time_that_daylight_saving_skips_is_refused(local: str) -> None:
    with pytest.raises(SkippedTime, match=r"2026-03-29 01:\d\d does not exist"):
        utc_of(datetime.fromisoformat(local))


@pytest.mark.parametrize("local", ["2026-10-25T01:00", "2026-10-25T01:59"])
def test_a_time_that_occurs_twice_is_refused_with_what_to_write(local: str) -> None:
    with pytest.raises(RepeatedTime, match=r"write 2026-10-25T01:\d\d\+0100 or 2026-10-25T01:\d\d\+0000"):
        utc_of(datetime.fromisoformat(local))


def test_the_local_day_begins_at_local_midnight() -> None:
    assert day_start(datetime(2026, 7, 1, 22, 59, tzinfo=UTC)) == datetime(2026, 6, 30, 23, tzinfo=UTC)
    assert day_start(datetime(2026, 7, 1, 23, 1, tzinfo=UTC)) == datetime(2026, 7, 1, 23, tzinfo=UTC)
    assert day_start(datetime(2026, 10, 25, 12, tzinfo=UTC)) == datetime(2026, 10, 24, 23, tzinfo=UTC)
