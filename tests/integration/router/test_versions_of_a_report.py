"""Versions of a report: each goes home by itself, in order, and none goes backwards."""

from datetime import timedelta
from typing import Any

from dicom_nodes.contract import (
    JobParked,
    Order,
    OrderCompleted,
    OrderParked,
    RecallReport,
    ReportAcknowledged,
    ReportReceived,
    ReturnReport,
)
from tests.integration.router.region import START, Region, received, settled


def want(region: Region, **returns: Any) -> None:
    """From now on, RXN wants its reports so."""
    body = {"ods_code": "RXN", "name": "N", "returns": returns}
    answer = region.client.put("/trusts/RXN", json=body, headers=region.staff)
    assert answer.status_code == 200, answer.text


def say(region: Region, **changes: Any) -> ReportReceived:
    """The reader's system sends a report a minute after the last thing that happened."""
    region.clock.pass_s(60)
    report = received(**changes)
    region.rxl.say(report)
    return report


def returns(region: Region) -> list[tuple[Order, ReturnReport]]:
    """Reports that RXN is newly ordered to return."""
    return [(order, order.body) for order in region.rxn.new_orders() if isinstance(order.body, ReturnReport)]


def states(region: Region, report: ReportReceived) -> dict[str, str]:
    return {one["channel"]: one["state"] for one in region.get(f"/reports/{report.report_id}/deliveries")}


def test_a_correction_goes_home_under_its_own_delivery_and_reopens_the_closed_read(region: Region) -> None:
    region.offer()
    final = say(region)
    ((first, _),) = returns(region)
    region.rxn.return_report(first)
    assert region.read()["state"] == "CLOSED"
    correction = say(region, status="C", text="No, the left side")
    assert region.read()["state"] == "VERIFIED"
    ((second, body),) = returns(region)
    assert (body.version, body.status, body.text) == (2, "C", "No, the left side")
    region.rxn.return_report(second)
    assert region.read()["state"] == "CLOSED"
    assert states(region, final) == states(region, correction) == {"archive": "FILED", "ris": "FILED"}
    assert region.queue() == []


