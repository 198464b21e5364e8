"""Readers' entitlements, sessions, leave and imported rotas, by the API and as the planner sees them."""

from dataclasses import replace
from typing import Any

import pytest

from router.model.session import Workstation
from tests.integration.router.region import Region, settled

CSV = "reader,start,end,kind\n"


def post(region: Region, path: str, body: dict[str, Any], status: int = 201) -> Any:
    answer = region.client.post(path, json=body, headers=region.staff)
    assert answer.status_code == status, answer.text
    return answer.json()


def imported(region: Region, text: str, status: int = 200, **options: Any) -> Any:
    body = {"format": "csv", "text": text, **options}
    return post(region, "/rota/import", body, status)


def reader_body(region: Region, number: int = 1) -> dict[str, Any]:
    view = region.get(f"/readers/reader-{number}")
    return {name: value for name, value in view.items() if name not in {"id", "credentials", "speeds"}}


def put_reader(region: Region, status: int = 200, number: int = 1, **changes: Any) -> Any:
    body = {**reader_body(region, number), **changes}
    answer = region.client.put(f"/readers/reader-{number}", json=body, headers=region.staff)
    assert answer.status_code == status, answer.text
    return answer.json()


def why_waiting(region: Region) -> dict[str, list[str]]:
    waiting = region.get(f"/reads/{region.read()['id']}/why")["waiting"]
    return {item["reader_id"]: item["reasons"] for item in waiting["exclusions"]}


def test_everything_a_reader_may_and_prefers_is_kept(region: Region) -> None:
    told = {
        "profession": "reporting_radiographer",
        "levels": {"neuro": "specialist", "msk": "special_interest"},
        "exam_scope": ["CSKUH", "xr_knee"],
        "max_run": 12,
        "break_after_minutes": 50,
        "display_valid_until": "2027-01-31T00:00:00Z",
        "delivery": "pull",
        "outsourcer": {"price_pence_per_read": 2500, "queue_limit": 30},
    }
    region.know_msk()
    put_reader(region, **told)
    view = region.get("/readers/reader-1")
    assert {name: view[name] for name in told} == told
    assert view["subspecialties"] == ["msk", "neuro"]


def test_a_radiographer_without_a_scope_is_refused(sqlite_region: Region) -> None:
    for scope in (None, []):
        put_reader(sqlite_region, 422, profession="reporting_radiographer", exam_scope=scope)


def test_a_credential_that_has_expired_is_refused(sqlite_region: Region) -> None:
    span = {"valid_from": "2026-01-01T00:00:00Z", "valid_until": "2026-11-02T09:00:00Z"}
    answer = post(sqlite_region, "/readers/reader-1/credentials", {"trust": "RXL", **span}, 422)
    assert answer["message"] == "valid_until: the credential has expired already"


def test_a_session_that_overlaps_another_one_is_refused(region: Region) -> None:
    body = {"reader_id": "reader-1", "ends_at": "2026-11-02T20:00:00Z", "capacity_reads": 5, "kind": "acute"}
    answer = post(region, "/sessions", {**body, "starts_at": "2026-11-02T17:59:00Z"}, 409)
    assert "overlaps a session that is booked of the same reader" in answer["message"]
    taken = post(region, "/sessions", {**body, "starts_at": "2026-11-02T18:00:00Z"})
    assert taken["kind"] == "acute"


def test_the_same_credential_or_leave_again_is_the_one_that_is_there(region: Region) -> None:
    right = {"trust": "RXL", "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z"}
    away = {"reader_id": "reader-1", "starts_at": "2026-11-03T00:00:00Z", "ends_at": "2026-11-04T00:00:00Z"}
    given = post(region, "/readers/reader-1/credentials", right)
    booked = post(region, "/leave", away)
    assert post(region, "/readers/reader-1/credentials", right) == given
    assert post(region, "/leave", {**away, "starts_at": "2026-11-03T01:00:00+01:00"}) == booked
    assert len(region.get("/readers/reader-1")["credentials"]) == 2
    assert len(region.get("/leave")) == 1
    region.client.delete(f"/readers/reader-1/credentials/{given['id']}", headers=region.staff).raise_for_status()
    assert post(region, "/readers/reader-1/credentials", right)["id"] != given["id"]  # a revoked one stays revoked


MORE_THAN_IT_LASTS = "capacity_minutes: expected at most 240, as long as the session lasts, got 2400"


