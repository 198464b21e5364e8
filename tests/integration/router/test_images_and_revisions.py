"""Images follow the read: with proof, to the present holder, at the present revision."""

import pytest

from dicom_nodes.contract import DeliverStudy, FetchStudy, OrderCompleted, OrderParked, ResendJob
from tests.integration.router.region import Region, manifest, received, settled


def test_a_fetch_with_other_content_is_not_taken_for_complete(region: Region) -> None:
    region.assign()
    (fetch,) = region.rxl.new_orders()
    short = manifest("a")
    region.rxl.say(OrderCompleted(order_id=fetch.order_id, instance_count=1, manifest_digest=short.digest))
    (item,) = region.queue("incomplete_images")
    assert item["can_resend"]
    assert region.rxl.new_orders() == ()
    region.rxl.say(OrderCompleted(order_id=fetch.order_id, instance_count=1))
    assert region.rxl.new_orders() == ()
    region.rxl.complete(fetch)
    assert [order.body.kind for order in region.rxl.new_orders()] == ["deliver"]


def test_a_delivery_with_other_content_is_not_taken_for_complete(region: Region) -> None:
    region.assign()
    region.rxl.complete(region.rxl.new_orders()[0])
    (deliver,) = region.rxl.new_orders()
    region.rxl.say(OrderCompleted(order_id=deliver.order_id, instance_count=1, manifest_digest=manifest("a").digest))
    assert region.read()["images_delivered_at"] is None
    assert region.queue("incomplete_images")


def test_the_same_completion_twice_orders_one_delivery(region: Region) -> None:
    region.assign()
    (fetch,) = region.rxl.new_orders()
    region.rxl.complete(fetch)
    region.rxl.complete(fetch)
    assert [order.body.kind for order in region.rxl.new_orders()] == ["deliver"]


def test_a_fetch_completed_after_the_read_moved_on_delivers_nothing(region: Region) -> None:
    read = region.assign()
    (fetch,) = region.rxl.new_orders()
    region.client.post(f"/reads/{read['id']}/decline", json={"reason": "x"}, headers=region.reader())
    region.plan()
    region.rxl.complete(fetch)
    assert region.rxl.new_orders() == ()
    assert region.queue() == []


@pytest.mark.parametrize("kind", ["fetch", "deliver"])
def test_a_parked_order_is_shown_and_sent_again(region: Region, kind: str) -> None:
    region.assign()
    (order,) = region.rxl.new_orders()
    if kind == "deliver":
        region.rxl.complete(order)
        (order,) = region.rxl.new_orders()
    region.rxl.say(OrderParked(order_id=order.order_id, reason="workstation off", attempts=12))
    (item,) = region.queue("order")
    assert (item["node"], item["order_id"]) == ("RXL", order.order_id)
    region.client.post(f"/human-queue/{item['id']}/resend", json={"note": "on"}, headers=region.staff)
    (resend,) = region.rxl.new_orders()
    assert resend.body == ResendJob(job_kind=kind, job_key=order.order_id)
    region.rxl.complete(order)
    assert f"images.{kind}ed" in region.events()


def test_a_new_revision_of_a_waiting_read_is_the_one_that_is_read(region: Region) -> None:
    region.rxn.say(settled())
    region.rxn.say(settled(revision=2, contents="abc"))
    read = region.read()
    assert (read["state"], read["revision"]) == ("READY", 2)
    region.plan()
    (fetch,) = region.rxl.new_orders()
    assert isinstance(fetch.body, FetchStudy)
    assert len(fetch.body.manifest.entries) == 3


def test_a_new_revision_of_an_assigned_read_orders_the_images_again(region: Region) -> None:
    region.assign()
    (first,) = region.rxl.new_orders()
    region.rxn.say(settled(revision=2, contents="abc"))
    (second,) = region.rxl.new_orders()
    assert isinstance(second.body, FetchStudy)
    assert second.body.revision == 2
    region.rxl.complete(first)
    assert region.rxl.new_orders() == ()
    region.rxl.complete(second)
    (deliver,) = region.rxl.new_orders()
    assert isinstance(deliver.body, DeliverStudy)
    assert deliver.body.revision == 2
    region.rxl.complete(deliver)
    assert region.read()["images_delivered_at"] is not None


@pytest.mark.parametrize("status", [None, "P"])
def test_a_new_revision_mid_read_supersedes_it_with_a_fresh_one(region: Region, status: str | None) -> None:
    read = region.assign()
    token = region.claim(read)
    if status:
        region.rxl.say(received(status=status))
    region.rxn.say(settled(revision=2, contents="abc"))
    before, fresh = sorted(region.get("/reads"), key=lambda entry: str(entry["revision"]))
    assert (before["state"], fresh["state"]) == ("SUPERSEDED", "READY")
    assert (fresh["replaces"], fresh["revision"]) == (read["id"], 2)
    answer = region.client.post(
        f"/reads/{read['id']}/heartbeat", json={"transaction_uid": token}, headers=region.reader()
    )
    assert (answer.status_code, answer.json()["error"]) == (409, "stale_lease")
    assert "SUPERSEDED" in answer.json()["message"]


def test_late_images_after_the_final_report_make_a_fresh_read_and_are_shown(region: Region) -> None:
    region.offer()
    region.rxl.say(received())
    region.rxn.say(settled(revision=2, contents="abc"))
    before, fresh = sorted(region.get("/reads"), key=lambda entry: str(entry["revision"]))
    assert (before["state"], fresh["state"]) == ("VERIFIED", "READY")
    assert "a final report stands for the revision before" in region.queue("late_images")[0]["reason"]


def test_what_a_node_finds_odd_about_a_study_is_asked_once_and_the_study_goes_on(region: Region) -> None:
    notice = "Images of this study carry 2 different accession numbers; the first is used."
    region.rxn.say(settled(notices=(notice,)))
    region.rxn.say(settled(revision=2, contents="abc", notices=(notice,)))
    assert [item["reason"] for item in region.queue("study_notice")] == [notice]
    assert [read["revision"] for read in region.get("/reads")] == [2]


def test_images_go_to_where_the_reader_sits_in_this_session_and_the_report_comes_from_there(
    sqlite_region: Region,
) -> None:
    region = sqlite_region
    region.change_reader("reader-1", active=False)
    (session,) = region.get("/sessions", reader_id="reader-2")
    region.client.delete(f"/sessions/{session['id']}", headers=region.staff).raise_for_status()
    body = {name: session[name] for name in ("reader_id", "starts_at", "ends_at", "capacity_reads", "kind")}
    body["place"] = {"node": "RXL", "ae_title": "ROOM_7"}
    region.client.post("/sessions", json=body, headers=region.staff).raise_for_status()
    region.assign()
    (fetch,) = region.rxl.new_orders()
    region.rxl.complete(fetch)
    (deliver,) = region.rxl.new_orders()
    assert (deliver.body.kind, deliver.body.workstation_ae_title) == ("deliver", "ROOM_7")
    region.rxl.complete(deliver)
    assert region.read()["images_delivered_at"] is not None
    region.claim(region.read(), 2)
    region.clock.pass_s(60)
    region.rxn.say(received(author="C1000002"))
    assert "another node than that of its author's workstation" in region.queue("report_not_accepted")[0]["reason"]
    region.rxl.say(received(author="C1000002"))
    assert region.read()["state"] == "VERIFIED"
