"""A reader's alert code reaches people, step by step, until a named person answers."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicom_nodes.contract import AlertCode, ImagingOrdered, OrderCompleted, OrderParked, ReturnReport, TellRis
from tests.integration.router.alert_region import CRITICAL, SECRET, AlertRegion, running_alert_region
from tests.integration.router.region import PATIENT, received

SOON = AlertCode(value="SOON", scheme="99ALERT")
UNLISTED = AlertCode(value="XX1", scheme="LOCAL", text="Something urgent")


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


def waiting_report(region: AlertRegion, *codes: AlertCode) -> None:
    """A report at RXL that matches no study."""
    region.rxl.say(
        received(uid="1.2.9.9", accession_number="A9", accession_issuer="RXN", alert_codes=codes or (CRITICAL,))
    )


def test_the_ladder_is_climbed_until_a_named_person_answers(both: AlertRegion) -> None:
    order = {"accession_number": "A-1.2.3.4", "accession_issuer": "RXN", "critical_contact": "bleep 1234"}
    both.rxn.say(ImagingOrdered(patient=PATIENT, **order))  # type: ignore[arg-type]
    report(both)
    alert = both.alert()
    assert alert["contact"] == "bleep 1234"
    assert (alert["state"], alert["trust"], alert["accession_number"]) == ("RAISED", "RXN", "A-1.2.3.4")
    both.work()
    alert = both.alert()
    assert (alert["state"], alert["level"], alert["category"]) == ("NOTIFIED", 1, "critical finding")
    assert [step["who"] for step in alert["steps"]] == ["referrer", "team", "duty_manager"]
    (way_home,) = [order for order in both.rxn.orders(after=0).orders if isinstance(order.body, ReturnReport)]
    both.rxn.say(OrderParked(order_id=way_home.order_id, reason="the RIS is down", attempts=12))
    both.pass_minutes(9.9)
    assert both.mail.to() == ["ward7@rxn.test"]
    both.pass_minutes(0.1)
    assert both.mail.to()[1:] == ["results@rxn.test"]
    both.pass_minutes(15)
    assert both.mail.to()[2:] == ["duty@rxn.test"]
    assert [path for path, _, _ in both.hub.posts] == ["/hook", "/fhir/Communication"]
    alert = both.alert()
    assert (alert["state"], alert["level"], alert["on_phone_list"]) == ("ESCALATED", 3, False)
    assert both.answer(alert, "close").status_code == 409
    both.pass_minutes(36)
    given_up, item = both.queue("phone_list")
    assert "gave up after 12 attempts: the RIS is down" in given_up["reason"]
    assert "told so far: referrer, team, duty_manager" in item["reason"]
    assert "the order names: bleep 1234" in item["reason"]
    metrics = both.client.get("/metrics", headers=both.staff).text
    assert 'readacross_alerts_open{state="ESCALATED",trust="RXN"} 1.0' in metrics
    assert 'readacross_alerts_oldest_age_seconds{state="ESCALATED",trust="RXN"} 3660.0' in metrics
    assert 'readacross_alerts_past_deadline{trust="RXN"} 1.0' in metrics
    assert 'readacross_alert_notifications{channel="mail",state="SENT"} 3.0' in metrics

    assert both.answer(alert, "acknowledge").json()["acknowledged_by"] == "Sister Aspen, ward 7"
    second = both.answer(alert, "acknowledge", person="Dr Late")
    assert (second.status_code, "Sister Aspen" in second.json()["message"]) == (409, True)
    assert both.queue("phone_list") == [given_up]
    both.pass_minutes(24 * 60)
    assert (len(both.mail.mails), len(both.queue("alert_unclosed"))) == (3, 1)
    assert both.answer(alert, "close", reason="patient admitted").json()["state"] == "CLOSED"
    assert both.queue("alert_unclosed") == []
    assert [event for event in both.events() if event.startswith("alert.")] == [
        "alert.raised",
        "alert.step_begun",
        "alert.notified",
        "alert.escalated",
        "alert.notified",
        "alert.notified",
        "alert.escalated",
        "alert.notified",
        "alert.notified",
        "alert.phone_list",
        "alert.acknowledged",
        "alert.closed",
    ]


def test_an_alert_is_raised_once_for_a_report_and_code_and_an_unlisted_code_as_it_is(both: AlertRegion) -> None:
    both.claim(both.offer())
    ordinary = AlertCode(value="18748-4", scheme="LN", text="Diagnostic imaging report")
    fact = received(alert_codes=(ordinary, CRITICAL, CRITICAL, UNLISTED))
    both.rxl.say(fact)
    both.rxl.outbox_id, both.rxl.seq = "another", 0
    both.rxl.say(fact)
    both.work()
    found = {alert["code"]: alert for alert in both.get("/alerts")}
    assert sorted(found) == ["CRITICAL", "XX1"]
    assert sorted(both.mail.to()) == ["duty@rxn.test", "ward7@rxn.test"]
    assert (found["XX1"]["category"], found["XX1"]["urgency"]) == ("unknown code", "critical")
    assert any("Something urgent (XX1)" in mail.get_content() for mail in both.mail.mails)


def test_messages_are_signed_point_at_the_study_and_do_not_name_the_patient(region: AlertRegion) -> None:
    report(region, text="Bleed in the left hemisphere of this patient.")
    region.work()
    region.pass_minutes(25)
    _, headers, body = region.hub.posts[0]
    seconds, signed = (part.split("=")[1] for part in headers["Readacross-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signed, expected)
    assert int(seconds) == int(region.clock().timestamp())
    sent = json.loads(body)
    assert (sent["recipient"], sent["accession_number"], sent["accession_issuer"]) == ("12", "A-1.2.3.4", "RXN")
    _, headers, body = region.hub.posts[1]
    resource = json.loads(body)
    assert (resource["resourceType"], resource["priority"]) == ("Communication", "stat")
    assert resource["about"][0]["identifier"]["value"] == "A-1.2.3.4"
    assert headers["If-None-Exist"] == f"identifier=urn:ietf:rfc:3986|{resource['identifier'][0]['value']}"
    said = "".join(mail.as_string() for mail in region.mail.mails)
    said += "".join(body.decode() for _, _, body in region.hub.posts)
    said += region.client.get(region.mail.link()).text
    assert "A-1.2.3.4 of RXN" in said
    for secret in ("9990000018", "H100200", "1950", "hemisphere"):
        assert secret not in said
    assert not any("A-1.2.3.4" in str(mail["Subject"]) for mail in region.mail.mails)


def test_a_report_that_waits_raises_its_alert_at_the_reading_sites_duty_manager(region: AlertRegion) -> None:
    waiting_report(region)
    region.work()
    alert = region.alert()
    assert (alert["trust"], alert["accession_number"], alert["study_instance_uid"]) == ("RXL", "A9", None)
    assert "no study with this Study Instance UID is known" in alert["held_because"]
    assert region.mail.to() == ["duty@rxl.test"]
    assert "has NOT been told" in region.mail.mails[0].get_content()


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


def test_a_fact_that_fails_keeps_no_alert_back(region: AlertRegion, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("router.flows.take_report.match_report", fails)
    waiting_report(region)
    region.work()
    assert region.mail.to() == ["duty@rxl.test"]
    assert "could not take the report" in region.alert()["held_because"]


def test_a_reader_raises_one_by_hand_once_and_others_with_a_report(region: AlertRegion) -> None:
    read = region.offer()
    token = region.claim(read)
    reader, other = region.reader(), region.reader(2)
    body = {"read_id": read["id"], "code": {"value": "CRITICAL", "scheme": "99ALERT"}}
    answers = [region.client.post("/alerts", json=body, headers=reader) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert region.client.post("/alerts", json=body, headers=other).status_code == 404
    again = region.client.post("/alerts", json=body | {"request_id": "second"}, headers=reader)
    assert again.json()["id"] != answers[0].json()["id"]
    filed = {"transaction_uid": token, "status": "F", "text": "Bleed.", "alert_codes": [CRITICAL.model_dump()]}
    assert region.client.post(f"/reads/{read['id']}/report", json=filed, headers=reader).status_code == 201
    assert len(region.client.get("/alerts", headers=reader).json()) == 2
    assert region.client.get("/alerts", headers=other).json() == []
    assert region.client.get(f"/alerts/{again.json()['id']}", headers=other).status_code == 404


def test_a_busy_channel_is_tried_again_unless_somebody_answers_first(region: AlertRegion) -> None:
    region.mail.refuse = "451 later"
    waiting_report(region, CRITICAL, SOON)
    region.work()
    first, second = region.get("/alerts")
    assert region.alert(0)["notifications"][0]["state"] == "QUEUED"
    region.answer(second, "acknowledge")
    region.mail.refuse = None
    region.pass_minutes(1)
    assert region.get(f"/alerts/{first['id']}")["notifications"][0]["state"] == "SENT"
    assert region.get(f"/alerts/{second['id']}")["notifications"][0]["state"] == "UNNEEDED"
    assert len(region.mail.mails) == 1
    assert region.mail.mails[0]["Message-ID"].startswith("<alert-")


def test_the_ris_is_told_by_an_order_to_the_origins_node(tmp_path: Path, database_url: str) -> None:
    with running_alert_region(tmp_path / "region", database_url, ris=True) as region:
        report(region, CRITICAL, SOON)
        region.work()
        assert [alert["state"] for alert in region.get("/alerts")] == ["RAISED", "RAISED"]
        orders = [order for order in region.rxn.orders(after=0).orders if isinstance(order.body, TellRis)]
        told, failed = sorted(orders, key=lambda order: order.body.code.value)  # type: ignore[union-attr]
        assert isinstance(told.body, TellRis)
        assert told.body.study.accession_number == "A-1.2.3.4"
        assert told.body.link is not None
        path = told.body.link.removeprefix("http://127.0.0.1:8400")
        region.rxn.say(OrderCompleted(order_id=told.order_id))
        region.rxn.say(OrderParked(order_id=failed.order_id, reason="the RIS answered AR to an alert", attempts=1))
        region.work()
        states = {alert["code"]: (alert["state"], alert["level"]) for alert in region.get("/alerts")}
        assert states == {"CRITICAL": ("NOTIFIED", 1), "SOON": ("ESCALATED", 2)}
        assert region.mail.to() == ["results@rxn.test"]
        assert region.client.post(path, data={"person": "Dr Referrer", "confirmed": "yes"}).status_code == 200
        answered = {alert["code"]: alert["acknowledged_by"] for alert in region.get("/alerts")}
        assert answered == {"CRITICAL": "Dr Referrer", "SOON": None}
        database = region.client.app.state.services.store.database  # type: ignore[attr-defined]
        with database.read() as connection:
            kept = connection.exec_driver_sql("SELECT body FROM node_order").scalars().all()
        assert not any(path.split("/")[-1] in str(body) for body in kept)
