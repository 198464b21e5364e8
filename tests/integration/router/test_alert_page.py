"""The page behind a one-time link: a GET answers nothing, a POST with a name and a confirmation does."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.router.alert_region import CRITICAL, AlertRegion, running_alert_region
from tests.integration.router.region import received

GIVEN = {"person": "Dr  Rowan Ash,\tmedical registrar", "confirmed": "yes"}


@pytest.fixture(scope="module")
def module_region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertRegion]:
    folder = tmp_path_factory.mktemp("page")
    with running_alert_region(folder / "region", f"sqlite:///{folder}/router.sqlite") as running:
        yield running


@pytest.fixture
def region(module_region: AlertRegion) -> AlertRegion:
    """A fresh alert at RXL's duty manager, told by mail; alerts of former tests are out of the way."""
    for old in module_region.get("/alerts", state=["RAISED", "NOTIFIED", "ESCALATED"]):
        module_region.answer(old, "acknowledge")
    number = len(module_region.get("/alerts"))
    module_region.clock.pass_s(1)
    module_region.rxl.say(received(uid=f"1.2.9.{number}", accession_number="<A&9>", alert_codes=(CRITICAL,)))
    module_region.work()
    return module_region


def post(region: AlertRegion, link: str, **form: str) -> Any:
    return region.client.post(link, data=form)


def test_looking_at_the_page_acknowledges_nothing(region: AlertRegion) -> None:
    page = region.client.get(region.mail.link())
    assert page.status_code == 200
    assert "Opening this page has not acknowledged anything." in page.text
    assert "&lt;A&amp;9&gt;" in page.text
    assert "<A&9>" not in page.text
    assert region.alert()["state"] == "NOTIFIED"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({}, "Enter your full name"),
        ({"person": "  ", "confirmed": "yes"}, "Enter your full name"),
        ({"person": "12345", "confirmed": "yes"}, "Enter your full name"),
        ({"person": "x" * 201, "confirmed": "yes"}, "Enter your full name"),
        ({"person": "Dr Ash"}, "Tick the box"),
        ({"person": "Dr Ash", "confirmed": "no"}, "Tick the box"),
    ],
)
def test_without_a_name_and_a_confirmation_nothing_is_acknowledged(
    region: AlertRegion, form: dict[str, str], problem: str
) -> None:
    answer = post(region, region.mail.link(), **form)
    assert answer.status_code == 422
    assert problem in answer.text
    assert region.alert()["state"] == "NOTIFIED"


def test_a_name_and_a_confirmation_acknowledge_once(region: AlertRegion) -> None:
    link = region.mail.link()
    answer = post(region, link, **GIVEN)
    assert answer.status_code == 200
    assert "Acknowledged by <b>Dr Rowan Ash, medical registrar</b>" in answer.text
    alert = region.alert()
    assert (alert["state"], alert["acknowledged_by"]) == ("ACKNOWLEDGED", "Dr Rowan Ash, medical registrar")
    assert alert["acknowledged_note"] == "by the link sent to RXL duty manager"
    assert post(region, link, **GIVEN | {"person": "Dr Other"}).status_code == 409
    assert "Dr Rowan Ash" in region.client.get(link).text
    assert region.alert()["acknowledged_by"] == "Dr Rowan Ash, medical registrar"


@pytest.mark.parametrize("secret", ["x", "x" * 43, "%00", "a%2Fb", "é" * 10])
def test_an_unknown_link_says_nothing(region: AlertRegion, secret: str) -> None:
    for answer in (region.client.get(f"/alert/{secret}"), post(region, f"/alert/{secret}", **GIVEN)):
        assert answer.status_code == 404
        assert "Ring the reporting centre" in answer.text or "Not Found" in answer.text, "a slash is another page"
    assert region.alert()["state"] == "NOTIFIED"


def test_a_link_expires(region: AlertRegion) -> None:
    link = region.mail.link()
    region.clock.pass_s(24 * 3600 - 1)
    assert region.client.get(link).status_code == 200
    region.clock.pass_s(1)
    number = region.alert()["id"][:8]
    for answer in (region.client.get(link), post(region, link, **GIVEN)):
        assert answer.status_code == 404
        assert f"Alert {number} for RXL is NOT answered yet" in answer.text
        assert "ring the reporting centre and say its number" in answer.text
    assert region.alert()["state"] == "NOTIFIED"
    region.answer(region.alert(), "acknowledge", person="Sister Aspen")
    assert f"Alert {number} for RXL was acknowledged by Sister Aspen" in region.client.get(link).text


def test_the_database_holds_no_link_that_could_be_used(region: AlertRegion) -> None:
    secret = region.mail.link().split("/")[-1]
    assert len(secret) == 43
    database = region.client.app.state.services.store.database  # type: ignore[attr-defined]
    tables = ("alert", "alert_link", "alert_notification", "job", "ledger", "node_order", "human_queue")
    with database.read() as connection:
        kept = [str(row) for table in tables for row in connection.execute(text(f"SELECT * FROM {table}"))]
    assert len(kept) > 3
    assert not any(secret in row for row in kept)


def test_a_form_that_is_none_is_refused(region: AlertRegion) -> None:
    link = region.mail.link()
    assert region.client.post(link, content=b"person=" + b"x" * 5000).status_code == 422
    assert region.client.post(link, content=b"\xff\xfe%zz&&=&person=%00abc&confirmed=yes").status_code == 422
    assert region.alert()["state"] == "NOTIFIED"
