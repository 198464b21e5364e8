"""Reports: matched surely or held; returned to the origin only; closed only by the origin's acknowledgement."""

from datetime import timedelta
from typing import Literal

import pytest

from dicom_nodes.contract import (
    OrderCompleted,
    OrderParked,
    PatientIdentity,
    ReportAcknowledged,
    ReportReceived,
    ReportRefused,
    ResendJob,
    ReturnReport,
)
from tests.integration.router.region import PATIENT, START, Region, received, settled

TWIN = PatientIdentity(issuer="RXL", patient_id=PATIENT.patient_id, birth_date=PATIENT.birth_date)


def test_the_same_report_twice_is_one_report(region: Region) -> None:
    region.offer()
    report = received()
    region.rxl.say(report, report)
    region.rxl.outbox_id, region.rxl.seq = "another-life", 0
    region.rxl.say(report)
    assert region.events().count("report.received") == 1
    assert len(region.rxn.new_orders()) == 1
    assert region.queue() == []


@pytest.mark.parametrize(
    ("report", "kind"),
    [
        (received("9.9.9"), "report_unmatched"),
        (received(patient=TWIN), "report_unmatched"),
        (received(None, accession_number="A-1.2.3.4", accession_issuer=None), "report_unmatched"),
        (received(author="C7777777"), "report_not_accepted"),
        (received(author="C1000002"), "report_not_accepted"),
        (received(status="C"), "report_not_accepted"),
        (received(status="X"), "report_not_accepted"),
    ],
)
def test_a_report_that_is_not_sure_waits_for_a_person(region: Region, report: ReportReceived, kind: str) -> None:
    region.offer()
    region.rxl.say(report)
    (item,) = region.queue()
    assert (item["kind"], item["report_id"]) == (kind, report.report_id)
    assert region.get(f"/reports/{report.report_id}")["text"] == report.text
    assert region.read()["state"] == "ASSIGNED"
    assert region.rxn.new_orders() == ()


def test_a_twin_of_another_trust_never_gets_the_report(region: Region) -> None:
    region.rxn.say(settled("1.1", accession_number="A7"))
    region.rxl.say(settled("1.2", origin="RXL", accession_number="A7", accession_issuer="RXL", patient=TWIN))
    region.plan()
    region.bring_images()
    region.rxl.say(received(None, accession_number="A7", accession_issuer="RXN"))
    states = {read["study_instance_uid"]: read["state"] for read in region.get("/reads")}
    assert states["1.1"] == "VERIFIED"
    assert states["1.2"] == "READY"
    found = region.get("/ledger", accession_number="A7")
    assert [trace["trust"] for trace in found] == ["RXL", "RXN"]
    assert len(region.get("/ledger", accession_number="A7", accession_issuer="RXN")) == 1


def test_no_other_final_report_follows_a_final_report(region: Region) -> None:
    region.offer()
    region.rxl.say(received())
    region.rxl.say(received(text="Something else"))
    assert "a correction has status C" in region.queue("report_not_accepted")[0]["reason"]
    assert region.read()["state"] == "VERIFIED"
    assert len(region.rxn.new_orders()) == 1


def test_a_preliminary_authored_before_the_last_one_is_held(region: Region) -> None:
    region.offer()
    region.clock.pass_s(600)
    region.rxl.say(received(status="P", authored_at=START + timedelta(minutes=8)))
    region.rxl.say(received(status="P", text="An older view.", authored_at=START + timedelta(minutes=3)))
    assert "a newer report" in region.queue("report_not_accepted")[0]["reason"]


def returned(region: Region) -> str:
    region.offer()
    region.rxl.say(received())
    (order,) = region.rxn.new_orders()
    assert isinstance(order.body, ReturnReport)
    return order.order_id


def channels(region: Region) -> dict[str, str]:
    (report,) = region.get(f"/reads/{region.read()['id']}/reports")
    return {delivery["channel"]: delivery["state"] for delivery in report["deliveries"]}


def test_without_the_riss_acknowledgement_nothing_closes(region: Region) -> None:
    order_id = returned(region)
    region.rxn.say(ReportAcknowledged(order_id=order_id, channel="archive", code="0000", reference="1"))
    region.rxn.say(OrderCompleted(order_id=order_id))
    assert region.read()["state"] == "VERIFIED"
    assert "without an acknowledgement of ris" in region.queue("report_unacknowledged")[0]["reason"]


def test_an_order_completed_before_its_acknowledgement_closes_with_it(region: Region) -> None:
    order_id = returned(region)
    region.rxn.say(
        OrderCompleted(order_id=order_id),
        ReportAcknowledged(order_id=order_id, channel="archive", code="0000", reference="1"),
        ReportAcknowledged(order_id=order_id, channel="ris", code="AA", reference="1"),
    )
    assert region.read()["state"] == "CLOSED"


