"""A report without a token is of what its author had before them when writing it, or it waits for a person."""

from datetime import timedelta

from dicom_nodes.contract import Fact, OrderCompleted
from tests.integration.router.region import Region, received, settled


def test_a_report_of_the_old_revision_never_becomes_the_final_of_the_new_one(region: Region) -> None:
    region.claim(region.offer())
    region.clock.pass_s(600)
    dictated_at = region.clock()
    region.clock.pass_s(30)
    region.rxn.say(settled(revision=2, contents="abc"))
    region.plan()
    fresh = region.read()
    assert (fresh["revision"], fresh["lease"]["reader_id"]) == (2, "reader-1")
    region.rxl.say(received(authored_at=dictated_at))
    region.clock.pass_s(30)
    region.bring_images()
    region.rxl.say(received(authored_at=dictated_at))
    reasons = [item["reason"] for item in region.queue("report_not_accepted")]
    assert reasons == [
        "revision 2 of the images has not been delivered to its author",
        "it was written before the read was given to its author",
    ]
    assert region.read()["state"] == "ASSIGNED"
    assert region.rxn.new_orders() == ()
    region.rxl.say(received(authored_at=region.clock()))
    assert region.read()["state"] == "VERIFIED"


def test_a_report_of_an_offer_whose_images_changed_waits(region: Region) -> None:
    region.offer()
    region.clock.pass_s(60)
    dictated_at = region.clock()
    region.rxn.say(settled(revision=2, contents="abc"))
    region.clock.pass_s(60)
    region.bring_images()
    region.rxl.say(received(authored_at=dictated_at))
    (item,) = region.queue("report_not_accepted")
    assert item["reason"] == "it was written before revision 2 of the images was delivered to its author"
    assert region.read()["state"] == "ASSIGNED"


def test_facts_that_come_late_count_from_when_things_happened(region: Region) -> None:
    region.assign()
    region.rxl.complete(region.rxl.new_orders()[0])
    (deliver,) = region.rxl.new_orders()
    delivered_at = region.clock() + timedelta(minutes=1)
    region.clock.pass_s(1200)
    region.rxl.seq += 1
    done = OrderCompleted(order_id=deliver.order_id, manifest_digest=deliver.body.manifest.digest)  # type: ignore[union-attr]
    region.rxl.post(Fact(seq=region.rxl.seq, occurred_at=delivered_at, body=done)).raise_for_status()
    region.rxl.say(received(authored_at=delivered_at + timedelta(minutes=5)))
    assert region.read()["state"] == "VERIFIED"


def test_another_node_cannot_report_for_a_reader(region: Region) -> None:
    region.offer()
    region.rxn.say(received())
    (item,) = region.queue("report_not_accepted")
    assert item["reason"] == "it came by another node than that of its author's workstation"
    assert region.read()["state"] == "ASSIGNED"


def test_a_fast_clock_is_shown_and_does_not_shut_the_final_report_out(region: Region) -> None:
    region.offer()
    for status in ("P", "F"):
        ahead_s = 3600 if status == "P" else 0
        region.clock.pass_s(60)
        region.rxl.say(received(status=status, authored_at=region.clock() + timedelta(seconds=ahead_s)))
    assert region.read()["state"] == "VERIFIED"
    (item,) = region.queue()
    assert (item["kind"], item["node"]) == ("clock_skew", "RXL")
    assert "3600 s from now" in item["reason"]
