"""Hazard 20: a silent backlog; every state has an owner and a timeout, and somebody is asked when it is over.

Reads: `router.rules.read_states`. Alerts: `router.rules.alert_states`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from router.config import Router
from router.model.alert import AlertState
from router.model.read import ReadState
from router.rules.alert_states import ALERT_ENDS, ALERT_STATES, ALERT_TRANSITIONS
from router.rules.read_states import ENDS, STATES, TRANSITIONS
from tests.integration.router.alert_region import CRITICAL, AlertRegion, running_alert_region
from tests.integration.router.region import received

FOREVER_MINUTES = 60 * 24 * 7


@pytest.fixture
def region(tmp_path: Path) -> Iterator[AlertRegion]:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        yield running


@pytest.mark.parametrize("state", sorted(set(ReadState) - ENDS))
def test_no_state_of_a_read_is_without_a_timeout(state: ReadState) -> None:
    assert STATES[state].owner != "nobody"
    assert STATES[state].timeout in Router.model_fields
    assert any(state in row.sources and row.target is not state for row in TRANSITIONS)


@pytest.mark.parametrize("state", sorted(set(AlertState) - ALERT_ENDS))
def test_no_state_of_an_alert_is_without_a_timeout(state: AlertState) -> None:
    assert ALERT_STATES[state].owner != "nobody"
    assert ALERT_STATES[state].timeout
    assert any(state in row.sources and row.target is not state for row in ALERT_TRANSITIONS)


def test_an_alert_left_alone_in_any_state_is_shown_to_a_person_again_and_again(region: AlertRegion) -> None:
    """NOTIFIED to ESCALATED, and ACKNOWLEDGED: each comes back, however often its item is resolved."""
    for kind, prepare in (("phone_list", lambda _: None), ("alert_unclosed", _acknowledge)):
        region.rxl.say(received(uid=f"1.2.9.{len(kind)}", alert_codes=(CRITICAL,)))
        region.work()
        prepare(region)
        for _ in range(3):
            region.pass_minutes(FOREVER_MINUTES)
            (item,) = region.queue(kind)
            path = f"/human-queue/{item['id']}/resolve"
            assert region.client.post(path, json={"note": "seen"}, headers=region.staff).status_code == 200
        for alert in region.get("/alerts"):
            region.answer(alert, "acknowledge")
            region.answer(alert, "close")


def test_a_closed_alert_is_nobodys_any_more(region: AlertRegion) -> None:
    region.rxl.say(received(uid="1.2.9.9", alert_codes=(CRITICAL,)))
    region.work()
    _acknowledge(region)
    assert region.answer(region.alert(), "close").status_code == 200
    region.pass_minutes(FOREVER_MINUTES)
    assert region.queue("phone_list") == region.queue("alert_unclosed") == []


def _acknowledge(region: AlertRegion) -> None:
    assert region.answer(region.alert(), "acknowledge").status_code == 200
