"""Rotas from CSV and iCalendar: what can be used, and every refusal with its row and reason."""

from datetime import UTC, datetime, timedelta

import pytest

from router.model.errors import Invalid
from router.model.session import SessionKind, Workstation
from router.rota_files.csv_rota import read_csv_rota
from router.rota_files.ical_rota import read_ical_rota

NOW = datetime(2026, 10, 12, 8, 0, tzinfo=UTC)
UNTIL = NOW + timedelta(weeks=4)
HEADER = "reader,start,end,kind,capacity_minutes,capacity_reads,node,ae_title,note\n"


def refusal(row: str) -> str:
    blocks, remarks = read_csv_rota(HEADER + row + "\n")
    assert blocks == []
    (remark,) = remarks
    assert (remark.row, remark.is_refusal) == ("2", True)
    return remark.reason


def test_a_row_of_csv_is_local_time_and_as_many_minutes_as_it_lasts() -> None:
    text = (
        HEADER
        + "dr-a,2026-07-01 09:00,2026-07-01T13:00,cancer,,,,,\n\n"
        + "dr-a,2026-12-24T00:00,2026-12-27T00:00,leave,,,,,x\n"
    )
    (session, leave), remarks = read_csv_rota("\ufeff" + text)
    assert remarks == []
    assert (session.starts_at, session.capacity_minutes) == (datetime(2026, 7, 1, 8, tzinfo=UTC), 240)
    assert (session.row, session.kind) == ("2", SessionKind.CANCER)
    assert (leave.row, leave.kind, leave.note) == ("4", None, "x")


def test_capacity_and_place_are_taken_as_given() -> None:
    rows = ["dr-a,2026-12-01T09:00,2026-12-01T13:00,acute,100.5,,RXL,WS2,"]
    rows += ["dr-a,2026-12-02T09:00,2026-12-02T13:00,on_call,,12,,,"]
    (first, second), _ = read_csv_rota(HEADER + "\n".join(rows))
    assert (first.capacity_minutes, first.place) == (100.5, Workstation("RXL", "WS2"))
    assert (second.capacity_reads, second.capacity_minutes) == (12, None)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("dr-a,2026-12-01T13:00,2026-12-01T09:00,acute,,,,,", "end: must be later than start"),
        ("dr-a,2026-12-01T09:00,2026-12-01T09:00,acute,,,,,", "end: must be later than start"),
        ("dr-a,2026-12-01T09:00,2026-12-02T09:30,acute,,,,,", "end: a session lasts 24 hours at most"),
        ("dr-a,2026-03-29T01:30,2026-03-29T05:00,acute,,,,,", "start: 2026-03-29 01:30 does not exist"),
        ("dr-a,2026-10-24T21:00,2026-10-25T01:30,acute,,,,,", "end: 2026-10-25 01:30 occurs twice"),
        ("dr-a,2026-12-01,2026-12-01T09:00,acute,,,,,", "start: expected a time such as"),
        ("dr-a,1/12/2026 09:00,2026-12-01T09:00,acute,,,,,", "start: expected a time such as"),
        ("dr-a,,2026-12-01T09:00,acute,,,,,", "start: is empty"),
        ("dr-a,0001-01-01T00:00+14:00,2026-12-01T09:00,acute,,,,,", "start: is out of range"),
        (",2026-12-01T09:00,2026-12-01T13:00,acute,,,,,", "reader: is empty"),
        ("dr-a,2026-12-01T09:00,2026-12-01T13:00,nights,,,,,", "kind: expected one of acute, "),
        ("dr-a,2026-12-01T09:00,2026-12-01T13:00,acute,5,5,,,", "give it or capacity_reads, not both"),
        ("dr-a,2026-12-01T09:00,2026-12-01T13:00,acute,nan,,,,", "capacity_minutes: expected a number above 0"),
        ("dr-a,2026-12-01T09:00,2026-12-01T13:00,acute,,1.5,,,", "capacity_reads: expected a whole number"),
        ("dr-a,2026-12-01T09:00,2026-12-01T13:00,acute,,,RXL,,", "node: a place needs node and ae_title"),
        ("dr-a,2026-12-01T09:00", "expected 9 columns as in the header, got 2"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_the_reason(row: str, reason: str) -> None:
    assert reason in refusal(row)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "missing column reader, start, end, kind"),
        ("reader,start,end,kind,start\n", "a column is there twice"),
        ("reader,start,end,kind,colour\n", "unknown column 'colour'"),
    ],
)
def test_a_header_that_is_not_understood_is_refused(text: str, reason: str) -> None:
    blocks, (remark,) = read_csv_rota(text)
    assert (blocks, remark.row) == ([], "1")
    assert reason in remark.reason


