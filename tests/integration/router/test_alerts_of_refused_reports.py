"""A refused report's alert is raised at the origin where the study is certain, else a person telephones at once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicom_nodes.contract import AlertCode, PatientIdentity, ReportRefused
from router.flows import take_facts
from router.web.fhir import routes
from tests.fakes.fhir_samples import diagnostic_report
from tests.integration.router.alert_region import CRITICAL, AlertRegion, running_alert_region
from tests.integration.router.region import PATIENT, received
from tests.integration.router.test_fhir_reports import post

STRANGER = PatientIdentity(issuer="RXN", patient_id="H9", nhs_number="9990000026")
ALERT = [{"coding": [{"system": "99ALERT", "code": "CRITICAL"}]}]


@pytest.fixture
def region(tmp_path: Path) -> Iterator[AlertRegion]:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        yield running


def refused(refusal_id: str = "r1", **changes: Any) -> ReportRefused:
    said: dict[str, Any] = {"alert_codes": (CRITICAL,), "study_instance_uid": "1.2.3.4", "patient": PATIENT}
    told = {"channel": "hl7_oru", "answer": "AE", "reason": "OBX-5: no report text", "original_digest": "0" * 64}
    return ReportRefused(refusal_id=refusal_id, **{**told, **said, **changes})


def alerts(region: AlertRegion) -> list[tuple[str, str, str | None]]:
    return [(one["trust"], one["state"], one["study_instance_uid"]) for one in region.get("/alerts")]


def test_the_origin_is_told_though_the_report_was_refused_and_once_when_it_comes_again(region: AlertRegion) -> None:
    region.claim(region.offer())
    region.rxl.say(refused(), refused(), refused("r2"))
    assert alerts(region) == [("RXN", "RAISED", "1.2.3.4")]
    region.work()
    assert region.mail.to() == ["ward7@rxn.test"]
    region.rxl.say(received(alert_codes=(CRITICAL,)))
    assert (len(alerts(region)), region.read()["state"], region.queue("phone_list")) == (1, "VERIFIED", [])
    assert len(region.queue("report_refused")) == 2


@pytest.mark.parametrize("changes", [{"patient": None}, {"patient": STRANGER}, {"study_instance_uid": "1.9.9"}])
def test_of_a_study_that_is_not_certain_a_person_telephones(region: AlertRegion, changes: dict[str, Any]) -> None:
    region.claim(region.offer())
    region.rxl.say(refused(**changes))
    (item,) = region.queue("phone_list")
    assert "names an alert code" in item["reason"]
    assert "readacross refused at node RXL, id r1" in item["reason"]
    assert alerts(region) == []


def telephoned_about_the_original(region: AlertRegion) -> bool:
    told = [item["reason"] for item in region.queue("phone_list")]
    return len(region.queue("fact_failed")) == 1 == len(told) and "readacross refused at node RXL, id r1" in told[0]


@pytest.mark.parametrize("more", [{}, {"alert_codes": (), "looked_through": False}])
def test_of_a_refusal_that_is_not_understood_a_person_telephones(region: AlertRegion, more: dict[str, Any]) -> None:
    region.rxl.say(refused(accession_number="9" * 257, **more))
    assert telephoned_about_the_original(region)


def test_of_a_refusal_that_could_not_be_carried_out_a_person_telephones(
    region: AlertRegion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take_facts, "take_refused", lambda *_: 1 / 0)
    region.rxl.say(refused())
    assert telephoned_about_the_original(region)


def test_nobody_is_asked_to_telephone_about_ordinary_codes_unless_a_part_was_not_seen(region: AlertRegion) -> None:
    ordinary = AlertCode(value="18748-4", scheme="LN")
    region.rxl.say(refused(alert_codes=(ordinary,)))
    region.rxl.say(refused("r3", alert_codes=(ordinary,), accession_number="9" * 257))
    assert region.queue("phone_list") == []
    region.rxl.say(refused("r2", alert_codes=(ordinary,), looked_through=False))
    assert "may name an alert code" in region.queue("phone_list")[0]["reason"]


def test_a_refused_fhir_report_raises_its_alert_or_asks_to_telephone(region: AlertRegion) -> None:
    region.offer()
    assert post(region, diagnostic_report(presentedForm=None, conclusionCode=ALERT)).status_code == 422
    assert alerts(region) == [("RXN", "RAISED", "1.2.3.4")]
    assert post(region, diagnostic_report(presentedForm=None, conclusionCode=ALERT, subject=None)).status_code == 422
    (item,) = region.queue("phone_list")
    kept = item["reason"].partition("GET ")[2].partition(")")[0]
    assert json.loads(region.client.get(kept, headers=region.staff).content)["conclusionCode"] == ALERT
    assert len(alerts(region)) == 1


def test_a_report_refused_by_the_api_raises_its_alert_at_the_read_that_its_author_holds(region: AlertRegion) -> None:
    read = region.offer()
    body = {"transaction_uid": region.claim(read), "status": "F", "text": "", "alert_codes": [CRITICAL.model_dump()]}
    path, reader = f"/reads/{read['id']}/report", region.reader()
    assert region.client.post(path, json={**body, "alert_codes": []}, headers=reader).status_code == 422
    assert region.get("/alerts") == region.queue("report_refused") == []
    for _ in range(2):
        assert region.client.post(path, json=body, headers=reader).status_code == 422
    assert alerts(region) == [("RXN", "RAISED", "1.2.3.4")]
    assert len(region.queue("report_refused")) == 1
    filed = region.client.post(path, json={**body, "text": "Bleed."}, headers=reader)
    assert (filed.status_code, len(alerts(region)), region.queue("phone_list")) == (201, 1, [])


@pytest.mark.parametrize("codes", [[{"value": "CRITICAL"}], "CRITICAL"])
def test_a_code_that_cannot_be_read_is_telephoned_about(region: AlertRegion, codes: object) -> None:
    read = region.offer()
    body = {"transaction_uid": region.claim(read), "status": "F", "text": "Bleed.", "alert_codes": codes}
    assert region.client.post(f"/reads/{read['id']}/report", json=body, headers=region.reader()).status_code == 422
    assert "may name an alert code" in region.queue("phone_list")[0]["reason"]


def test_a_stranger_to_the_read_raises_nothing_and_a_person_telephones(region: AlertRegion) -> None:
    read = region.offer()
    region.claim(read)
    body = {"transaction_uid": "x", "status": "F", "text": "", "alert_codes": [CRITICAL.model_dump()]}
    assert region.client.post(f"/reads/{read['id']}/report", json=body, headers=region.reader(2)).status_code == 422
    assert (alerts(region), len(region.queue("phone_list"))) == ([], 1)


@pytest.mark.parametrize(
    "said",
    [
        [{"coding": [{"code": "CRITICAL"}]}],
        [{"coding": [{"system": "99ALERT ", "code": "CRITICAL"}]}],
        [{"coding": [{"system": "99ALERT", "code": ["CRITICAL"]}]}],
        ["CRITICAL"],
        "CRITICAL",
    ],
)
def test_a_fhir_code_that_cannot_be_read_is_telephoned_about(region: AlertRegion, said: object) -> None:
    assert post(region, diagnostic_report(presentedForm=None, conclusionCode=said)).status_code == 422
    (item,) = region.queue("phone_list")
    assert "may name an alert code" in item["reason"]


def test_what_is_no_fhir_report_is_kept_and_telephoned_about_where_nobody_could_look(
    region: AlertRegion, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = [{"text": "Normal"}, {"coding": [{"system": "http://loinc.org", "code": "18748-4"}]}]
    assert post(region, diagnostic_report(presentedForm=None, conclusionCode=ordinary)).status_code == 422
    assert post(region, {"resourceType": "Observation"}).status_code == 400
    assert (post(region, b" ").status_code, region.queue("phone_list")) == (400, [])
    assert len(region.queue("report_refused")) == 2
    whole = json.dumps(diagnostic_report(conclusionCode=ALERT)).encode()
    for _ in range(2):
        assert post(region, whole[:-3]).status_code == 400
    assert post(region, {"resourceType": "Bundle", "entry": [{"resource": json.loads(whole)}]}).status_code == 400
    monkeypatch.setattr(routes, "LARGEST_BYTES", 100)
    assert post(region, whole).status_code == 413
    assert (len(region.queue("phone_list")), len(region.queue("report_refused"))) == (3, 5)
    kept = [item["reason"].partition("GET ")[2].partition(")")[0] for item in region.queue("phone_list")]
    assert whole[:-3] in [region.client.get(path, headers=region.staff).content for path in kept]


def test_a_refused_correction_raises_anew_once_anybody_was_told(region: AlertRegion) -> None:
    region.claim(region.offer())
    region.rxl.say(refused("r1"), refused("r2", changes=True))
    region.work()
    assert (len(alerts(region)), region.mail.to()) == (1, ["ward7@rxn.test"])
    region.rxl.say(refused("r3"))
    region.work()
    assert (len(alerts(region)), region.mail.to()) == (1, ["ward7@rxn.test"])
    region.rxl.say(refused("r4", changes=True), refused("r4", changes=True))
    region.work()
    assert (len(alerts(region)), region.mail.to()) == (2, ["ward7@rxn.test"] * 2)
    bad = {"presentedForm": None, "conclusionCode": ALERT}
    assert post(region, diagnostic_report(**bad), region.reader()).status_code == 422
    assert len(alerts(region)) == 2
    assert post(region, diagnostic_report(**bad, status="corrected"), region.reader()).status_code == 422
    assert len(alerts(region)) == 3


def test_a_correction_that_the_api_refuses_raises_anew_once_anybody_was_told(region: AlertRegion) -> None:
    read = region.offer()
    body = {"transaction_uid": region.claim(read), "text": "", "alert_codes": [CRITICAL.model_dump()]}
    for status, told in (("F", 1), ("P", 1), ("C", 2)):
        refusal = region.client.post(
            f"/reads/{read['id']}/report", json=body | {"status": status}, headers=region.reader()
        )
        assert refusal.status_code == 422
        region.work()
        assert len(region.mail.to()) == told


def test_a_refused_correction_that_its_sender_repeats_is_told_once(region: AlertRegion) -> None:
    region.claim(region.offer())
    region.rxl.say(refused())
    region.work()
    for number in range(6):  # each with another MSH-10, as engines repeat what was answered AE
        region.rxl.say(refused(f"again-{number}", changes=True))
        region.work()
        region.clock.pass_s(30)
    assert (len(alerts(region)), region.mail.to()) == (2, ["ward7@rxn.test"] * 2)
    assert len(region.queue("report_refused")) == 7


def test_a_refused_correction_is_told_anew_after_an_answer_and_of_another_sender(region: AlertRegion) -> None:
    region.claim(region.offer())
    region.rxl.say(refused("c1", changes=True))
    region.work()
    region.rxn.say(refused("c2", changes=True))
    region.work()
    assert len(alerts(region)) == 2
    for alert in region.get("/alerts"):
        region.answer(alert, "acknowledge").raise_for_status()
    region.rxl.say(refused("c3", changes=True))
    assert len(alerts(region)) == 3