def test_a_session_of_more_minutes_than_it_lasts_is_refused_wherever_it_comes_from(sqlite_region: Region) -> None:
    region, span = sqlite_region, {"starts_at": "2026-11-03T09:00:00Z", "ends_at": "2026-11-03T13:00:00Z"}
    body = {"reader_id": "reader-1", "capacity_minutes": 2400, **span}
    assert post(region, "/sessions", body, 422)["message"] == MORE_THAN_IT_LASTS
    text = "reader,start,end,kind,capacity_minutes\nreader-1,2026-11-03T09:00,2026-11-03T13:00,acute,2400"
    assert [refused["reason"] for refused in imported(region, text)["refused"]] == [MORE_THAN_IT_LASTS]
    week = {"weekdays": [1], "starts": "09:00", "ends": "13:00", "first_day": "2026-11-02", "last_day": "2026-11-08"}
    pattern = {"reader_id": "reader-1", "kind": "acute", "capacity_minutes": 2400, **week}
    assert post(region, "/patterns", pattern, 422)["message"] == MORE_THAN_IT_LASTS
    put_reader(region, outsourcer={"price_pence_per_read": 1, "queue_limit": 9})
    assert post(region, "/sessions", body)["capacity_minutes"] == 2400


def test_a_night_in_which_the_clocks_go_forward_has_its_usual_minutes(sqlite_region: Region) -> None:
    span = {"starts_at": "2027-03-27T21:00:00Z", "ends_at": "2027-03-28T06:00:00Z"}  # 21:00 to 07:00 on the wall
    post(sqlite_region, "/sessions", {"reader_id": "reader-1", "capacity_minutes": 600, **span})


def test_a_session_to_which_nothing_will_be_given_is_booked_with_a_warning(sqlite_region: Region) -> None:
    away = {"reader_id": "reader-1", "starts_at": "2026-11-03T00:00:00Z", "ends_at": "2026-11-04T00:00:00Z"}
    post(sqlite_region, "/leave", away)
    on_leave = "reader reader-1 is on leave 2026-11-03 00:00 to 2026-11-04 00:00 UTC"
    told = {
        "2026-11-03": [on_leave],
        "2020-11-03": ["is over already", "reader reader-1 has no valid credential then (last until 2027-01-01)"],
        "2027-11-03": ["reader reader-1 has no valid credential then (last until 2027-01-01)"],
        "2026-11-04": [],
    }
    for day, warnings in told.items():
        span = {"starts_at": f"{day}T09:00:00Z", "ends_at": f"{day}T13:00:00Z"}
        body = {"reader_id": "reader-1", "capacity_minutes": 240, **span}
        assert post(sqlite_region, "/sessions", body)["warnings"] == warnings
    text = CSV + "reader-1,2026-11-03T14:00,2026-11-03T16:00,elective"
    assert [w["reason"] for w in imported(sqlite_region, text)["warnings"]] == [on_leave]


def test_who_is_on_leave_is_given_nothing_until_the_leave_is_cancelled(region: Region) -> None:
    away = [
        post(
            region,
            "/leave",
            {"reader_id": f"reader-{n}", "starts_at": "2026-11-02T00:00:00Z", "ends_at": "2026-11-03T00:00:00Z"},
        )
        for n in (1, 2)
    ]
    region.rxn.say(settled())
    region.plan()
    assert why_waiting(region) == {"reader-1": ["on leave"], "reader-2": ["on leave"]}
    region.client.delete(f"/leave/{away[0]['id']}", headers=region.staff)
    region.plan()
    assert region.read()["lease"]["reader_id"] == "reader-1"


def test_a_rota_is_taken_row_by_row_and_refused_with_the_reason(region: Region) -> None:
    text = CSV + "\n".join(
        [
            "reader-1,2026-11-03T09:00,2026-11-03T13:00,elective",
            "reader-1,2026-11-03T12:00,2026-11-03T15:00,acute",
            "nobody,2026-11-03T09:00,2026-11-03T13:00,elective",
            "reader-2,2026-11-03T09:00,2026-11-03T13:00,elective",
            "reader-1,2026-11-01T09:00,2026-11-01T13:00,elective",
            "reader-1,2027-03-28T01:30,2027-03-28T05:00,elective",
            "reader-1,2027-02-01T09:00,2027-02-01T13:00,elective",
            "reader-1,2026-12-24T00:00,2026-12-28T00:00,leave",
        ]
    )
    region.change_reader("reader-2", employer="RXN")
    answer = imported(region, text, trust="RXL")
    assert [(row["row"], row["kind"]) for row in answer["taken"]] == [
        ("2", "elective"),
        ("8", "elective"),
        ("9", "leave"),
    ]
    reasons = {refused["row"]: refused["reason"] for refused in answer["refused"]}
    assert reasons["3"].startswith("overlaps row 2 of the same reader")
    assert reasons["4"] == "reader 'nobody' is not known"
    assert reasons["5"] == "reader reader-2 is employed by RXN, not by RXL"
    assert reasons["6"] == "is over already"
    assert "does not exist: the clocks go forward" in reasons["7"]
    assert [w["row"] for w in answer["warnings"]] == ["8"]
    assert "no valid credential then (last until 2027-01-01)" in answer["warnings"][0]["reason"]
    booked = region.get("/sessions", reader_id="reader-1")
    again = imported(region, text, trust="RXL")
    assert (len(again["taken"]), region.get("/sessions", reader_id="reader-1")) == (3, booked)
    assert len(region.get("/leave", reader_id="reader-1")) == 1


