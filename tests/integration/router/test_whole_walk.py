"""A study goes all the way round: settled, assigned, fetched, delivered, read, reported, returned, closed."""

from dicom_nodes.contract import DeliverStudy, FetchStudy, ReportAcknowledged, ReturnReport, StudyArchived
from tests.integration.router.region import Region, received, settled


def test_a_study_goes_all_the_way_round_and_the_ledger_tells_it_in_order(region: Region) -> None:
    region.rxn.say(settled(), StudyArchived(study_instance_uid="1.2.3.4", revision=1, instance_count=2, archive="PACS"))
    assert region.read()["state"] == "READY"
    region.plan()
    assert region.read()["state"] == "ASSIGNED"

    (fetch,) = region.rxl.new_orders()
    assert isinstance(fetch.body, FetchStudy)
    assert (fetch.body.source.ods_code, fetch.body.source.port) == ("RXN", 11112)
    region.rxl.complete(fetch)
    (deliver,) = region.rxl.new_orders()
    assert isinstance(deliver.body, DeliverStudy)
    assert deliver.body.workstation_ae_title == "WS_1"
    region.rxl.complete(deliver)
    read = region.read()
    assert read["images_delivered_at"] is not None

    region.claim(read)
    assert region.read()["state"] == "READING"
    report = received()
    region.rxl.say(report)
    assert region.read()["state"] == "VERIFIED"
    assert region.rxl.new_orders() == ()

    (back,) = region.rxn.new_orders()
    assert isinstance(back.body, ReturnReport)
    assert back.body.text == report.text
    assert back.body.study.patient == settled().study.patient
    region.rxn.say(ReportAcknowledged(order_id=back.order_id, channel="ris", code="AA", reference="1"))
    assert region.read()["state"] == "DELIVERED"
    region.rxn.say(ReportAcknowledged(order_id=back.order_id, channel="archive", code="0000", reference="1.9"))
    assert region.read()["state"] == "DELIVERED"
    region.rxn.complete(back)
    assert region.read()["state"] == "CLOSED"

    assert region.queue() == []
    assert region.events() == [
        "study.settled",
        "read.received",
        "read.ready",
        "study.archived",
        "read.assigned",
        "order.fetch",
        "images.fetched",
        "order.deliver",
        "images.delivered",
        "read.claimed",
        "report.received",
        "read.verified",
        "order.return",
        "report.acknowledged",
        "read.delivered",
        "report.acknowledged",
        "report.filed",
        "read.closed",
    ]
    (filed,) = region.get(f"/reads/{read['id']}/reports")
    assert {d["channel"]: d["state"] for d in filed["deliveries"]} == {"ris": "FILED", "archive": "FILED"}


def test_a_reader_at_the_origin_gets_the_images_without_a_fetch(region: Region) -> None:
    for uid in ("1.2.1", "1.2.2"):
        region.rxn.say(settled(uid))
    region.client.put(
        "/readers/reader-1",
        headers=region.staff,
        json={
            **{k: v for k, v in region.get("/readers/reader-1").items() if k not in {"id", "credentials"}},
            "active": False,
        },
    ).raise_for_status()
    region.plan()
    assert [order.body.kind for order in region.rxn.new_orders()] == ["deliver", "deliver"]
    assert region.rxl.new_orders() == ()


def test_an_unclaimed_offer_may_be_reported_straight_away(region: Region) -> None:
    region.offer()
    region.rxl.say(received())
    assert region.read()["state"] == "VERIFIED"


def test_a_preliminary_report_is_followed_by_the_final_one(region: Region) -> None:
    region.offer()
    region.rxl.say(received(status="P"))
    assert region.read()["state"] == "PRELIMINARY"
    assert region.rxn.new_orders() == ()
    region.rxl.say(received(status="F"))
    assert region.read()["state"] == "VERIFIED"
    (back,) = region.rxn.new_orders()
    assert isinstance(back.body, ReturnReport)
    assert (back.body.status, back.body.version) == ("F", 2)


def test_every_documented_call_answers_from_the_same_rows(region: Region) -> None:
    region.assign()
    why = region.get(f"/reads/{region.read()['id']}/why")
    explanation = why["assignments"][0]["explanation"]
    assert explanation["choice"].startswith("reader-1 suits as well as reader-2")
    assert [c["reader_id"] for c in explanation["candidates"]] == ["reader-1", "reader-2"]
    by_accession = region.get("/ledger", accession_number="A-1.2.3.4")
    assert by_accession == region.get("/ledger", study_instance_uid="1.2.3.4")
    nodes = {node["ods_code"]: node for node in region.get("/nodes")}
    assert nodes["RXN"]["outbox_depth"] == 0
    assert nodes["RXN"]["last_traffic_at"] is not None
    assert nodes["RXL"]["last_traffic_at"] is None
