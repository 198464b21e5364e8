"""Versions, requests and repeats speak of the alert there is; none is lost by that, and none ends by silence."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.router.alert_region import CRITICAL, AlertRegion, running_alert_region
from tests.integration.router.region import received
from tests.integration.router.test_alerts import SOON
from tests.integration.router.test_why import why


@pytest.fixture
def region(tmp_path: Path) -> Iterator[AlertRegion]:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        running.claim(running.offer())
        yield running


def say(region: AlertRegion, status: str, *codes: Any, **changes: Any) -> None:
    """The next version, a minute later."""
    region.clock.pass_s(60)
    region.rxl.say(received(status=status, alert_codes=codes, text=f"{status} {region.clock()}", **changes))


def codes(region: AlertRegion) -> list[str]:
    return [alert["code"] for alert in region.get("/alerts")]


def test_a_final_report_repeats_the_alert_of_its_preliminary_one(region: AlertRegion) -> None:
    say(region, "P", CRITICAL)
    region.work()
    say(region, "F", CRITICAL)
    region.work()
    assert (codes(region), region.mail.to()) == (["CRITICAL"], ["ward7@rxn.test"])
    assert region.events().count("alert.repeated") == 1
    assert region.queue("alert_repeated") == region.queue("alert_not_repeated") == []


def test_another_code_of_a_later_version_is_another_alert(region: AlertRegion) -> None:
    say(region, "P", SOON)
    say(region, "F", SOON, CRITICAL)
    assert sorted(codes(region)) == ["CRITICAL", "SOON"]


def test_a_finding_that_was_answered_before_its_final_report_is_compared_by_a_person(region: AlertRegion) -> None:
    say(region, "P", CRITICAL)
    region.answer(region.alert(), "acknowledge")
    region.answer(region.alert(), "close")
    say(region, "F", CRITICAL)
    (item,) = region.queue("alert_repeated")
    assert (codes(region), "Sister Aspen, ward 7 answered" in item["reason"]) == (["CRITICAL"], True)


@pytest.mark.parametrize(("status", "addendum"), [("C", False), ("F", True)])
def test_a_correction_raises_anew_once_anybody_was_told_or_has_answered(
    region: AlertRegion, status: str, addendum: bool
) -> None:
    say(region, "F", CRITICAL)
    say(region, status, CRITICAL, addendum=addendum)
    assert codes(region) == ["CRITICAL"]
    region.work()
    assert region.mail.to() == ["ward7@rxn.test"]
    say(region, status, CRITICAL, addendum=addendum)
    region.work()
    assert (codes(region), region.mail.to()) == (["CRITICAL"] * 2, ["ward7@rxn.test"] * 2)
    newest = max(region.get("/reports"), key=lambda report: report["version"])
    assert newest["id"] in {alert["report_id"] for alert in region.get("/alerts")}
    for alert in region.get("/alerts"):
        region.answer(alert, "acknowledge")
    say(region, status, CRITICAL, addendum=addendum)
    assert codes(region) == ["CRITICAL"] * 3


def test_a_version_without_the_code_ends_nothing_and_a_person_compares(region: AlertRegion) -> None:
    say(region, "P", CRITICAL)
    say(region, "F")
    (item,) = region.queue("alert_not_repeated")
    assert "version 2 (F) does not name CRITICAL" in item["reason"]
    region.work()
    assert (region.alert()["state"], region.mail.to()) == ("NOTIFIED", ["ward7@rxn.test"])
    say(region, "C", CRITICAL)
    say(region, "F", addendum=True)
    assert (codes(region), len(region.queue("alert_not_repeated"))) == (["CRITICAL", "CRITICAL"], 1)


def test_accepting_a_held_version_leaves_open_what_it_asks_of_alerts(region: AlertRegion) -> None:
    say(region, "P", CRITICAL)
    say(region, "F", author="C1000002")
    (held,) = region.queue("report_not_accepted")
    body = {"read_id": region.read()["id"], "reason": "rang the reader"}
    path = f"/reports/{held['report_id']}/accept"
    assert region.client.post(path, json=body, headers=region.staff).status_code == 200
    assert [item["kind"] for item in region.queue()] == ["alert_not_repeated"]


def test_a_request_and_the_report_are_one_alert_whichever_comes_first(region: AlertRegion) -> None:
    read, reader = region.read(), region.reader()
    body = {"read_id": read["id"], "code": CRITICAL.model_dump()}
    first = region.client.post("/alerts", json=body, headers=reader).json()
    say(region, "F", CRITICAL)
    assert codes(region) == ["CRITICAL"]
    say(region, "C", SOON)
    for request in ({}, {"request_id": "later"}):
        again = {**body, **request, "code": SOON.model_dump()}
        answer = region.client.post("/alerts", json=again, headers=reader)
        assert (answer.status_code, answer.json()["id"] == first["id"]) == (201, False)
    assert sorted(codes(region)) == ["CRITICAL", "SOON"]
    region.answer(region.alert(), "acknowledge")
    assert region.client.post("/alerts", json={**body, "code": SOON.model_dump()}, headers=reader).status_code == 201
    assert sorted(codes(region)) == ["CRITICAL", "SOON", "SOON"]


def test_a_read_that_closes_hides_no_open_alert(region: AlertRegion, tmp_path: Path) -> None:
    say(region, "F", CRITICAL)
    region.work()
    (order,) = [order for order in region.rxn.new_orders() if order.body.kind == "return"]
    region.rxn.return_report(order)
    region.pass_minutes(70)
    read = region.get(f"/reads/{region.read()['id']}")
    (alert,) = read["open_alerts"]
    assert (read["state"], alert["id"], alert["age_s"]) == ("CLOSED", region.alert()["id"], 70 * 60.0)
    assert (alert["past_deadline"], alert["on_phone_list"]) == (True, True)
    (trace,) = region.get("/ledger", study_instance_uid="1.2.3.4")
    closed = next(entry["detail"] for entry in trace["entries"] if entry["event"] == "read.closed")
    assert closed["open_alerts"] == [one["id"] for one in trace["open_alerts"]] == [alert["id"]]
    told = why(region, tmp_path, "1.2.3.4")
    assert "critical finding, 70 min old, ESCALATED: nobody has answered, past its deadline" in " ".join(told.split())
    region.answer(region.alert(), "acknowledge")
    region.answer(region.alert(), "close")
    assert region.get(f"/reads/{read['id']}")["open_alerts"] == []