def test_a_dry_run_says_the_same_and_changes_nothing(region: Region) -> None:
    before = region.get("/sessions")
    text = CSV + "reader-1,2026-11-03T09:00,2026-11-03T13:00,elective\n"
    assert len(imported(region, text, dry_run=True)["taken"]) == 1
    assert region.get("/sessions") == before


@pytest.mark.parametrize("wrong", [{"trust": "ZZZ"}, {"reader_id": "nobody"}])
def test_an_import_for_an_unknown_trust_or_reader_is_refused(sqlite_region: Region, wrong: dict[str, str]) -> None:
    assert "expected a known" in imported(sqlite_region, CSV, 422, **wrong)["message"]


def test_a_calendar_that_is_imported_again_replaces_its_own_sessions(region: Region) -> None:
    event = (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:weekly\nCATEGORIES:elective\n"
        "DTSTART;TZID=Europe/London:20261103T090000\nDTEND;TZID=Europe/London:20261103T130000\n"
        "RRULE:FREQ=WEEKLY;COUNT={}\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    first = imported(region, event.format(4), format="ical", reader_id="reader-1")
    assert (len(first["taken"]), first["removed"]) == (4, 0)
    second = imported(region, event.format(2), format="ical", reader_id="reader-1")
    assert (len(second["taken"]), second["removed"]) == (2, 2)
    later = [s for s in region.get("/sessions", reader_id="reader-1") if s["starts_at"] > "2026-11-03"]
    assert [s["starts_at"][:10] for s in later] == ["2026-11-03", "2026-11-10"]


def test_a_pattern_books_its_sessions_and_takes_unused_ones_with_it(region: Region) -> None:
    body = {
        "reader_id": "reader-1",
        "weekdays": [0, 1],
        "starts": "07:00",
        "ends": "09:00",
        "first_day": "2026-11-02",
        "last_day": "2026-11-15",
        "kind": "acute",
    }
    made = post(region, "/patterns", body)
    assert (made["sessions"], [r["row"] for r in made["refused"]]) == (3, [])
    assert [p["id"] for p in region.get("/patterns")] == [made["pattern"]["id"]]
    region.client.delete(f"/patterns/{made['pattern']['id']}", headers=region.staff)
    assert (region.get("/patterns"), len(region.get("/sessions", reader_id="reader-1"))) == ([], 1)


def test_images_go_to_the_place_of_the_session(region: Region) -> None:
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    with store.write() as tx:
        (session,) = tx.readers.sessions("reader-1")
        tx.readers.put_session(replace(session, place=Workstation("RXN", "RXN_WS9")))
    region.assign()
    assert region.rxl.new_orders() == ()
    (order,) = region.rxn.new_orders()
    assert (order.body.kind, order.body.workstation_ae_title) == ("deliver", "RXN_WS9")  # type: ignore[union-attr]


def test_an_outsourcers_queue_fills_and_no_further(region: Region) -> None:
    for number in (1, 2):
        put_reader(region, number=number, outsourcer={"price_pence_per_read": 1, "queue_limit": 1})
    for uid in ("1.2.3.4", "1.2.3.5", "1.2.3.6"):
        region.clock.pass_s(1)
        region.rxn.say(settled(uid))
        region.plan()
    assert {reason for reasons in why_waiting(region).values() for reason in reasons} == {
        "the outsourcer's queue is full (1 of 1 reads wait)"
    }


def test_a_scope_that_was_narrowed_since_the_offer_ends_it_at_the_claim(region: Region) -> None:
    read = region.assign()
    put_reader(region, exam_scope=["xr_chest"])
    answer = region.client.post(f"/reads/{read['id']}/claim", headers=region.reader(1))
    reason = "exam CSKUH is outside the reader's exam scope"
    assert (answer.status_code, answer.json()["message"]) == (403, reason)
    assert region.read()["state"] == "READY"
