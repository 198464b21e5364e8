"""A reader's alert code reaches people, step by step, until a named person answers."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicom_nodes.contract import AlertCode, OrderCompleted, OrderParked, ReturnReport, TellRis
from tests.integration.router.alert_region import CRITICAL, SECRET, AlertRegion, running_alert_region
from tests.integration.router.region import received


@pytest.fixture
def region(tmp_path: Path) -> Iterator[AlertRegion]:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        yield running


@pytest.fixture
def both(tmp_path: Path, database_url: str) -> Iterator[AlertRegion]:
    """Once for each database."""
    with running_alert_region(tmp_path / "region", database_url) as running:
        yield running


def report(region: AlertRegion, *codes: AlertCode, **changes: Any) -> None:
    """Reader 1 reads a study of RXN and reports it at RXL."""
    region.claim(region.offer())
    region.rxl.say(received(alert_codes=codes or (CRITICAL,), **changes))


def test_an_alert_code_tells_the_origins_referrer_at_once(both: AlertRegion) -> None:
    report(both)
    alert = both.alert()
    assert (alert["state"], alert["trust"], alert["accession_number"]) == ("RAISED", "RXN", "A-1.2.3.4")
    both.work()
    alert = both.alert()
    assert (alert["state"], alert["level"], alert["category"]) == ("NOTIFIED", 1, "critical finding")
    assert both.mail.to() == ["ward7@rxn.test"]
    assert [step["who"] for step in alert["steps"]] == ["referrer", "team", "duty_manager"]
    assert {"alert.raised", "alert.step_begun", "alert.notified"} <= set(both.events())


def test_delivery_is_not_acknowledgement_so_the_ladder_goes_on_to_the_phone_list(both: AlertRegion) -> None:
    report(both)
    both.work()
    both.pass_minutes(9.9)
    assert len(both.mail.mails) == 1
    both.pass_minutes(0.1)
    assert both.mail.to()[1:] == ["results@rxn.test"]
    assert [path for path, _, _ in both.hub.posts] == ["/hook"]
    both.pass_minutes(15)
    assert both.mail.to()[2:] == ["duty@rxn.test"]
    assert both.hub.posts[-1][0] == "/fhir/Communication"
    alert = both.alert()
    assert (alert["state"], alert["level"], alert["on_phone_list"]) == ("ESCALATED", 3, False)
    both.pass_minutes(20)
    (item,) = both.queue("phone_list")
    assert "told so far: referrer, team, duty_manager" in item["reason"]
    assert both.alert()["on_phone_list"]


def test_the_deadline_ends_all_patience(region: AlertRegion) -> None:
    report(region, AlertCode(value="SOON", scheme="99ALERT"))
    region.work()
    region.pass_minutes(20)
    assert region.alert()["level"] == 3
    assert region.queue("phone_list")
    assert region.alert()["past_deadline"]


def test_an_unanswered_phone_list_item_comes_back_after_it_was_resolved(region: AlertRegion) -> None:
    report(region)
    region.pass_minutes(60)
    (item,) = region.queue("phone_list")
    path = f"/human-queue/{item['id']}/resolve"
    assert region.client.post(path, json={"note": "rang, no answer"}, headers=region.staff).status_code == 200
    region.pass_minutes(31)
    (again,) = region.queue("phone_list")
    assert again["id"] != item["id"]
    assert region.answer(region.alert(), "acknowledge").status_code == 200
    assert region.queue("phone_list") == []


def test_an_alert_is_raised_once_for_a_report_and_code(both: AlertRegion) -> None:
    other = AlertCode(value="SOON", scheme="99ALERT")
    both.claim(both.offer())
    fact = received(alert_codes=(CRITICAL, CRITICAL, other))
    both.rxl.say(fact)
    both.rxl.outbox_id = "another"
    both.rxl.seq = 0
    both.rxl.say(fact)
    both.work()
    assert sorted(alert["code"] for alert in both.get("/alerts")) == ["CRITICAL", "SOON"]
    assert both.mail.to() == ["ward7@rxn.test", "ward7@rxn.test"]


def test_an_alert_does_not_wait_for_the_reports_way_home(region: AlertRegion) -> None:
    report(region)
    region.work()
    returns = [order for order in region.rxn.orders(after=0).orders if isinstance(order.body, ReturnReport)]
    region.rxn.say(OrderParked(order_id=returns[0].order_id, reason="the RIS is down", attempts=12))
    region.pass_minutes(10)
    assert region.mail.to() == ["ward7@rxn.test", "results@rxn.test"]


def test_a_report_that_waits_raises_its_alert_at_the_reading_sites_duty_manager(both: AlertRegion) -> None:
    both.rxl.say(received(uid="1.2.9.9", accession_number="A9", accession_issuer="RXN", alert_codes=(CRITICAL,)))
    both.work()
    alert = both.alert()
    assert (alert["trust"], alert["accession_number"], alert["study_instance_uid"]) == ("RXL", "A9", None)
    assert "no study with this Study Instance UID is known" in alert["held_because"]
    assert both.mail.to() == ["duty@rxl.test"]
    assert "has NOT been told" in both.mail.mails[0].get_content()


def test_a_held_report_that_is_accepted_after_all_tells_the_origin(region: AlertRegion) -> None:
    read = region.offer()
    region.rxl.say(received(alert_codes=(CRITICAL,), author="C1000002"))  # reader 1 holds the read: it waits
    region.work()
    held = region.alert()
    assert region.mail.to() == ["duty@rxl.test"]
    old_link = region.mail.link()
    assert region.answer(held, "acknowledge", person="RXL manager").status_code == 200
    (waiting,) = region.get("/reports", disposition="WAITING")
    body = {"read_id": read["id"], "reason": "compared with the images"}
    assert region.client.post(f"/reports/{waiting['id']}/accept", json=body, headers=region.staff).status_code == 200
    region.work()
    alert = region.alert()
    assert (alert["id"], alert["trust"], alert["state"]) == (held["id"], "RXN", "NOTIFIED")
    assert (alert["acknowledged_by"], alert["level"]) == (None, 1)
    assert region.mail.to()[1:] == ["ward7@rxn.test"]
    answer = region.client.post(old_link, data={"person": "Late Manager", "confirmed": "yes"})
    assert answer.status_code == 409
    assert region.alert()["state"] == "NOTIFIED"


def test_a_code_that_is_not_listed_goes_to_the_duty_manager_as_it_is(region: AlertRegion) -> None:
    report(region, AlertCode(value="XX1", scheme="LOCAL", text="Something urgent"))
    region.work()
    alert = region.alert()
    assert (alert["category"], alert["urgency"]) == ("unknown code", "critical")
    assert region.mail.to() == ["duty@rxn.test"]
    assert "Something urgent (XX1)" in region.mail.mails[0].get_content()


def test_a_fact_that_fails_keeps_no_alert_back(region: AlertRegion, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("router.flows.take_report.match_report", fails)
    region.rxl.say(received(alert_codes=(CRITICAL,)))
    region.work()
    assert region.mail.to() == ["duty@rxl.test"]
    assert "could not take the report" in region.alert()["held_because"]


def test_a_reader_raises_one_by_hand_once(region: AlertRegion) -> None:
    read = region.offer()
    region.claim(read)
    body = {"read_id": read["id"], "code": {"value": "CRITICAL", "scheme": "99ALERT"}}
    answers = [region.client.post("/alerts", json=body, headers=region.reader()) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert region.client.post("/alerts", json=body, headers=region.reader(2)).status_code == 404
    again = region.client.post("/alerts", json=body | {"request_id": "second"}, headers=region.reader())
    assert again.json()["id"] != answers[0].json()["id"]
    assert len(region.client.get("/alerts", headers=region.reader()).json()) == 2
    assert region.client.get("/alerts", headers=region.reader(2)).json() == []


def test_a_report_by_the_api_carries_its_codes(region: AlertRegion) -> None:
    read = region.offer()
    token = region.claim(read)
    body = {"transaction_uid": token, "status": "F", "text": "Bleed.", "alert_codes": [CRITICAL.model_dump()]}
    assert region.client.post(f"/reads/{read['id']}/report", json=body, headers=region.reader()).status_code == 201
    region.work()
    assert region.mail.to() == ["ward7@rxn.test"]


def test_acknowledging_ends_the_ladder_and_closing_ends_the_alert(both: AlertRegion) -> None:
    report(both)
    both.work()
    alert = both.alert()
    assert both.answer(alert, "close").status_code == 409
    assert both.answer(alert, "acknowledge").json()["acknowledged_by"] == "Sister Aspen, ward 7"
    second = both.answer(alert, "acknowledge", person="Dr Late")
    assert second.status_code == 409
    assert "Sister Aspen" in second.json()["message"]
    both.pass_minutes(120)
    assert len(both.mail.mails) == 1
    assert both.queue("phone_list") == []
    both.pass_minutes(24 * 60)
    assert [item["kind"] for item in both.queue("alert_unclosed")] == ["alert_unclosed"]
    assert both.answer(alert, "close", reason="patient admitted").json()["state"] == "CLOSED"
    assert both.queue("alert_unclosed") == []
    assert both.events()[-2:] == ["alert.closed", "queue.resolved"]


def test_a_channel_that_fails_for_good_hands_over_to_the_next_step_at_once(region: AlertRegion) -> None:
    report(region)
    region.mail.refuse = "550 no such mailbox"
    region.work()
    alert = region.alert()
    assert (alert["state"], alert["level"]) == ("ESCALATED", 2)
    assert [told["state"] for told in alert["notifications"]] == ["FAILED", "FAILED", "SENT"]
    assert "550" in alert["notifications"][0]["reason"]


def test_a_channel_that_is_busy_is_tried_again(region: AlertRegion) -> None:
    report(region)
    region.mail.refuse = "451 later"
    region.work()
    assert region.alert()["notifications"][0]["state"] == "QUEUED"
    region.mail.refuse = None
    region.pass_minutes(1)
    assert region.alert()["notifications"][0]["state"] == "SENT"
    assert region.mail.mails[0]["Message-ID"].startswith("<alert-")


def test_an_answer_that_comes_first_makes_the_message_unneeded(region: AlertRegion) -> None:
    report(region)
    region.mail.refuse = "451 later"
    region.work()
    region.answer(region.alert(), "acknowledge")
    region.mail.refuse = None
    region.pass_minutes(5)
    assert region.mail.mails == []
    assert region.alert()["notifications"][0]["state"] == "UNNEEDED"


def test_the_webhook_is_signed_and_the_communication_points_at_the_study(region: AlertRegion) -> None:
    report(region)
    region.pass_minutes(25)
    _, headers, body = region.hub.posts[0]
    seconds, signed = (part.split("=")[1] for part in headers["Readacross-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signed, expected)
    assert int(seconds) == int(region.clock().timestamp())
    sent = json.loads(body)
    assert (sent["recipient"], sent["accession_number"]) == ("12", "A-1.2.3.4")
    _, headers, body = region.hub.posts[1]
    resource = json.loads(body)
    assert (resource["resourceType"], resource["priority"]) == ("Communication", "stat")
    assert resource["about"][0]["identifier"]["value"] == "A-1.2.3.4"
    assert headers["If-None-Exist"] == f"identifier=urn:ietf:rfc:3986|{resource['identifier'][0]['value']}"


def test_no_message_names_the_patient(region: AlertRegion) -> None:
    report(region, text="Bleed in the left hemisphere of this patient.")
    region.pass_minutes(60)
    said = "".join(mail.as_string() for mail in region.mail.mails)
    said += "".join(body.decode() for _, _, body in region.hub.posts)
    said += region.client.get(region.mail.link()).text
    assert len(said) > 1000
    for secret in ("9990000018", "H100200", "1950", "hemisphere"):
        assert secret not in said
    assert not any("A-1.2.3.4" in str(mail["Subject"]) for mail in region.mail.mails)


def test_metrics_tell_open_alerts_and_their_ages(region: AlertRegion) -> None:
    report(region)
    region.pass_minutes(61)
    text = region.client.get("/metrics", headers=region.staff).text
    assert 'readacross_alerts_open{state="ESCALATED",trust="RXN"} 1.0' in text
    assert 'readacross_alerts_oldest_age_seconds{state="ESCALATED",trust="RXN"} 3660.0' in text
    assert 'readacross_alerts_past_deadline{trust="RXN"} 1.0' in text
    assert 'readacross_alert_notifications{channel="mail",state="SENT"} 3.0' in text


def test_the_ris_is_told_by_an_order_to_the_origins_node(tmp_path: Path) -> None:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/r.sqlite", ris=True) as region:
        report(region)
        region.work()
        assert region.alert()["state"] == "RAISED"
        (order,) = [order for order in region.rxn.orders(after=0).orders if isinstance(order.body, TellRis)]
        assert isinstance(order.body, TellRis)
        assert order.body.study.accession_number == "A-1.2.3.4"
        assert order.body.link is not None
        path = order.body.link.removeprefix("http://127.0.0.1:8400")
        assert path.split("/")[-1] not in str(region.get("/ledger", study_instance_uid="1.2.3.4"))
        region.rxn.say(OrderCompleted(order_id=order.order_id))
        assert region.alert()["state"] == "NOTIFIED"
        assert region.client.post(path, data={"person": "Dr Referrer", "confirmed": "yes"}).status_code == 200
        assert region.alert()["acknowledged_by"] == "Dr Referrer"


def test_a_node_that_gives_up_on_its_ris_hands_over_to_the_next_step(tmp_path: Path) -> None:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/r.sqlite", ris=True) as region:
        report(region)
        region.work()
        (order,) = [order for order in region.rxn.orders(after=0).orders if isinstance(order.body, TellRis)]
        region.rxn.say(OrderParked(order_id=order.order_id, reason="the RIS answered AR to an alert", attempts=1))
        region.work()
        assert (region.alert()["level"], region.mail.to()) == (2, ["results@rxn.test"])
