"""A revision may say more of its patient than the one before; what contradicts it goes to a person, report and all."""

from datetime import date

import pytest

from dicom_nodes.contract import FetchStudy, PatientIdentity
from tests.integration.router.region import PATIENT, Region, received, settled

LITTLE = PatientIdentity(issuer="RXN", patient_id="H100200")


def test_a_revision_that_says_more_of_its_patient_is_taken_and_completes_the_study(region: Region) -> None:
    region.rxn.say(settled(patient=LITTLE, accession_issuer=None))
    region.rxn.say(settled(revision=2, contents="abc"))
    assert region.queue() == []
    assert region.read()["revision"] == 2
    region.plan()
    (fetch,) = region.rxl.new_orders()
    assert isinstance(fetch.body, FetchStudy)
    assert fetch.body.study.patient == PATIENT
    assert fetch.body.study.accession_issuer == "RXN"


def test_a_revision_that_says_less_takes_nothing_away(region: Region) -> None:
    region.rxn.say(settled())
    region.rxn.say(settled(revision=2, contents="abc", patient=LITTLE, accession_number=None, accession_issuer=None))
    region.plan()
    (fetch,) = region.rxl.new_orders()
    assert (fetch.body.study.patient, fetch.body.study.accession_number) == (PATIENT, "A-1.2.3.4")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "changes",
    [
        {"patient": PATIENT.model_copy(update={"birth_date": date(1950, 2, 4)})},
        {"patient": PATIENT.model_copy(update={"nhs_number": "9990000026"})},
        {"accession_number": "A-9"},
    ],
)
def test_the_report_of_a_study_in_conflict_waits_until_a_person_has_settled_it(
    region: Region, changes: dict[str, object]
) -> None:
    read = region.offer()
    region.rxn.say(settled(revision=2, contents="abc", **changes))
    (item,) = region.queue("study_conflict")
    assert item["read_id"] == read["id"]
    assert item["reason"].endswith("; its read is ASSIGNED with revision 1")
    region.rxl.say(received())
    (held,) = region.queue("report_not_accepted")
    assert "nobody has settled that yet" in held["reason"]
    assert region.read()["state"] == "ASSIGNED"
    region.client.post(f"/human-queue/{item['id']}/resolve", json={"note": "typing error"}, headers=region.staff)
    region.rxl.say(received())
    assert region.read()["state"] == "VERIFIED"


def test_what_another_trust_claims_holds_no_report_back(region: Region) -> None:
    region.offer()
    region.rxl.say(settled(origin="RXL"))
    assert region.queue("study_conflict")
    region.rxl.say(received())
    assert region.read()["state"] == "VERIFIED"
