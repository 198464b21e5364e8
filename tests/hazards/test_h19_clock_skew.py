"""Hazard 19: clock skew and daylight saving; times are aware UTC, the clock is an argument, and skew is alarmed.

The ladder of an alert keeps its minutes over both changes of the clocks. An ISO offset such as +11:00 in an HL7 time
is refused (`tests/unit/hl7/test_oru.py` has the table).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.oru import read_oru
from router.notify.wording import moment
from tests.fakes.report_samples import LINES
from tests.integration.router.alert_region import CRITICAL, AlertRegion, running_alert_region
from tests.integration.router.region import received

SPRING = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)


@pytest.fixture
def region(tmp_path: Path) -> Iterator[AlertRegion]:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        yield running


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_the_ladder_keeps_its_minutes_over_a_change_of_the_clocks(region: AlertRegion, change: datetime) -> None:
    region.clock.now = change - timedelta(minutes=5)
    region.rxl.say(received(uid="1.2.9.9", alert_codes=(CRITICAL,)))
    region.work()
    alert = region.alert()
    assert datetime.fromisoformat(alert["deadline_at"]) - datetime.fromisoformat(alert["raised_at"]) == timedelta(
        minutes=60
    )
    region.pass_minutes(19.9)
    assert region.queue("phone_list") == []
    region.pass_minutes(0.1)
    assert len(region.queue("phone_list")) == 1
    assert region.alert()["age_s"] == 20 * 60


def test_a_time_in_the_hour_that_occurs_twice_is_told_apart() -> None:
    assert moment(AUTUMN - timedelta(minutes=30)) == "Sun 25 Oct 2026 01:30 BST (00:30 UTC)"
    assert moment(AUTUMN + timedelta(minutes=30)) == "Sun 25 Oct 2026 01:30 GMT (01:30 UTC)"
    assert moment(SPRING) == "Sun 28 Mar 2027 02:00 BST (01:00 UTC)"


def test_an_alert_counts_from_the_routers_clock_whatever_the_reporting_system_says(region: AlertRegion) -> None:
    ahead = region.clock() + timedelta(hours=3)
    region.rxl.say(received(uid="1.2.9.9", alert_codes=(CRITICAL,), authored_at=ahead))
    region.work()
    assert datetime.fromisoformat(region.alert()["raised_at"]) == region.clock()
    assert [item["node"] for item in region.queue("clock_skew")] == ["RXL"]
    assert region.mail.to() == ["duty@rxl.test"]


def test_an_iso_offset_in_an_hl7_time_is_refused() -> None:
    with pytest.raises(Hl7Fault, match=r"\+1100, not \+11:00"):
        read_oru("\r".join(LINES).replace("20260301100000||CT", "20260301100000+11:00||CT").encode(), "P")
