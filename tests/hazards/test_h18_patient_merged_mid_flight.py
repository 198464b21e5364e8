"""Hazard 18: a patient is merged while the read is under way: the read is re-keyed, and a report on its way is held.

Merged at each state of a read, the report still comes home, once, under the number that survives; what the merge
contradicts goes to a person, and nothing crosses from one issuer to another.
"""

from datetime import date
from typing import Any

import pytest

from dicom_nodes.contract import (
    OrderCompleted,
    OrderParked,
    PatientChanged,
    PatientIdentity,
    RecallReport,
    ReportAcknowledged,
    ReturnReport,
)
from tests.integration.router.region import PATIENT, Region, received, settled

SURVIVING = PATIENT.model_copy(update={"patient_id": "H900900"})
MERGE = PatientChanged(present=SURVIVING, prior=PATIENT, reference="A40-1")


def post(region: Region, number: int, path: str, body: dict[str, Any]) -> None:
    read = region.read()
    answer = region.client.post(f"/reads/{read['id']}/{path}", json=body, headers=region.reader(number))
    assert answer.status_code == 200, answer.text


def bring_to(region: Region, state: str) -> None:
    """Take the only read, whose images are with reader-1, to this state."""
    region.rxn.say(settled(exam_code=None, modalities=("CT",)))
    if state == "READY":
        return
    region.plan()
    region.bring_images()
    if state == "ASSIGNED":
        return
    token = region.claim(region.read())
    if state == "ON_HOLD":
        post(region, 1, "hold", {"transaction_uid": token, "reason": "which side?"})
    if state == "PRELIMINARY":
        region.rxl.say(received(status="P"))


OPEN = ["READY", "ASSIGNED", "READING", "ON_HOLD", "PRELIMINARY"]


@pytest.mark.parametrize("named", [PATIENT, SURVIVING], ids=["prior", "surviving"])
@pytest.mark.parametrize("state", OPEN)
def test_a_read_that_is_open_is_rekeyed_and_its_report_comes_home_under_the_surviving_number(
    sqlite_region: Region, state: str, named: PatientIdentity
) -> None:
    region = sqlite_region
    bring_to(region, state)
    region.rxn.say(MERGE, MERGE)
    assert region.read()["state"] == state
    assert region.events().count("patient.changed") == region.events().count("read.rekeyed") == 1
    if state == "READY":
        region.plan()
        region.bring_images()
    region.clock.pass_s(60)
    region.rxl.say(received(patient=named, text="All well"))
    (order,) = region.rxn.new_orders()
    assert isinstance(order.body, ReturnReport)
    assert order.body.present_patient == SURVIVING
    assert order.body.study.patient == PATIENT, "as the origin's images say, for its node to compare"
    region.rxn.return_report(order)
    assert region.read()["state"] == "CLOSED"
    assert region.queue() == []


def test_a_read_that_nobody_could_route_is_rekeyed(sqlite_region: Region) -> None:
    sqlite_region.rxn.say(settled(modalities=("US",), exam_code=None), MERGE)
    assert sqlite_region.read()["state"] == "RECEIVED"
    assert sqlite_region.events()[-1] == "read.rekeyed"


@pytest.mark.parametrize("fetched", [False, True], ids=["not fetched", "fetched"])
def test_a_report_on_its_way_is_stopped_and_goes_out_under_the_surviving_number(region: Region, fetched: bool) -> None:
    region.offer()
    region.rxl.say(received())
    first = region.rxn.new_orders() if fetched else ()
    region.rxn.say(MERGE)
    recall, again = [order for order in region.rxn.new_orders() if order not in first]
    assert isinstance(recall.body, RecallReport)
    assert isinstance(again.body, ReturnReport)
    assert (again.body.version, again.body.present_patient) == (1, SURVIVING)
    region.rxn.say(OrderCompleted(order_id=recall.order_id))
    if fetched:
        assert first[0].order_id == recall.body.order_id
        region.rxn.say(OrderCompleted(order_id=first[0].order_id))
    assert region.read()["state"] == "VERIFIED"
    region.rxn.return_report(again)
    assert region.read()["state"] == "CLOSED"
    assert region.queue() == []


