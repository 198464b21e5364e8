"""What a trust ordered reaches its study, whichever comes first; a study without an order goes on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from dicom_nodes.contract import ImagingOrdered, PatientChanged, PatientIdentity, Referrer
from dicom_nodes.foundation.settings_file import SettingsError
from router.app import create_app
from router.config import load_router_settings
from tests.integration.router.region import (
    PATIENT,
    NodeSide,
    Region,
    TestClock,
    issue,
    received,
    running_region,
    settled,
    write_region,
)
from tests.integration.router.rule_region import Administrators
from tests.unit.router.routing_rules.rule_texts import rule, text

WANTED = """
urgencies = { stat = "urgent" }
suspected_cancer_priority = "cancer"
"""


@pytest.fixture
def region(tmp_path: Path) -> Iterator[Region]:
    """A region whose exam table says what orders may ask for."""
    write_region(tmp_path, f"sqlite:///{tmp_path}/router.sqlite")
    routing = (tmp_path / "routing.toml").read_text()
    (tmp_path / "routing.toml").write_text(routing.replace("priorities = {", "priorities = { cancer = 72.0,") + WANTED)
    settings, clock = load_router_settings(tmp_path / "router.toml"), TestClock()
    with TestClient(create_app(settings, clock, plan_in_background=False)) as client:
        nodes = [NodeSide(client, issue(client, "node", trust), clock) for trust in ("RXN", "RXL")]
        yield Region(settings, clock, client, *nodes)


def ordered(uid: str = "1.2.3.4", **changes: Any) -> ImagingOrdered:
    values: dict[str, Any] = {
        "accession_number": f"A-{uid}",
        "accession_issuer": "RXN",
        "patient": PATIENT,
        "study_instance_uid": uid,
        "clinical_question": "Lump in the neck?",
        "referrer": Referrer(name="Dr Fell", registration="C7654321", contact="0113 496 0000"),
    }
    return ImagingOrdered(**{**values, **changes})


def plain(uid: str = "1.2.3.4", **changes: Any) -> Any:
    """A study whose exam is routine."""
    return settled(uid, exam_code=None, **changes)


def test_an_order_that_came_first_hurries_its_study(region: Region) -> None:
    region.rxn.say(ordered(suspected_cancer=True), plain())
    assert region.read()["priority"] == "cancer"
    assert "order.joined" in region.events()
    region.clock.pass_s(1)
    region.rxn.say(plain("1.9"))
    assert region.read()["priority"] == "routine"
    assert region.queue() == []


@pytest.mark.parametrize("state", ["READY", "ASSIGNED", "READING"])
def test_an_order_that_comes_later_hurries_the_open_read_and_leaves_it_with_its_holder(
    region: Region, state: str
) -> None:
    region.rxn.say(plain())
    if state != "READY":
        region.plan()
    if state == "READING":
        region.claim(region.read())
    before = region.read()
    region.rxn.say(ordered(urgency="stat"))
    after = region.read()
    assert (before["state"], after["state"]) == (state, state)
    assert (before["priority"], after["priority"]) == ("routine", "urgent")
    assert after["due_at"] < before["due_at"]
    assert after["lease"] == before["lease"]
    assert "read.hurried" in region.events()


def test_an_order_never_slows_a_read(region: Region) -> None:
    region.rxn.say(settled(), ordered(urgency="routine"))
    assert region.read()["priority"] == "urgent"


@pytest.mark.parametrize(
    "changes",
    [
        {"patient": PATIENT.model_copy(update={"nhs_number": "9990000026"})},
        {"patient": PATIENT.model_copy(update={"patient_id": "H9"})},
        {"study_instance_uid": "9.9", "patient": PatientIdentity(issuer=None, patient_id=None)},
    ],
)
@pytest.mark.parametrize("first", ["order", "study"])
def test_an_order_that_the_images_deny_joins_nothing_and_is_shown(
    region: Region, changes: dict[str, Any], first: str
) -> None:
    order = ordered(suspected_cancer=True, **changes)
    region.rxn.say(*([order, plain()] if first == "order" else [plain(), order]))
    assert region.read()["priority"] == "routine"
    (item,) = region.queue("order_conflict")
    assert item["study_instance_uid"] == "1.2.3.4"


def test_a_modality_that_made_its_own_study_uid_joins_by_accession_and_patient(region: Region) -> None:
    region.rxn.say(ordered(study_instance_uid="9.9", urgency="stat"), plain())
    assert region.read()["priority"] == "urgent"


def test_another_trusts_order_of_the_same_accession_number_joins_nothing(region: Region) -> None:
    region.rxl.say(ordered(accession_issuer="RXL", urgency="stat"))
    region.rxn.say(plain())
    assert region.read()["priority"] == "routine"
    region.rxn.say(ordered())
    region.rxl.say(ordered(urgency="stat"))
    assert region.queue("foreign_order")[0]["node"] == "RXL"
    assert region.read()["priority"] == "routine"


def test_a_cancelled_order_is_for_a_person_and_cancels_no_read(region: Region) -> None:
    region.rxn.say(plain(), ordered(), ordered(cancelled=True))
    assert region.read()["state"] == "READY"
    assert len(region.queue("order_cancelled")) == 1
    shown = region.get(f"/reads/{region.read()['id']}/order")
    assert (shown["cancelled"], shown["clinical_question"]) == (True, "Lump in the neck?")


def test_a_study_that_comes_for_a_cancelled_order_goes_on_and_a_person_is_told(region: Region) -> None:
    region.rxn.say(ordered(), ordered(cancelled=True), plain())
    assert (region.read()["state"], region.read()["priority"]) == ("READY", "routine")
    (item,) = region.queue("order_cancelled")
    assert "came after the trust had cancelled its order" in item["reason"]
    region.rxn.say(plain(revision=2, contents="abc"))
    assert len(region.queue("order_cancelled")) == 1


def test_an_order_that_is_given_again_after_its_cancellation_counts_again(region: Region) -> None:
    region.rxn.say(plain(), ordered(), ordered(cancelled=True), ordered(urgency="stat"))
    assert (region.read()["priority"], region.queue()) == ("urgent", [])
    assert "order.revived" in region.events()
    assert region.get(f"/reads/{region.read()['id']}/order")["cancelled"] is False


def test_an_order_given_again_after_its_read_was_cancelled_is_for_a_person(region: Region) -> None:
    region.rxn.say(plain(), ordered(), ordered(cancelled=True))
    path = f"/reads/{region.read()['id']}/cancel"
    assert region.client.post(path, json={"reason": "not wanted"}, headers=region.staff).status_code == 200
    region.rxn.say(ordered())
    assert "nobody reads the study" in region.queue("order_revived")[0]["reason"]


def test_urgency_hurries_the_open_second_read_too(region: Region) -> None:
    Administrators(region).active(text(rule("true", "second_read = true", "two readers")))
    region.rxn.say(plain())
    region.plan()
    region.bring_images()
    region.claim(region.read())
    region.clock.pass_s(60)
    region.rxl.say(received())
    region.rxn.say(ordered(urgency="stat"))
    first, second = region.get("/reads")
    assert (first["priority"], second["second_of"], second["priority"]) == ("routine", first["id"], "urgent")


def test_the_rules_see_what_the_order_says(region: Region) -> None:
    lumps = 'order.known && order.suspected_cancer && order.clinical_question.contains("LUMP")'
    Administrators(region).active(text(rule(lumps, 'hold = "ask the head and neck team"', "lumps")))
    region.rxn.say(ordered(suspected_cancer=True), plain())
    assert [hold["rule"] for hold in region.read()["directives"]["holds"]] == ["lumps"]
    region.clock.pass_s(1)
    region.rxn.say(plain("1.9"))
    assert not region.read()["directives"].get("holds")


@pytest.mark.parametrize("first", ["order", "study"])
def test_a_flag_without_a_priority_for_it_is_shown_to_a_person(tmp_path: Path, database_url: str, first: str) -> None:
    order = ordered(suspected_cancer=True)
    with running_region(tmp_path / "region", database_url) as region:
        region.rxn.say(*([order, plain()] if first == "order" else [plain(), order]))
        assert region.read()["priority"] == "routine"
        assert "route it by hand" in region.queue("suspected_cancer")[0]["reason"]


def test_a_priority_that_is_none_stops_the_start(tmp_path: Path) -> None:
    write_region(tmp_path / "region", "sqlite:///r.sqlite")
    routing = tmp_path / "region" / "routing.toml"
    routing.write_text(routing.read_text() + 'suspected_cancer_priority = "soonest"\n')
    with pytest.raises(SettingsError, match="suspected_cancer_priority: expected one of"):
        load_router_settings(tmp_path / "region" / "router.toml")


OTHER = PATIENT.model_copy(update={"patient_id": "H7", "nhs_number": "9990000026"})


def test_another_patients_order_under_the_same_accession_number_is_shown_to_no_reader(region: Region) -> None:
    region.rxn.say(plain(), ordered())
    region.rxn.say(ordered(patient=OTHER, clinical_question="Known metastases?", suspected_cancer=True))
    (item,) = region.queue("order_conflict")
    assert "suspected cancer: yes" in item["reason"]
    shown = region.get(f"/reads/{region.read()['id']}/order")
    assert (shown["clinical_question"], shown["suspected_cancer"]) == ("Lump in the neck?", False)
    assert region.read()["priority"] == "routine"


def test_another_patients_order_revives_no_cancelled_one(region: Region) -> None:
    region.rxn.say(plain(), ordered(), ordered(cancelled=True), ordered(patient=OTHER))
    assert "order.revived" not in region.events()
    assert sorted(item["kind"] for item in region.queue()) == ["order_cancelled", "order_conflict"]
    assert region.get(f"/reads/{region.read()['id']}/order")["cancelled"] is True
    region.rxn.say(ordered())
    assert "order.revived" in region.events()


@pytest.mark.parametrize("changed", [{"patient_id": "H7"}, {"nhs_number": "9990000026"}])
@pytest.mark.parametrize("first", [[ordered()], [plain(), ordered()]], ids=["order alone", "with its study"])
def test_a_cancellation_under_another_patients_identity_cancels_nothing_and_is_for_a_person(
    region: Region, changed: dict[str, Any], first: list[Any]
) -> None:
    stray = ordered(cancelled=True, patient=PATIENT.model_copy(update=changed))
    region.rxn.say(*first, stray, *([] if len(first) > 1 else [plain()]))
    (item,) = region.queue()
    assert (item["kind"], "nothing was cancelled" in item["reason"]) == ("order_conflict", True)
    assert region.get(f"/reads/{region.read()['id']}/order")["cancelled"] is False


def test_a_cancellation_under_the_number_that_the_patient_has_now_counts(region: Region) -> None:
    surviving = PATIENT.model_copy(update={"patient_id": "H900900"})
    region.rxn.say(ordered(), PatientChanged(present=surviving, prior=PATIENT, reference="A40-1"))
    region.rxn.say(ordered(cancelled=True, patient=surviving), plain())
    assert [item["kind"] for item in region.queue()] == ["order_cancelled"]


@pytest.mark.parametrize("number", ["9990000034", "9990000026"])
def test_a_cancellation_under_the_nhs_number_that_was_corrected_counts_and_no_other(
    sqlite_region: Region, number: str
) -> None:
    region = sqlite_region
    corrected = PATIENT.model_copy(update={"nhs_number": "9990000034"})
    region.rxn.say(plain(), ordered(), PatientChanged(present=corrected, reference="A31-1"))
    region.rxn.say(ordered(cancelled=True, patient=PATIENT.model_copy(update={"nhs_number": number})))
    counts = number == corrected.nhs_number
    assert [item["kind"] for item in region.queue()] == ["order_cancelled" if counts else "order_conflict"]
    assert region.get(f"/reads/{region.read()['id']}/order")["cancelled"] is counts