@pytest.mark.parametrize("code", ["AE", "AR"])
def test_a_rejection_by_the_ris_is_shown_and_can_be_sent_again(region: Region, code: str) -> None:
    order_id = returned(region)
    region.rxn.say(ReportAcknowledged(order_id=order_id, channel="ris", code=code, reference="1"))
    assert channels(region) == {"archive": "SENT", "ris": "PARKED" if code == "AE" else "REJECTED"}
    assert region.read()["state"] == "VERIFIED"
    (item,) = region.queue("report_rejected")
    answer = region.client.post(f"/human-queue/{item['id']}/resend", json={"note": "fixed"}, headers=region.staff)
    assert answer.json()["resolved_by"] == "admin test"
    (again,) = region.rxn.new_orders()
    assert isinstance(again.body, ReturnReport)
    assert again.order_id != order_id
    assert channels(region) == {"archive": "SENT", "ris": "SENT"}
    region.rxn.say(ReportAcknowledged(order_id=again.order_id, channel="ris", code="AA", reference="2"))
    assert region.read()["state"] == "DELIVERED"
    region.rxn.say(ReportAcknowledged(order_id=order_id, channel="archive", code="0000", reference="1"))
    region.rxn.say(OrderCompleted(order_id=again.order_id))
    assert region.read()["state"] == "CLOSED"
    assert set(channels(region).values()) == {"FILED"}


@pytest.mark.parametrize("code", ["B000", "B006", "B007"])
def test_an_archive_that_keeps_the_report_with_a_warning_has_taken_it(region: Region, code: str) -> None:
    order_id = returned(region)
    region.rxn.say(
        ReportAcknowledged(order_id=order_id, channel="archive", code=code, reference="1"),
        ReportAcknowledged(order_id=order_id, channel="ris", code="AA", reference="1"),
        OrderCompleted(order_id=order_id),
    )
    assert region.read()["state"] == "CLOSED"
    assert region.queue() == []
    entries = region.get("/ledger", study_instance_uid="1.2.3.4")[0]["entries"]
    (warned,) = [entry for entry in entries if "warning" in entry["detail"]]
    assert (warned["event"], warned["detail"]["code"]) == ("report.acknowledged", code)


@pytest.mark.parametrize(
    ("channel", "code"), [("archive", "A700"), ("archive", "AA"), ("ris", "0000"), ("ris", "B000")]
)
def test_no_other_answer_is_an_acceptance(region: Region, channel: Literal["ris", "archive"], code: str) -> None:
    order_id = returned(region)
    region.rxn.say(ReportAcknowledged(order_id=order_id, channel=channel, code=code, reference="1"))
    assert channels(region)[channel] == "REJECTED"


def test_a_parked_return_can_be_sent_again_and_then_closes(region: Region) -> None:
    order_id = returned(region)
    parked = OrderParked(order_id=order_id, reason="no answer", attempts=12)
    region.rxn.say(parked)
    assert set(channels(region).values()) == {"PARKED"}
    (item,) = region.queue("phone_list")
    assert item["can_resend"]
    accession, report_id = "accession A-1.2.3.4 of RXN", region.get("/reports")[0]["id"]
    assert f"{accession}, report {report_id}, version 1, F) by archive, ris" in item["reason"]
    assert "gave up after 12 attempts: no answer. Telephone" in item["reason"]
    region.clock.pass_s(4 * 3600)
    region.plan()
    assert region.queue("phone_list") == [item], "one item, not two, while it is owed for long"
    path = f"/human-queue/{item['id']}"
    assert region.client.post(f"{path}/resend", json={"note": "again"}, headers=region.staff).status_code == 200
    assert region.client.post(f"{path}/resend", json={"note": "again"}, headers=region.staff).status_code == 409
    (resend,) = region.rxn.new_orders()
    assert resend.body == ResendJob(job_kind="return", job_key=order_id)
    region.rxn.say(parked)
    assert len(region.queue("phone_list")) == 1
    region.rxn.say(
        ReportAcknowledged(order_id=order_id, channel="ris", code="AA", reference="1"),
        ReportAcknowledged(order_id=order_id, channel="archive", code="0000", reference="1"),
        OrderCompleted(order_id=order_id),
    )
    assert region.read()["state"] == "CLOSED"
    assert set(channels(region).values()) == {"FILED"}


def test_another_nodes_word_on_an_order_counts_for_nothing(region: Region) -> None:
    order_id = returned(region)
    region.rxl.say(ReportAcknowledged(order_id=order_id, channel="ris", code="AA", reference="1"))
    region.rxl.say(OrderCompleted(order_id=order_id))
    assert region.read()["state"] == "VERIFIED"
    assert region.queue("unknown_order")[0]["node"] == "RXL"


def test_the_same_acknowledgement_twice_is_one(region: Region) -> None:
    order_id = returned(region)
    for _ in range(2):
        region.rxn.say(ReportAcknowledged(order_id=order_id, channel="ris", code="AA", reference="1"))
    assert region.events().count("report.acknowledged") == 1


def test_a_report_that_a_node_could_not_read_is_in_the_human_queue_once(region: Region) -> None:
    refused = ReportRefused(
        refusal_id="r1",
        channel="hl7_oru",
        answer="AE",
        reason="PID-3: NHS number does not pass its check digit (modulus 11)",
        original_digest="0" * 64,
    )
    region.rxl.say(refused, refused)
    (item,) = region.queue("report_refused")
    assert item["node"] == "RXL"
    assert "answered AE: PID-3: NHS number does not pass" in item["reason"]
    assert "readacross refused, id r1" in item["reason"]
