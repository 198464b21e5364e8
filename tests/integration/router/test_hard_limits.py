"""What keeps a reader from a read, and how the reader wants to work, through a whole router."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router.app import create_app
from router.config import load_router_settings
from tests.integration.router.region import Region, TestClock, settled, write_region
from tests.integration.router.test_aid_and_exams import ROW, coded, map_codes


def only_reader_1(region: Region, **changes: Any) -> None:
    region.change_reader("reader-2", active=False)
    region.change_reader("reader-1", **changes)


def map_two_kinds(region: Region) -> None:
    spine = {**ROW, "local_code": "CTS1", "standard_code": "CSPIN", "group": "ct_spine"}
    map_codes(region, ROW, spine)


def on_list(region: Region, reader: int = 1) -> list[str]:
    """Exam groups on the reader's list."""
    found = region.get("/reads", reader=f"reader-{reader}", state="ASSIGNED")
    return sorted(read["exam_group"] for read in found)


def why_not(region: Region, read_id: str) -> dict[str, list[str]]:
    waiting = region.get(f"/reads/{read_id}/why")["waiting"]
    return {item["reader_id"]: item["reasons"] for item in waiting["exclusions"] + waiting["not_now"]}


def read_through(region: Region, uid: str, minutes: float) -> None:
    """Reader 1 claims the study's read and signs it so many minutes later."""
    (read,) = [read for read in region.get("/reads") if read["study_instance_uid"] == uid]
    token = region.claim(read)
    for _ in range(int(minutes)):
        region.clock.pass_s(60)
        beat = {"transaction_uid": token}
        path = f"/reads/{read['id']}/heartbeat"
        assert region.client.post(path, json=beat, headers=region.reader()).status_code == 200
    body = {"transaction_uid": token, "status": "F", "text": "Normal."}
    answer = region.client.post(f"/reads/{read['id']}/report", json=body, headers=region.reader())
    assert answer.status_code == 201, answer.text


def test_a_reader_whose_display_check_has_ended_gets_nothing(sqlite_region: Region) -> None:
    region = sqlite_region
    only_reader_1(region, display_valid_until="2026-11-02T09:00:00Z")
    region.rxn.say(settled())
    region.plan()
    read = region.read()
    reason = "the display check of the workstation ended on 2026-11-02"
    assert why_not(region, read["id"])["reader-1"] == [reason]
    answer = region.client.post(f"/reads/{read['id']}/claim", headers=region.reader())
    assert (answer.status_code, answer.json()["message"]) == (403, reason)


def test_an_offer_is_taken_back_from_who_opens_it_after_the_display_check_has_ended(sqlite_region: Region) -> None:
    region = sqlite_region
    region.change_reader("reader-1", display_valid_until="2026-11-02T09:10:00Z")
    read = region.assign()
    assert read["lease"]["reader_id"] == "reader-1"
    region.clock.pass_s(601)
    assert region.client.post(f"/reads/{read['id']}/claim", headers=region.reader()).status_code == 403
    region.plan()
    assert region.read()["lease"]["reader_id"] == "reader-2"


def test_who_declined_is_never_asked_again(sqlite_region: Region) -> None:
    region = sqlite_region
    only_reader_1(region)
    read = region.assign()
    body = {"reason": "my own family"}
    region.client.post(f"/reads/{read['id']}/decline", json=body, headers=region.reader()).raise_for_status()
    region.plan()
    assert region.read()["state"] == "READY"
    assert why_not(region, read["id"])["reader-1"] == ["declined this read"]


def test_after_the_longest_run_of_one_kind_another_one_comes_first(region: Region) -> None:
    map_two_kinds(region)
    only_reader_1(region, max_run=2)
    for number in range(5):
        region.rxn.say(settled(f"1.2.{number}", exam_code=coded("CTH1")))
        region.clock.pass_s(1)
    region.plan()
    assert on_list(region) == ["ct_head"] * 2
    region.plan()
    assert on_list(region) == ["ct_head"] * 3  # nothing else waits
    region.rxn.say(settled("1.2.9", exam_code=coded("CTS1")))
    listed = [read["study_instance_uid"] for read in region.get("/reads", state="ASSIGNED")]
    read_through(region, listed[0], 1)
    region.plan()
    assert on_list(region) == ["ct_head", "ct_head", "ct_spine"]