def test_a_file_for_one_reader_needs_no_column_for_it_and_takes_no_other() -> None:
    (block,), _ = read_csv_rota("start,end,kind\n2026-12-01T09:00,2026-12-01T13:00,acute\n", "dr-a")
    assert block.reader_id == "dr-a"
    _, (remark,) = read_csv_rota("reader,start,end,kind\ndr-b,2026-12-01T09:00,2026-12-01T13:00,acute\n", "dr-a")
    assert remark.reason == "reader: this import is for dr-a only"


def calendar(*events: str) -> str:
    body = "".join(f"BEGIN:VEVENT\nUID:u{n}\n{event}\nEND:VEVENT\n" for n, event in enumerate(events))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{body}END:VCALENDAR\n".replace("\n", "\r\n")


def spans(text: str) -> list[tuple[str, str]]:
    blocks, remarks = read_ical_rota(text, NOW, UNTIL, "dr-a", "elective")
    assert [r for r in remarks if r.is_refusal] == []
    return [(f"{b.starts_at:%m-%d %H:%M}", f"{b.ends_at:%m-%d %H:%M}") for b in blocks]


MARS = "DTSTART;TZID=Mars/Olympus:20261020T090000\nDTEND;TZID=Mars/Olympus:20261020T130000"
LONDON = "DTSTART;TZID=Europe/London:{}\nDTEND;TZID=Europe/London:{}"


def test_a_weekly_night_keeps_its_local_hours_over_the_change_of_the_clocks() -> None:
    weekly = LONDON.format("20261010T210000", "20261011T070000") + "\nRRULE:FREQ=WEEKLY;UNTIL=20261101T000000Z"
    assert spans(calendar(weekly)) == [
        ("10-17 20:00", "10-18 06:00"),
        ("10-24 20:00", "10-25 07:00"),
        ("10-31 21:00", "11-01 07:00"),
    ]


