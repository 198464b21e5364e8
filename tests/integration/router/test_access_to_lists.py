"""Who looked at a list of patients' reads, reports, deliveries or alerts is in the ledger: a line a list."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.router.alert_region import CRITICAL, AlertRegion, running_alert_region
from tests.integration.router.region import received

LISTS = {
    "/reads": "reads",
    "/reports": "reports",
    "/deliveries": "deliveries",
    "/alerts": "alerts",
    "/ledger?study_instance_uid=1.2.3.4": "the ledger",
}


@pytest.fixture
def region(tmp_path: Path) -> Iterator[AlertRegion]:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        yield running


def looked(region: AlertRegion) -> list[tuple[str, dict[str, Any]]]:
    """Who, and what they were shown."""
    with region.client.app.state.services.store.database.read() as connection:  # type: ignore[attr-defined]
        query = (
            "SELECT actor, detail FROM ledger WHERE event = 'access.shown' AND actor LIKE 'coordinator%' ORDER BY id"
        )
        rows = connection.exec_driver_sql(query).all()
    return [(actor, json.loads(detail)) for actor, detail in rows if actor == "coordinator jane"]


def test_each_list_that_shows_patients_leaves_one_line_and_polling_leaves_no_more(region: AlertRegion) -> None:
    jane = region.token("coordinator", "jane")
    assert [region.client.get(path, headers=jane).json() for path in ("/reads", "/reports", "/alerts")] == [[], [], []]
    assert looked(region) == []
    region.claim(region.offer())
    region.rxl.say(received(alert_codes=(CRITICAL,)))
    read_id = region.read()["id"]
    lists = {**LISTS, f"/reads/{read_id}/reports": "reports of a read"}
    for _ in range(2):
        for path in lists:
            assert region.client.get(path, headers=jane).status_code == 200
    assert [(actor, seen["what"]) for actor, seen in looked(region)] == [
        ("coordinator jane", what) for what in lists.values()
    ]
    assert looked(region)[2][1] == {"what": "deliveries", "count": 2, "asked": {}}
    assert region.client.get("/reads?trust=RXN&state=VERIFIED", headers=jane).status_code == 200
    assert looked(region)[-1][1]["asked"] == {"trust": "RXN", "state": ["VERIFIED"]}
    region.clock.pass_s(600)
    assert region.client.get("/reads", headers=jane).status_code == 200
    assert looked(region)[-1][1] == {"what": "reads", "count": 1, "asked": {}}
