"""Priors go with the images as a rule selects them; found, none and unreachable are told apart."""

from datetime import timedelta
from typing import Any

from dicom_nodes.contract import OrderParked
from tests.integration.router.region import PATIENT, START, Region, settled
from tests.integration.router.rule_region import Administrators
from tests.unit.router.routing_rules.rule_texts import rule, text

CT_HEADS = text(rule("true", 'priors = { modalities = ["CT"], within_days = 365, most = 2 }', "earlier CT"))
STRANGER = PATIENT.model_copy(update={"patient_id": "H2", "nhs_number": "9990000026"})
ELSEWHERE = PATIENT.model_copy(update={"issuer": "RXL", "patient_id": "L77"})


def earlier(uid: str, days: int, **changes: Any) -> Any:
    return settled(uid, study_time=START - timedelta(days=days), contents="cd", **changes)


def with_priors(region: Region) -> dict[str, Any]:
    """A study of RXN planned to reader-1 at RXL; one prior lies at RXN, one at RXL, others are not wanted."""
    region.rxn.say(earlier("1.9.1", 30), earlier("1.9.2", 10, modalities=("MR",)), earlier("1.9.3", 900))
    region.rxl.say(earlier("1.9.4", 20, origin="RXL", accession_issuer="RXL", patient=ELSEWHERE))
    region.rxl.say(earlier("1.9.5", 20, origin="RXL", accession_issuer="RXL", patient=STRANGER))
    for read in region.get("/reads"):
        body = {"reason": "an old study"}
        region.client.post(f"/reads/{read['id']}/cancel", json=body, headers=region.staff).raise_for_status()
    Administrators(region).active(CT_HEADS)
    region.change_reader("reader-2", active=False)
    region.clock.pass_s(1)
    region.assign()
    return current(region)


def current(region: Region) -> dict[str, Any]:
    found = region.get(f"/reads/{region.read()['id']}")
    assert isinstance(found, dict)
    return found


def states(read: dict[str, Any]) -> dict[str, str]:
    return {prior["study_instance_uid"]: prior["state"] for prior in read["priors"]["studies"]}


def test_the_priors_that_the_rule_wants_come_from_every_trust_and_no_other_patients(region: Region) -> None:
    read = with_priors(region)
    assert (read["priors"]["rule"], read["priors"]["outcome"]) == ("earlier CT", "found")
    assert states(read) == {"1.9.4": "ordered", "1.9.1": "ordered"}
    ordered = [(o.body.kind, o.body.study.study_instance_uid) for o in region.rxl.orders().orders]
    assert ordered == [("fetch", "1.2.3.4"), ("deliver", "1.9.4"), ("fetch", "1.9.1")]
    region.bring_images()
    read = current(region)
    assert states(read) == {"1.9.4": "delivered", "1.9.1": "delivered"}
    assert (read["state"], read["images_delivered_at"] is not None) == ("ASSIGNED", True)
    assert [event for event in region.events() if event.startswith("prior")] == [
        "priors.found",
        "prior.delivered",
        "prior.fetched",
        "prior.delivered",
    ]


def test_the_arrival_of_a_prior_is_not_taken_for_that_of_the_study(region: Region) -> None:
    with_priors(region)
    for order in region.rxl.new_orders():
        if order.body.study.study_instance_uid == "1.9.4":
            region.rxl.complete(order)
    assert (current(region)["images_delivered_at"], states(current(region))["1.9.4"]) == (None, "delivered")


def test_a_prior_that_cannot_be_brought_is_unreachable_and_keeps_nothing_back(sqlite_region: Region) -> None:
    region = sqlite_region
    with_priors(region)
    for order in region.rxl.new_orders():
        if order.body.study.study_instance_uid == "1.9.1":
            region.rxl.say(OrderParked(order_id=order.order_id, reason="no answer", attempts=9))
        else:
            region.rxl.complete(order)
    region.bring_images()
    read = current(region)
    assert states(read) == {"1.9.4": "delivered", "1.9.1": "unreachable"}
    assert read["images_delivered_at"] is not None
    assert "prior.unreachable" in region.events()
    assert [item["kind"] for item in region.queue()] == ["order"]


def test_without_a_rule_nothing_is_asked_and_nothing_is_claimed(sqlite_region: Region) -> None:
    sqlite_region.assign()
    assert current(sqlite_region)["priors"] is None