def test_who_is_due_a_break_is_pushed_nothing_until_the_pause_was_long_enough(region: Region) -> None:
    map_two_kinds(region)
    only_reader_1(region, break_after_minutes=20)
    region.rxn.say(settled("1.2.1", exam_code=coded("CTH1")))
    region.plan()
    read_through(region, "1.2.1", 21)
    region.rxn.say(settled("1.2.2", exam_code=coded("CTH1")))
    region.plan()
    (waiting,) = region.get("/reads", state="READY")
    assert why_not(region, waiting["id"])["reader-1"] == ["a break is due"]
    region.clock.pass_s(600)
    region.plan()
    assert on_list(region) == ["ct_head"]


def test_a_reader_who_pulls_is_sent_images_when_opening_a_read_and_not_before(sqlite_region: Region) -> None:
    region = sqlite_region
    only_reader_1(region, delivery="pull")
    region.rxn.say(settled())
    region.plan()
    read = region.read()
    assert (read["state"], region.rxl.new_orders()) == ("READY", ())
    assert why_not(region, read["id"])["reader-1"] == ["asks for the next read when free"]
    answer = region.client.post("/reads/next", headers=region.reader())
    assert answer.status_code == 200, answer.text
    assert [order.body.kind for order in region.rxl.new_orders()] == ["fetch"]


def test_a_reader_who_is_pushed_is_sent_images_when_the_read_is_assigned(sqlite_region: Region) -> None:
    only_reader_1(sqlite_region, delivery="push")
    sqlite_region.rxn.say(settled())
    sqlite_region.plan()
    assert sqlite_region.read()["state"] == "ASSIGNED"
    assert [order.body.kind for order in sqlite_region.rxl.new_orders()] == ["fetch"]


def test_a_router_starts_with_a_credential_that_has_expired_and_says_whose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = write_region(tmp_path, f"sqlite:///{tmp_path}/router.sqlite", readers=1)
    file = tmp_path / "readers.toml"
    file.write_text(file.read_text().replace("valid_until = 2027-01-01", "valid_until = 2026-10-01"))
    settings = load_router_settings(settings.file)
    create_app(settings, TestClock(), plan_in_background=False).state.services.store.database.dispose()
    said = capsys.readouterr().err
    assert "readers[0].credentials[0].valid_until" in said
    assert "the credential of reader-1 for RXN expired on 2026-10-01; reader-1 reads nothing of RXN" in said


def test_a_session_of_the_file_that_meets_a_booked_one_is_told_of(
    sqlite_region: Region, capsys: pytest.CaptureFixture[str]
) -> None:
    file = sqlite_region.settings.file.parent / "readers.toml"
    later = "sessions = [{ start = 2026-11-02T07:00:00Z, end = 2026-11-02T08:30:00Z, capacity_reads = 3 }, {"
    file.write_text(
        file.read_text().replace("sessions = [{", later, 1).replace("T08:00:00Z, end", "T08:30:00Z, end", 1)
    )
    settings = load_router_settings(sqlite_region.settings.file)
    create_app(settings, TestClock(), plan_in_background=False).state.services.store.database.dispose()
    assert "overlaps a session that is booked of the same reader, 2026-11-02 08:00 to" in capsys.readouterr().err


def test_a_session_of_minutes_keeps_time_for_the_readers_breaks(region: Region) -> None:
    region.change_reader("reader-1", break_after_minutes=50)
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    with store.write() as tx:
        (session,) = tx.readers.sessions("reader-1")
        tx.readers.put_session(replace(session, capacity_reads=None, capacity_minutes=600.0))
        (load,) = tx.readers.duty_of("reader-1", region.clock()).sessions
    assert load.capacity_minutes == pytest.approx(500.0)