def test_a_report_that_was_parked_goes_out_again_under_the_surviving_number(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    region.rxl.say(received())
    (first,) = region.rxn.new_orders()
    region.rxn.say(
        ReportAcknowledged(order_id=first.order_id, channel="ris", code="AE", reference="1", words="no such patient"),
        ReportAcknowledged(order_id=first.order_id, channel="archive", code="0000", reference="1"),
        OrderParked(order_id=first.order_id, reason="the RIS answered AE", attempts=1),
    )
    region.rxn.say(MERGE)
    _, again = region.rxn.new_orders()
    assert isinstance(again.body, ReturnReport)
    assert (again.body.channels, again.body.present_patient) == (("ris",), SURVIVING)
    region.rxn.say(
        ReportAcknowledged(order_id=again.order_id, channel="ris", code="AA", reference="2"),
        OrderCompleted(order_id=again.order_id),
    )
    assert region.read()["state"] == "CLOSED"


@pytest.mark.parametrize("state", ["DELIVERED", "CLOSED"])
def test_what_the_origin_has_acknowledged_is_not_sent_again(sqlite_region: Region, state: str) -> None:
    region = sqlite_region
    region.offer()
    region.rxl.say(received())
    (order,) = region.rxn.new_orders()
    if state == "CLOSED":
        region.rxn.return_report(order)
    else:
        region.rxn.say(ReportAcknowledged(order_id=order.order_id, channel="ris", code="AA", reference="1"))
    region.rxn.say(MERGE)
    assert "patient.changed" in region.events()
    sent_again = [order.body for order in region.rxn.new_orders() if isinstance(order.body, ReturnReport)]
    assert [body.channels for body in sent_again] == ([] if state == "CLOSED" else [("archive",)])
    region.clock.pass_s(60)
    region.rxl.say(received(status="C", text="The left side", patient=SURVIVING))
    bodies = [order.body for order in region.rxn.new_orders() if isinstance(order.body, ReturnReport)]
    assert [(body.version, body.present_patient) for body in bodies] == [(2, SURVIVING)]


OTHER_PERSON = SURVIVING.model_copy(update={"nhs_number": "9990000026", "birth_date": date(1971, 5, 6)})


@pytest.mark.parametrize(
    "change",
    [
        PatientChanged(present=OTHER_PERSON, prior=PATIENT, reference="A40-2"),
        PatientChanged(
            present=OTHER_PERSON.model_copy(update={"patient_id": PATIENT.patient_id}), prior=None, reference="A08-1"
        ),
    ],
    ids=["merge", "update"],
)
def test_a_change_into_somebody_else_holds_every_report_until_a_person_has_looked(
    sqlite_region: Region, change: PatientChanged
) -> None:
    region = sqlite_region
    region.offer()
    final = received()
    region.rxl.say(final)
    region.rxn.new_orders()
    region.rxn.say(change)
    (item,) = region.queue("study_conflict")
    assert "1 reports on their way are held" in item["reason"]
    assert {one["state"] for one in region.get(f"/reports/{final.report_id}/deliveries")} == {"HELD"}
    assert [type(order.body) for order in region.rxn.new_orders()] == [RecallReport]
    region.clock.pass_s(60)
    region.rxl.say(received(status="C", text="The left side"))
    assert "nobody has settled that yet" in region.queue("report_not_accepted")[0]["reason"]
    paths = [f"/reports/{final.report_id}/deliveries/{channel}/resend" for channel in ("ris", "archive")]
    for path in paths:
        assert region.client.post(path, json={"reason": "same person"}, headers=region.staff).status_code == 409
    assert region.rxn.new_orders() == ()
    resolve = f"/human-queue/{item['id']}/resolve"
    assert region.client.post(resolve, json={"note": "the ADT was wrong"}, headers=region.staff).status_code == 409
    assert region.queue("study_conflict") == [item]
    (conflict,) = region.get("/patient-conflicts")
    reject = f"/patient-conflicts/{conflict['id']}/reject"
    assert region.client.post(reject, json={"reason": "the ADT was wrong"}, headers=region.staff).status_code == 200
    for path in paths:
        assert region.client.post(path, json={"reason": "same person"}, headers=region.staff).status_code == 200
    assert sum(isinstance(order.body, ReturnReport) for order in region.rxn.new_orders()) == 2


def test_a_corrected_birth_date_holds_the_report_on_its_way_for_a_person(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    final = received()
    region.rxl.say(final)
    region.rxn.new_orders()
    corrected = PATIENT.model_copy(update={"birth_date": date(1950, 2, 4)})
    region.rxn.say(PatientChanged(present=corrected, reference="A08-2"))
    (item,) = region.queue("report_held")
    assert (item["report_id"], item["can_resend"]) == (final.report_id, False)
    assert "the birth date" in item["reason"]
    assert {one["state"] for one in region.get("/deliveries", trust="RXN")} == {"HELD"}


@pytest.mark.parametrize(
    "change",
    [
        PatientChanged(present=SURVIVING.model_copy(update={"issuer": "RXL"}), prior=PATIENT, reference="1"),
        PatientChanged(present=SURVIVING, prior=PATIENT.model_copy(update={"issuer": None}), reference="2"),
        PatientChanged(present=PATIENT, prior=PATIENT, reference="3"),
    ],
    ids=["two issuers", "no issuer", "itself"],
)
def test_a_merge_across_issuers_changes_nothing_and_is_shown(sqlite_region: Region, change: PatientChanged) -> None:
    region = sqlite_region
    region.offer()
    region.rxn.say(change)
    assert "patient.changed" not in region.events()
    assert len(region.queue("patient_change_refused")) == 1


def test_another_trusts_merge_of_the_same_number_touches_no_study_of_this_one(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    region.rxl.say(MERGE)
    assert "patient.changed" not in region.events()


def test_images_that_come_after_the_merge_under_either_number_are_of_the_same_patient(sqlite_region: Region) -> None:
    region = sqlite_region
    region.rxn.say(settled(), MERGE)
    region.rxn.say(settled(revision=2, contents="abc", patient=SURVIVING))
    region.rxn.say(settled(revision=3, contents="abcd"))
    assert region.queue() == []
    assert region.read()["revision"] == 3
    region.change_reader("reader-2", active=False)
    region.rxn.say(settled("1.9"))
    region.plan()
    region.bring_images()
    region.clock.pass_s(60)
    region.rxl.say(received("1.9", patient=SURVIVING))
    (order,) = region.rxn.new_orders()
    assert isinstance(order.body, ReturnReport)
    assert order.body.present_patient == SURVIVING


def test_a_number_that_was_merged_twice_survives_as_the_last(sqlite_region: Region) -> None:
    region = sqlite_region
    last = PATIENT.model_copy(update={"patient_id": "H3"})
    region.offer()
    region.rxn.say(MERGE, PatientChanged(present=last, prior=SURVIVING, reference="A40-3"))
    region.clock.pass_s(60)
    region.rxl.say(received())
    (order,) = region.rxn.new_orders()
    assert isinstance(order.body, ReturnReport)
    assert order.body.present_patient == last
