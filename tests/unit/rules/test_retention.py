"""What the spool lets go of, by table: what is nowhere else, or needed here, never goes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dicom_nodes.rules.retention import Evict, Keep, Retention, StudyInSpool, may_evict, room_to_make

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = Retention(30 * DAY, timedelta(hours=1), make_room_below_bytes=100, make_room_until_bytes=300)
OLD = StudyInSpool("1.2.3", NOW - 31 * DAY, NOW - 31 * DAY, False, 0, 0, False, False, 0, 10)
YOUNG = replace(OLD, last_arrival=NOW - 2 * DAY, settled_at=NOW - 2 * DAY)
FRESH = replace(OLD, last_arrival=NOW - timedelta(minutes=59), settled_at=NOW - timedelta(minutes=58))
FETCHED = replace(OLD, settled_at=None, fetched=3, is_delivered=True)


@pytest.mark.parametrize(
    ("study", "lacks_room", "goes"),
    [
        (OLD, False, True),
        (YOUNG, False, False),
        (YOUNG, True, True),
        (FRESH, True, False),
        (replace(OLD, settled_at=NOW - timedelta(minutes=5)), True, False),
        (replace(OLD, is_growing=True), True, False),
        (replace(OLD, is_in_use=True), True, False),
        (replace(OLD, unarchived=1), True, False),
        (replace(OLD, in_open_segments=1), True, False),
        (FETCHED, False, True),
        (replace(FETCHED, is_delivered=False), True, False),
        (replace(FETCHED, is_delivered=False, last_arrival=NOW - 59 * DAY), True, False),
        (replace(FETCHED, is_delivered=False, last_arrival=NOW - 60 * DAY), False, True),
        (replace(FETCHED, is_delivered=False, is_in_use=True, last_arrival=NOW - 60 * DAY), True, False),
        (replace(FETCHED, last_arrival=NOW - 2 * DAY), False, False),
        (replace(FETCHED, last_arrival=NOW - 2 * DAY), True, False),
        (replace(FETCHED, unarchived=1), True, False),
        (replace(OLD, last_arrival=NOW - 30 * DAY, settled_at=None), False, True),
        (replace(OLD, last_arrival=NOW - 30 * DAY + timedelta(seconds=1), settled_at=None), False, False),
    ],
)
def test_a_study_goes_only_when_it_is_elsewhere_and_not_needed(
    study: StudyInSpool, lacks_room: bool, goes: bool
) -> None:
    verdict = may_evict(study, POLICY, NOW, lacks_room)
    assert isinstance(verdict, Evict if goes else Keep)


@pytest.mark.parametrize(
    ("free", "was_making_room", "room"),
    [
        (1000, False, 0),
        (300, True, 0),
        (299, True, 1),
        (299, False, 0),
        (100, False, 0),
        (99, False, 201),
        (0, True, 300),
    ],
)
def test_room_is_made_from_the_lower_mark_up_to_the_upper(free: int, was_making_room: bool, room: int) -> None:
    assert room_to_make(free, was_making_room, POLICY) == room