def test_a_final_report_sent_twice_is_one_version(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    first = say(region)
    again = say(region)
    assert first.report_id != again.report_id
    assert len(returns(region)) == 1
    report = region.get(f"/reports/{again.report_id}")
    assert (report["disposition"], report["version"]) == ("DROPPED", None)
    assert "word for word" in report["reasons"][0]
    assert region.queue() == []


def test_a_correction_by_somebody_else_waits_for_a_person(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    say(region)
    say(region, status="C", text="I see it otherwise", author="C1000002")
    assert "of another author" in region.queue("report_not_accepted")[0]["reason"]


def test_a_cancellation_goes_home_and_a_person_hears_that_the_study_has_no_report(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    say(region)
    say(region, status="X", text="Wrong patient dictated")
    assert [(body.version, body.status) for _, body in returns(region)] == [(1, "F"), (2, "X")]
    (item,) = region.queue("report_cancelled")
    assert item["read_id"] == region.read()["id"]
    say(region, text="A new text")
    assert "the report was cancelled" in region.queue("report_not_accepted")[0]["reason"]


def test_a_preliminary_report_goes_home_only_where_the_trust_asks_for_it(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer("1.1")
    say(region, uid="1.1", status="P", text="Probably nothing")
    assert (region.read()["state"], returns(region)) == ("PRELIMINARY", [])
    assert region.events("1.1")[-1] == "report.kept"
    want(region, preliminary=True)
    say(region, uid="1.1", status="P", text="Nothing, I think")
    ((order, body),) = returns(region)
    assert (body.version, body.status) == (2, "P")
    region.rxn.return_report(order)
    assert region.read()["state"] == "PRELIMINARY"
    say(region, uid="1.1", status="F", text="Nothing")
    ((order, body),) = returns(region)
    assert (body.version, body.status) == (3, "F")
    region.rxn.return_report(order)
    assert region.read()["state"] == "CLOSED"


def test_a_preliminary_report_that_has_not_gone_is_dropped_for_the_final_one(sqlite_region: Region) -> None:
    region = sqlite_region
    want(region, preliminary=True)
    region.offer()
    preliminary = say(region, status="P", text="Probably nothing")
    say(region, text="Nothing")
    orders = region.rxn.new_orders()
    assert [order.body.status for order in orders if isinstance(order.body, ReturnReport)] == ["F"]
    assert [type(order.body) for order in orders].count(RecallReport) == 1
    assert set(states(region, preliminary).values()) == {"DROPPED"}
    assert region.events().count("delivery.dropped") == 2
    (recall,) = [order.body for order in orders if isinstance(order.body, RecallReport)]
    region.rxn.say(JobParked(job_kind="return", job_key=f"{recall.order_id}/ris", reason="may be there", attempts=1))
    assert region.queue() == [], "the final one comes after it"


def test_what_the_node_gave_up_for_a_later_version_asks_nobody(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    final = say(region)
    say(region, status="C", text="The left side")
    (first, _), (second, _) = returns(region)
    region.rxn.return_report(second)
    region.rxn.say(OrderParked(order_id=first.order_id, reason="a newer version (2) was already filed", attempts=3))
    assert set(states(region, final).values()) == {"DROPPED"}
    assert region.queue() == []
    assert region.read()["state"] == "CLOSED"


def test_the_answer_to_an_older_version_never_closes_the_read(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    say(region)
    say(region, status="C", text="The left side")
    (first, _), _ = returns(region)
    region.rxn.return_report(first)
    assert region.read()["state"] == "VERIFIED"


def test_each_trust_says_which_channels_close_a_read(sqlite_region: Region) -> None:
    region = sqlite_region
    want(region, channels=["ris", "archive", "pdf"], closed_by=["ris"])
    region.offer()
    report = say(region)
    ((order, _),) = returns(region)
    assert set(states(region, report)) == {"ris", "archive", "pdf"}
    region.rxn.say(ReportAcknowledged(order_id=order.order_id, channel="ris", code="AA", reference="1"))
    assert region.read()["state"] == "CLOSED"
    assert states(region, report) == {"archive": "SENT", "pdf": "SENT", "ris": "FILED"}


def test_channels_that_could_close_nothing_are_refused(sqlite_region: Region) -> None:
    body = {"ods_code": "RXN", "name": "N", "returns": {"channels": ["archive"], "closed_by": ["archive"]}}
    answer = sqlite_region.client.put("/trusts/RXN", json=body, headers=sqlite_region.staff)
    assert answer.status_code == 422
    assert "body.returns" in answer.json()["message"]


def test_a_fresh_read_after_a_correction_goes_home_as_a_correction(sqlite_region: Region) -> None:
    """A RIS that has a corrected report takes no final one any more."""
    region = sqlite_region
    region.offer()
    say(region)
    say(region, status="C", text="The left side")
    assert len(returns(region)) == 2
    region.change_reader("reader-2", active=False)
    region.rxn.say(settled(revision=2, contents="abc"))
    region.plan()
    region.bring_images()
    say(region, text="With the late images")
    ((_, body),) = returns(region)
    assert (body.version, body.status) == (3, "C")


def test_the_phone_list_names_what_a_trust_is_owed_once(region: Region) -> None:
    region.offer()
    report = say(region)
    region.clock.pass_s(7100)
    region.plan()
    assert region.queue("phone_list") == []
    region.clock.pass_s(200)
    region.plan()
    region.plan()
    (item,) = region.queue("phone_list")
    assert (item["report_id"], item["node"]) == (report.report_id, "RXN")
    assert "ring up (archive QUEUED, ris QUEUED)" in item["reason"]
    assert START + timedelta(hours=2) <= region.clock()


def test_a_person_calls_a_delivery_off_and_has_it_sent_after_all(region: Region) -> None:
    region.offer()
    report = say(region)
    ((first, _),) = returns(region)
    path = f"/reports/{report.report_id}/deliveries/ris"
    answer = region.client.post(f"{path}/cancel", json={"reason": "typed in by hand"}, headers=region.staff)
    assert (answer.status_code, answer.json()["state"]) == (200, "CANCELLED")
    (recall,) = region.rxn.new_orders()
    called_off = RecallReport(read_id=region.read()["id"], order_id=first.order_id, channels=("ris",), called_off=True)
    assert recall.body == called_off
    region.rxn.say(
        OrderCompleted(order_id=recall.order_id),
        ReportAcknowledged(order_id=first.order_id, channel="archive", code="0000", reference="1"),
        OrderCompleted(order_id=first.order_id),
    )
    assert region.read()["state"] == "VERIFIED"
    answer = region.client.post(f"{path}/resend", json={"reason": "it was not"}, headers=region.staff)
    assert (answer.status_code, answer.json()["state"]) == (200, "QUEUED")
    ((again, body),) = returns(region)
    assert body.channels == ("ris",)
    region.rxn.say(
        ReportAcknowledged(order_id=again.order_id, channel="ris", code="AA", reference="1"),
        OrderCompleted(order_id=again.order_id),
    )
    assert region.read()["state"] == "CLOSED"
    assert region.client.post(f"{path}/cancel", json={"reason": "late"}, headers=region.staff).status_code == 409
    assert {"delivery.cancelled", "delivery.resent"} <= set(region.events())


def test_the_refusals_words_are_shown_with_the_delivery(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    report = say(region)
    ((order, _),) = returns(region)
    said = {"order_id": order.order_id, "channel": "ris", "reference": "1"}
    region.rxn.say(ReportAcknowledged(code="AE", words="OBR-4 unknown", **said))  # type: ignore[arg-type]
    region.rxn.say(OrderParked(order_id=order.order_id, reason="the RIS answered AE", attempts=1))
    shown = {one["channel"]: one for one in region.get("/deliveries", state="PARKED", trust="RXN")}
    assert (shown["ris"]["code"], shown["ris"]["words"]) == ("AE", "OBR-4 unknown")
    assert "OBR-4 unknown" in region.queue("report_rejected")[0]["reason"]
    assert shown["ris"]["report_id"] == report.report_id


def test_a_person_is_asked_about_a_report_that_arrived_though_it_was_called_off(region: Region) -> None:
    region.offer()
    report = say(region)
    ((first, _),) = returns(region)
    path = f"/reports/{report.report_id}/deliveries/ris/cancel"
    region.client.post(path, json={"reason": "typed in by hand"}, headers=region.staff)
    reason = "version 1 may have reached the ris"
    key = f"{first.order_id}/ris"
    region.rxn.say(JobParked(job_kind="return", job_key=key, reason=reason, attempts=1))
    (item,) = region.queue("recalled_report")
    assert (item["report_id"], item["order_id"], item["node"]) == (report.report_id, first.order_id, "RXN")
    assert reason in item["reason"]
    region.rxl.say(JobParked(job_kind="return", job_key=key, reason="another trust's order", attempts=1))
    assert len(region.queue("recalled_report")) == 1
