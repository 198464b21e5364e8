"""Sending again does something, or says that it cannot; images go only to whoever still holds the read."""

from typing import Any

import pytest

from dicom_nodes.contract import JobParked, Order, OrderCompleted, OrderParked, ResendJob, ReturnReport
from tests.integration.router.region import Region, manifest, received, settled


def again(region: Region, item: dict[str, Any]) -> Any:
    return region.client.post(f"/human-queue/{item['id']}/resend", json={"note": "again"}, headers=region.staff)


def incomplete(region: Region, order: Order) -> None:
    short = manifest("a")
    region.rxl.say(OrderCompleted(order_id=order.order_id, instance_count=1, manifest_digest=short.digest))


def image_order(region: Region, kind: str) -> Order:
    region.assign()
    (order,) = region.rxl.new_orders()
    if kind == "deliver":
        region.rxl.complete(order)
        (order,) = region.rxl.new_orders()
    return order


@pytest.mark.parametrize("kind", ["fetch", "deliver"])
def test_incomplete_images_are_ordered_afresh_and_a_second_failure_is_shown(region: Region, kind: str) -> None:
    first = image_order(region, kind)
    incomplete(region, first)
    (item,) = region.queue("incomplete_images")
    assert again(region, item).status_code == 200
    (second,) = region.rxl.new_orders()
    assert second.order_id != first.order_id
    assert second.body == first.body
    incomplete(region, second)
    incomplete(region, second)
    assert len(region.queue("incomplete_images")) == 2
    region.rxl.complete(second)
    assert f"images.{'fetched' if kind == 'fetch' else 'delivered'}" in region.events()


def test_a_return_without_acknowledgement_is_ordered_afresh(region: Region) -> None:
    region.offer()
    region.rxl.say(received())
    (first,) = region.rxn.new_orders()
    region.rxn.say(OrderCompleted(order_id=first.order_id))
    (item,) = region.queue("report_unacknowledged")
    assert again(region, item).status_code == 200
    (second,) = region.rxn.new_orders()
    assert isinstance(second.body, ReturnReport)
    assert second.body == first.body
    region.rxn.return_report(second)
    assert region.read()["state"] == "CLOSED"
    assert region.queue() == []


def test_a_resend_for_which_the_node_has_nothing_parked_is_shown_and_then_ordered_afresh(region: Region) -> None:
    first = image_order(region, "fetch")
    region.rxl.say(OrderParked(order_id=first.order_id, reason="no answer", attempts=12))
    (item,) = region.queue("order")
    again(region, item).raise_for_status()
    (resend,) = region.rxl.new_orders()
    assert isinstance(resend.body, ResendJob)
    region.rxl.say(OrderParked(order_id=resend.order_id, reason="no parked fetch job of that key is here", attempts=1))
    (item,) = region.queue("order")
    assert item["reason"] == "RXL could not try its fetch again: no parked fetch job of that key is here"
    assert (item["order_id"], item["study_instance_uid"]) == (first.order_id, "1.2.3.4")
    again(region, item).raise_for_status()
    (fresh,) = region.rxl.new_orders()
    assert fresh.body == first.body


def test_a_resend_of_a_nodes_own_job_that_is_not_there_is_shown(region: Region) -> None:
    region.rxl.say(JobParked(job_kind="forward", job_key="k", reason="no answer", attempts=12))
    (item,) = region.queue("job")
    again(region, item).raise_for_status()
    (resend,) = region.rxl.new_orders()
    region.rxl.say(
        OrderParked(order_id=resend.order_id, reason="no parked forward job of that key is here", attempts=1)
    )
    (item,) = region.queue("job")
    assert item["can_resend"]
    assert "RXL could not try its forward again" in item["reason"]


def revoke(region: Region) -> None:
    (credential,) = region.get("/readers/reader-1")["credentials"]
    path = f"/readers/reader-1/credentials/{credential['id']}"
    region.client.delete(path, headers=region.staff).raise_for_status()


@pytest.mark.parametrize("parked", [False, True])
@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [("moved", "the read has moved on"), ("revised", "revision 2 took the place"), ("revoked", "is not entitled now")],
)
def test_images_are_not_sent_again_to_who_should_not_have_them(
    region: Region, parked: bool, meanwhile: str, why: str
) -> None:
    order = image_order(region, "deliver")
    if parked:
        region.rxl.say(OrderParked(order_id=order.order_id, reason="workstation off", attempts=12))
    else:
        incomplete(region, order)
    (item,) = region.queue()
    if meanwhile == "moved":
        path = f"/reads/{region.read()['id']}/take-back"
        region.client.post(path, json={"reason": "rota"}, headers=region.staff).raise_for_status()
        region.plan()
    elif meanwhile == "revised":
        region.rxn.say(settled(revision=2, contents="abc"))
        region.rxl.new_orders()
    else:
        revoke(region)
    answer = again(region, item)
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert why in answer.json()["message"]
    assert region.rxl.new_orders() == ()
    assert [left["id"] for left in region.queue()] == [item["id"]]


def test_a_fetch_completed_after_the_credential_was_revoked_delivers_nothing_and_frees_the_offer(
    region: Region,
) -> None:
    order = image_order(region, "fetch")
    revoke(region)
    region.rxl.complete(order)
    assert region.rxl.new_orders() == ()
    assert region.read()["state"] == "READY"
    assert "read.lease_withdrawn" in region.events()


def test_a_fetch_completed_for_a_holder_who_lost_the_right_delivers_nothing_and_asks(region: Region) -> None:
    order = image_order(region, "fetch")
    region.claim(region.read())
    revoke(region)
    region.rxl.complete(order)
    assert region.rxl.new_orders() == ()
    (item,) = region.queue("images_withheld")
    assert item["read_id"] == region.read()["id"]
    assert region.read()["state"] == "READING"
