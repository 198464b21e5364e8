"""Mail, webhook, page, tick and RIS say whether an alert's report is in the trust's own system, and whom to ring."""

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest

from dicom_nodes.contract import OrderParked, ReportAcknowledged, ReturnReport, TellRis
from dicom_nodes.hl7.alert_oru import build_alert_oru
from dicom_nodes.model.alert_notice import AlertNotice
from router.model.report_place import Place
from router.rules.report_place_words import confirmation
from tests.fakes.report_samples import ris_settings
from tests.integration.router.alert_region import CRITICAL, AlertRegion, running_alert_region
from tests.integration.router.region import received

READ_IT = "I have read the report in my own system"


@pytest.fixture
def region(tmp_path: Path) -> Iterator[AlertRegion]:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        running.claim(running.offer())
        yield running


def mail(region: AlertRegion) -> str:
    region.work()
    return str(region.mail.mails[-1].get_content())


def page(region: AlertRegion) -> str:
    return str(region.client.get(region.mail.link()).text)


def test_a_preliminary_report_that_is_not_sent_is_looked_for_nowhere(region: AlertRegion) -> None:
    region.rxl.say(received(status="P", alert_codes=(CRITICAL,)))
    told = mail(region)
    for said in (told, page(region)):
        assert "NOT in RXN" in said
        assert "it is preliminary" in said
        assert "(registration C1000001), at RXL" in said
        assert "own system and take responsibility" not in said
    assert "Read the report in" not in told
    region.pass_minutes(10)
    body = json.loads(region.hub.posts[-1][2]) if region.hub.posts else {}
    assert (body["report"]["place"], "NOT in RXN" in body["report"]["text"]) == ("kept", True)


def test_a_report_on_its_way_is_said_to_be_filed_when_it_is(region: AlertRegion) -> None:
    region.rxl.say(received(alert_codes=(CRITICAL,)))
    assert "is on its way to RXN's own system and not yet filed there" in mail(region)
    assert READ_IT + " and" not in page(region)
    (order,) = [one for one in region.rxn.orders(after=0).orders if isinstance(one.body, ReturnReport)]
    region.rxn.say(ReportAcknowledged(order_id=order.order_id, channel="ris", code="AA", reference="r"))
    assert "has reached RXN&#x27;s own system (RIS)" in page(region)
    assert "It has not reached the archive (PACS)" in page(region)
    assert READ_IT in page(region)


def test_a_report_that_was_given_up_is_said_not_to_be_there(region: AlertRegion) -> None:
    region.rxl.say(received(alert_codes=(CRITICAL,)))
    (order,) = [one for one in region.rxn.orders(after=0).orders if isinstance(one.body, ReturnReport)]
    region.rxn.say(OrderParked(order_id=order.order_id, reason="the RIS is down", attempts=12))
    assert "NOT in RXN's own system: not in its RIS, archive (PACS)" in mail(region)


def test_a_held_report_of_a_certain_study_is_not_called_unmatched(region: AlertRegion) -> None:
    region.change_reader("reader-1", active=False)
    region.rxl.say(received(alert_codes=(CRITICAL,)))
    told = mail(region)
    assert region.mail.to() == ["duty@rxl.test"]
    for said in (told, page(region)):
        assert "of this study for certain, but it is held for a person" in said
        assert "not entitled to sign now" in said
        assert "tell RXN by telephone" in said
        assert "not matched" not in said
    assert escape(confirmation(Place.HELD)) in page(region)


def test_the_ris_is_told_where_the_report_is_in_letters_that_it_has(tmp_path: Path) -> None:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/r.sqlite", ris=True) as region:
        region.claim(region.offer())
        region.change_reader("reader-1", name="Dr Łódź")
        region.rxl.say(received(status="P", alert_codes=(CRITICAL,)))
        region.work()
        (told,) = [one.body for one in region.rxn.orders(after=0).orders if isinstance(one.body, TellRis)]
        assert told.report_place is not None
        assert "Ring its author, Dr Łódź (registration C1000001), at RXL" in told.report_place
    known = told.model_dump(include={"alert_id", "notification_id", "report_id", "category", "urgency", "level"})
    known |= told.model_dump(include={"raised_at", "deadline_at", "link", "report_place"})
    nobody = dict.fromkeys(("patient_id", "patient_id_issuer", "nhs_number", "birth_date", "patient_name"))
    study = {"study_instance_uid": "1.2.3.4", "accession_number": "A1", "accession_issuer": "RXN", "patient_sex": None}
    notice = AlertNotice(code=("CRITICAL", "99ALERT", None), **known, **nobody, **study)
    message = build_alert_oru(notice, ris_settings(charset="8859/1"), "RXN").decode("latin-1")
    assert "NOT in RXN's own system" in message
    assert "Dr ?ód? (registration C1000001)" in message
    assert "Read the report, then answer" not in message