def test_days_left_out_moved_and_cancelled_are_obeyed() -> None:
    weekly = (
        LONDON.format("20261012T090000", "20261012T130000")
        + "\nRRULE:FREQ=WEEKLY;COUNT=4\nEXDATE;TZID=Europe/London:20261019T090000"
    )
    moved = "UID:u0\nRECURRENCE-ID;TZID=Europe/London:20261026T090000\n" + LONDON.format(
        "20261027T140000", "20261027T180000"
    )
    text = calendar(weekly, "STATUS:CANCELLED\n" + LONDON.format("20261020T090000", "20261020T130000"))
    text = text.replace(
        "END:VCALENDAR", "BEGIN:VEVENT\r\n" + moved.replace("\n", "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR"
    )
    assert spans(text) == [
        ("10-12 08:00", "10-12 12:00"),
        ("11-02 09:00", "11-02 13:00"),
        ("10-27 14:00", "10-27 18:00"),
    ]


def test_kinds_leave_minutes_and_readers_come_from_the_event() -> None:
    first = LONDON.format("20261013T090000", "20261013T130000")
    events = calendar(
        first + "\nCATEGORIES:Cancer\nX-READACROSS-READER:dr-b\nX-READACROSS-MINUTES:200",
        "DTSTART;VALUE=DATE:20261020\nDTEND;VALUE=DATE:20261022\nCATEGORIES:leave\nX-READACROSS-READER:dr-b",
        "DTSTART:20261030T090000Z\nDURATION:PT2H\nX-MICROSOFT-CDO-BUSYSTATUS:OOF\nX-READACROSS-READER:dr-b",
    )
    blocks, remarks = read_ical_rota(events, NOW, UNTIL)
    assert remarks == []
    assert [(b.reader_id, b.kind, b.capacity_minutes) for b in blocks[:1]] == [("dr-b", SessionKind.CANCER, 200)]
    assert [(b.kind, b.starts_at) for b in blocks[1:]] == [
        (None, datetime(2026, 10, 19, 23, tzinfo=UTC)),
        (None, datetime(2026, 10, 30, 9, tzinfo=UTC)),
    ]


def test_leave_of_a_whole_day_without_an_end_is_that_day() -> None:
    ((block,), remarks) = read_ical_rota(calendar("DTSTART;VALUE=DATE:20261020\nCATEGORIES:leave"), NOW, UNTIL, "dr-a")
    assert remarks == []
    assert (block.kind, block.starts_at, block.ends_at - block.starts_at) == (
        None,
        datetime(2026, 10, 19, 23, tzinfo=UTC),
        timedelta(days=1),
    )


def test_a_zone_that_a_calendar_explains_is_known_there_and_in_no_other_calendar() -> None:
    zone = (
        "BEGIN:VTIMEZONE\nTZID:Mars/Olympus\nBEGIN:STANDARD\nDTSTART:20200101T000000\nTZOFFSETFROM:+0300\n"
        "TZOFFSETTO:+0300\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT"
    )
    text = calendar(MARS).replace("BEGIN:VEVENT", zone.replace("\n", "\r\n"))
    assert spans(text) == [("10-20 06:00", "10-20 10:00")]
    assert spans(text.replace("+0300", "+0500")) == [("10-20 04:00", "10-20 08:00")]
    assert read_ical_rota(calendar(MARS), NOW, UNTIL, "dr-a", "elective")[0] == []


def test_a_time_that_occurs_twice_is_the_first_of_both_and_warned_of() -> None:
    event = calendar(LONDON.format("20261025T013000", "20261025T050000"))
    (block,), (remark,) = read_ical_rota(event, NOW, UNTIL, "dr-a", "acute")
    assert block.starts_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert (remark.is_refusal, "2026-10-25" in remark.row) == (False, True)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (LONDON.format("20270328T013000", "20270328T050000"), "2027-03-28 01:30 does not exist"),
        (LONDON.format("20261020T130000", "20261020T090000"), "end: must be later than start"),
        ("DTSTART;VALUE=DATE:20261020\nDTEND;VALUE=DATE:20261021", "a whole day says no hours"),
        ("DTSTART:20261020T090000Z", "has neither DTEND nor DURATION"),
        (LONDON.format("20261020T090000", "20261020T130000") + "\nCATEGORIES:acute,cancer", "expected one kind"),
        (LONDON.format("20261020T090000", "20261020T130000") + "\nRRULE:FREQ=SECONDLY", "RRULE: expected FREQ of"),
        (LONDON.format("20261020T090000", "20261020T130000") + "\nX-READACROSS-READER:dr-b", "for dr-a only"),
        (LONDON.format("20261020T090000", "20261020T130000") + "\nRDATE:20261021T090000Z", "RDATE is not understood"),
        ("SUMMARY:nothing else", "cannot be read: KeyError"),
        (MARS, "DTSTART: expected a TZID that is known, such as Europe/London, got 'Mars/Olympus'"),
        (
            LONDON.format("20261020T090000", "20261020T130000")
            + "\nRRULE:FREQ=DAILY;COUNT=2\nEXDATE;TZID=Mars/Olympus:20261021T090000",
            "EXDATE: expected a TZID that is known",
        ),
    ],
)
def test_an_event_that_cannot_be_used_is_refused_with_the_reason(event: str, reason: str) -> None:
    blocks, (remark,) = read_ical_rota(calendar(event), NOW, NOW + timedelta(weeks=30), "dr-a", "elective")
    assert (blocks, remark.is_refusal) == ([], True)
    assert reason in remark.reason
    assert remark.row.startswith("event 1 (u0)")


def test_an_event_without_kind_or_reader_is_never_guessed() -> None:
    event = calendar(LONDON.format("20261020T090000", "20261020T130000"))
    for reader_id, kind, reason in (("dr-a", None, "CATEGORIES: expected one of"), (None, "acute", "names no reader")):
        blocks, (remark,) = read_ical_rota(event, NOW, UNTIL, reader_id, kind)
        assert blocks == []
        assert reason in remark.reason


@pytest.mark.parametrize(
    "text", ["", "hello", "BEGIN:VCALENDAR\r\n", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR"]
)
def test_what_is_no_calendar_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is no iCalendar"):
        read_ical_rota(text, NOW, UNTIL, "dr-a")
