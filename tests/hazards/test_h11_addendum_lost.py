"""Hazard 11: an addendum is lost; it has a delivery and an acknowledgement of its own.

The origin is down while a report is signed, added to and corrected. When it is back, everything arrives in an order in
which nothing replaces what it does not hold, and the read is closed by the last acknowledgement only.
"""

from typing import Any

import pytest

from dicom_nodes.contract import Order, OrderCompleted, OrderParked, ReportAcknowledged, ReportReceived, ReturnReport
from tests.integration.router.region import Region, received

ADDITION = "Compared with the study of 2019: unchanged."


def say(region: Region, **changes: Any) -> ReportReceived:
    region.clock.pass_s(60)
    report = received(**changes)
    region.rxl.say(report)
    return report


def returns(region: Region) -> list[Order]:
    return [order for order in region.rxn.new_orders() if isinstance(order.body, ReturnReport)]


def body_of(order: Order) -> ReturnReport:
    assert isinstance(order.body, ReturnReport)
    return order.body


def arrive(region: Region, *orders: Order) -> list[tuple[int, str, str]]:
    """The origin takes these returns, and whatever is ordered by that: (version, channel, text) as they arrive."""
    arrived: list[tuple[int, str, str]] = []
    queue = list(orders)
    while queue:
        order = queue.pop(0)
        body = body_of(order)
        for channel in body.channels or ("ris", "archive"):
            code = "AA" if channel == "ris" else "0000"
            region.rxn.say(
                ReportAcknowledged(order_id=order.order_id, channel=channel, code=code, reference=str(body.version))
            )
            arrived.append((body.version, channel, body.text))
        region.rxn.complete(order)
        queue += returns(region)
    return arrived


def by(channel: str, arrived: list[tuple[int, str, str]]) -> list[tuple[int, str]]:
    return [(version, text) for version, where, text in arrived if where == channel]


@pytest.mark.parametrize("status", ["F", "C"])
def test_an_addendum_waits_until_its_report_has_arrived_and_then_goes_by_itself(region: Region, status: str) -> None:
    region.offer()
    final = say(region)
    (first,) = returns(region)
    added = say(region, status=status, addendum=True, text=ADDITION)
    assert returns(region) == []
    waiting = region.get(f"/reports/{added.report_id}/deliveries")
    assert {(one["state"], one["order_id"]) for one in waiting} == {("QUEUED", None)}
    region.rxn.return_report(first)
    assert region.read()["state"] == "VERIFIED", "the addendum is still owed"
    second = returns(region)
    for body in map(body_of, second):
        assert (body.version, body.addendum, body.status) == (2, True, "C")
        assert (body.text, body.standing_text) == (ADDITION, final.text)
    assert by("ris", arrive(region, *second)) == [(2, ADDITION)]
    assert region.read()["state"] == "CLOSED"
    assert region.queue() == []


def test_an_origin_that_is_down_gets_report_addendum_and_correction_in_their_order(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    say(region)
    (first,) = returns(region)
    region.rxn.say(OrderParked(order_id=first.order_id, reason="no answer", attempts=12))
    added = say(region, status="C", addendum=True, text=ADDITION)
    corrected = say(region, status="C", text="The left side")
    assert returns(region) == [], "neither overtakes what it needs or would replace"
    region.clock.pass_s(7200)
    region.plan()
    assert {item["report_id"] for item in region.queue("phone_list")} >= {added.report_id, corrected.report_id}
    (item,) = [one for one in region.queue("phone_list") if one["can_resend"]]
    region.client.post(f"/human-queue/{item['id']}/resend", json={"note": "they are back"}, headers=region.staff)
    arrived = arrive(region, first)
    for channel in ("ris", "archive"):
        assert by(channel, arrived) == [(1, received().text), (2, ADDITION), (3, "The left side")]
    assert region.read()["state"] == "CLOSED"


def test_a_channel_that_is_down_keeps_back_only_its_own(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    say(region)
    (first,) = returns(region)
    region.rxn.say(ReportAcknowledged(order_id=first.order_id, channel="archive", code="0000", reference="1"))
    added = say(region, addendum=True, text=ADDITION)
    (second,) = returns(region)
    assert body_of(second).channels == ("archive",)
    region.rxn.say(
        ReportAcknowledged(order_id=second.order_id, channel="archive", code="0000", reference="2"),
        OrderCompleted(order_id=second.order_id),
    )
    states = {one["channel"]: one["state"] for one in region.get(f"/reports/{added.report_id}/deliveries")}
    assert states == {"archive": "FILED", "ris": "QUEUED"}
    region.rxn.say(
        ReportAcknowledged(order_id=first.order_id, channel="ris", code="AA", reference="1"),
        OrderCompleted(order_id=first.order_id),
    )
    (third,) = returns(region)
    assert body_of(third).channels == ("ris",)
    region.rxn.say(
        ReportAcknowledged(order_id=third.order_id, channel="ris", code="AA", reference="3"),
        OrderCompleted(order_id=third.order_id),
    )
    assert region.read()["state"] == "CLOSED"


def test_two_addenda_are_two_versions(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    say(region)
    arrive(region, *returns(region))
    for number in (1, 2):
        say(region, addendum=True, text=f"{ADDITION} ({number})")
    arrived = arrive(region, *returns(region))
    assert by("ris", arrived) == by("archive", arrived) == [(2, f"{ADDITION} (1)"), (3, f"{ADDITION} (2)")]
    assert region.read()["state"] == "CLOSED"


def test_an_addendum_to_no_report_waits_for_a_person(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    say(region, addendum=True, text=ADDITION)
    assert "no verified report stands" in region.queue("report_not_accepted")[0]["reason"]
