"""What is asked about a report on its way home is asked no longer than something of it is owed."""

from typing import Any, Literal

import pytest

from dicom_nodes.contract import OrderParked, ReportAcknowledged
from tests.integration.router.region import Region
from tests.integration.router.test_reports import returned


def settle(region: Region, how: str, channel: str) -> None:
    (report,) = region.get("/reports")
    path = f"/reports/{report['id']}/deliveries/{channel}/{how}"
    answer = region.client.post(path, json={"reason": "rung up"}, headers=region.staff)
    assert answer.status_code == 200, answer.text


def answer(region: Region, order_id: str, channel: Literal["ris", "archive"], code: str) -> None:
    region.rxn.say(ReportAcknowledged(order_id=order_id, channel=channel, code=code, reference="r"))


def open_kinds(region: Region) -> list[Any]:
    return sorted(item["kind"] for item in region.queue())


def test_calling_a_refused_channel_off_closes_what_was_asked_about_it(sqlite_region: Region) -> None:
    region, order_id = sqlite_region, returned(sqlite_region)
    answer(region, order_id, "archive", "A700")
    answer(region, order_id, "ris", "AR")
    assert open_kinds(region) == ["report_rejected", "report_rejected"]
    settle(region, "cancel", "ris")
    (left,) = region.queue()
    assert left["reason"].startswith("the archive of RXN answered A700")


@pytest.mark.parametrize("refused", [True, False])
def test_a_report_that_is_filed_after_all_leaves_nothing_asked(sqlite_region: Region, refused: bool) -> None:
    region, order_id = sqlite_region, returned(sqlite_region)
    if refused:
        answer(region, order_id, "ris", "AE")
    region.rxn.say(OrderParked(order_id=order_id, reason="no answer", attempts=6))
    region.clock.pass_s(4 * 3600)
    region.plan()
    assert "phone_list" in open_kinds(region)
    settle(region, "resend", "ris")
    answer(region, order_id, "ris", "AA")
    assert "report_rejected" not in open_kinds(region)
    assert "phone_list" in open_kinds(region), "the archive has it not"
    answer(region, order_id, "archive", "0000")
    assert set(open_kinds(region)) & {"phone_list", "report_rejected", "order"} == set()
