"""Hazard 12: a critical alert is lost; the ladder goes on until a named person answers, whatever dies meanwhile.

Delivery is not acknowledgement; when every channel fails, the alert lies on the phone list.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from dicom_nodes.foundation.database import open_database
from router.config import RouterSettings
from router.model.alert import Alert, AlertState, NotificationState
from router.store.transaction import SqlStore, SqlTransaction
from tests.integration.router.alert_region import (
    CRITICAL,
    AlertRegion,
    running_alert_region,
    running_hub,
    running_mailbox,
    write_alert_region,
)
from tests.integration.router.region import START, received, running_region
from tests.peers.crashing_router import SharedClock, dies, router_process
from tests.peers.processes import wait_until

STEPS = ("alert.looked_at", "notification.linked", "notification.sent", "notification.recorded")
LEASE_S = 30


@pytest.fixture
def region(tmp_path: Path) -> Iterator[AlertRegion]:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        yield running


def report(region: AlertRegion) -> None:
    region.claim(region.offer())
    region.rxl.say(received(alert_codes=(CRITICAL,)))


def test_when_every_channel_fails_the_alert_is_on_the_phone_list_at_once(region: AlertRegion) -> None:
    region.mail.refuse = "550 no such mailbox"
    region.hub.status = 410
    report(region)
    region.work()
    (item,) = region.queue("phone_list")
    assert "critical finding" in item["reason"]
    alert = region.alert()
    assert (alert["level"], alert["on_phone_list"]) == (3, True)
    assert {told["state"] for told in alert["notifications"]} == {"FAILED"}


def test_health_says_when_nobody_looks_at_an_alert_that_is_due(region: AlertRegion) -> None:
    region.rxl.say(received(uid="1.2.9.9", alert_codes=(CRITICAL,)))
    region.clock.pass_s(61)
    reasons = region.client.get("/health").json()["reasons"]
    assert any("an alert is due since 2026-11-02 09:00:00 UTC" in reason for reason in reasons)
    region.work()
    assert not any("alert" in reason for reason in region.client.get("/health").json()["reasons"])


def test_without_any_configuration_the_alert_is_on_the_phone_list_at_once(tmp_path: Path) -> None:
    with running_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as region:
        region.rxl.say(received(alert_codes=(CRITICAL,)))
        region.client.app.state.alerts.run_once()  # type: ignore[attr-defined]
        assert [item["node"] for item in region.queue("phone_list")] == ["RXL"]


def test_a_delivered_message_acknowledges_nothing(region: AlertRegion) -> None:
    report(region)
    region.work()
    page = region.mail.link()
    for _ in range(3):  # mail scanners follow links, and preview panes too
        assert region.client.get(page).status_code == 200
        assert region.client.head(page).status_code in {200, 405}
    assert region.alert()["state"] == "NOTIFIED"
    region.pass_minutes(60)
    assert region.queue("phone_list")


def test_a_router_killed_at_any_step_loses_no_alert_and_raises_none_twice(tmp_path: Path) -> None:
    with running_mailbox() as mail, running_hub() as hub:
        url = f"sqlite:///{tmp_path}/router.sqlite"
        settings, clock = _raised(tmp_path, url, mail.port, hub.port, reports=0)
        for step in STEPS:
            dies(settings.file, clock, step)
            clock.set_to(clock() + timedelta(seconds=LEASE_S))
        ((alert, told),) = _alerts(settings)
        assert (alert.state, list(told.values())) == (AlertState.NOTIFIED, [NotificationState.SENT])
        assert mail.to() == ["ward7@rxn.test"] * 2, "again, because nothing was recorded of the first"
        assert len({mail["Message-ID"] for mail in mail.mails}) == 1
        clock.set_to(START + timedelta(minutes=44))  # nobody was there when the second step, and the third, were due
        with router_process(settings.file, clock):
            wait_until(lambda: _sent(settings) == 5, "everybody is told")
            clock.set_to(START + timedelta(minutes=45))
            wait_until(lambda: _alerts(settings)[0][0].phoned_at, "it is on the phone list")
        ((alert, told),) = _alerts(settings)
        assert (alert.level, alert.raised_at, alert.phone_at) == (3, START, START + timedelta(minutes=45))
        assert Counter(mail.to()) == {"ward7@rxn.test": 2, "results@rxn.test": 1, "duty@rxn.test": 1}
        assert len(hub.posts) == 2
        assert _phone_list(settings) == 1


def test_two_replicas_share_the_work_and_one_goes_on_alone(tmp_path: Path, postgresql_url: str) -> None:
    with running_mailbox() as mail, running_hub() as hub:
        settings, clock = _raised(tmp_path, postgresql_url, mail.port, hub.port, reports=16)
        clock.set_to(START - timedelta(hours=1))
        with (
            router_process(settings.file, clock),
            router_process(settings.file, clock, "notification.sent", nth=3) as (
                dying,
                _,
            ),
        ):
            clock.set_to(START)  # both begin at once
            wait_until(lambda: dying.exitcode is not None, "one dies")
            clock.set_to(clock() + timedelta(seconds=LEASE_S))  # until then its jobs fill the channel's places
            wait_until(lambda: _sent(settings) == 16, "the other goes on, also with what the dead one had in hand")
            clock.set_to(START + timedelta(minutes=20))
            wait_until(lambda: _phone_list(settings) == 16, "every ladder is at its end")
        assert len(_alerts(settings)) == 16
        sendings = Counter(str(mail["Message-ID"]) for mail in mail.mails)
        assert len(sendings) == 16
        assert max(sendings.values()) <= 2, "at most what a dead replica had in hand goes out again"


def _raised(folder: Path, url: str, smtp: int, http: int, reports: int) -> tuple[RouterSettings, SharedClock]:
    """Alerts are raised at `START`, and the router ends before it has looked at any.

    By hand about a read of RXN; or by so many reports that match nothing, which are for RXL's duty manager.
    """
    with running_region(folder / "region", url) as region:
        if reports:
            region.rxl.say(*[received(uid=f"1.2.9.{n}", alert_codes=(CRITICAL,)) for n in range(reports)])
        else:
            read = region.offer()
            region.claim(read)
            body = {"read_id": read["id"], "code": {"value": "CRITICAL", "scheme": "99ALERT"}}
            assert region.client.post("/alerts", json=body, headers=region.reader()).status_code == 201
    more = f"lease_s = {LEASE_S}\nlook_every_s = 0.05\n"
    settings = write_alert_region(folder / "region", url, smtp, http, more=more)
    clock = SharedClock(folder / "clock")
    clock.set_to(START)
    return settings, clock


def _alerts(settings: RouterSettings) -> list[tuple[Alert, dict[str, NotificationState]]]:
    with _looking(settings) as tx:
        found = tx.alerts.listing((), None, None, None, 100)
        return [(alert, {told.id: told.state for told in tx.alerts.notifications(alert.id)}) for alert in found]


def _sent(settings: RouterSettings) -> int:
    return sum(list(told.values()).count(NotificationState.SENT) for _, told in _alerts(settings))


def _phone_list(settings: RouterSettings) -> int:
    with _looking(settings) as tx:
        return len(tx.queue.listing(kind="phone_list", resolved=False))


@contextmanager
def _looking(settings: RouterSettings) -> Iterator[SqlTransaction]:
    database = open_database(settings.router.database_url)
    try:
        with SqlStore(database, lambda _nodes: None).read() as tx:
            yield tx
    finally:
        database.dispose()
