"""Reports by FHIR: taken whole, matched, signed by who they say, and answered truly with what is wrong and where."""

import hashlib
import json
from typing import Any

import pytest

from dicom_nodes.contract import ReturnReport
from tests.fakes.fhir_samples import GMC, NHS, diagnostic_report
from tests.integration.router.region import Region

TEXT = "FINDINGS\nSiân: < 5 mm | ^ ~ \\ & Łódź €\nIMPRESSION\nNormal."


def post(region: Region, resource: Any, headers: dict[str, str] | None = None) -> Any:
    body = resource if isinstance(resource, bytes) else json.dumps(resource, ensure_ascii=False).encode()
    asked = {**(headers or region.rxl.headers), "Content-Type": "application/fhir+json"}
    return region.client.post("/fhir/DiagnosticReport", content=body, headers=asked)


def issue(answer: Any) -> dict[str, Any]:
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    assert answer.headers["content-type"].startswith("application/fhir+json")
    first = body["issue"][0]
    assert isinstance(first, dict)
    return first


def report(region: Region) -> dict[str, Any]:
    (found,) = region.get("/reports")
    assert isinstance(found, dict)
    return found


def test_a_report_is_taken_goes_home_and_is_kept_as_it_came(region: Region) -> None:
    region.offer()
    body = json.dumps(diagnostic_report(), ensure_ascii=False).encode()
    answer = post(region, body)
    assert (answer.status_code, issue(answer)["severity"]) == (201, "information")
    assert answer.headers["location"] == f"/reports/{report(region)['id']}"
    (order,) = region.rxn.new_orders()
    assert isinstance(order.body, ReturnReport)
    assert (order.body.text, order.body.status) == (TEXT, "F")
    assert order.body.author.registration == "C1000001"
    assert order.body.author.name == "Okafor^Ada^B^Dr"
    assert [section.title for section in order.body.sections] == ["FINDINGS", "IMPRESSION"]
    original = region.client.get(f"{answer.headers['location']}/original", headers=region.staff)
    assert original.content == body
    assert original.headers["x-sha256"] == hashlib.sha256(body).hexdigest()
    again = post(region, body)
    assert (again.status_code, region.rxn.new_orders()) == (200, ())


def test_a_readers_own_system_files_under_the_fencing_token(region: Region) -> None:
    token = region.claim(region.assign())
    named = {"identifier": [{"system": "urn:readacross:transaction-uid", "value": token}]}
    answer = post(region, diagnostic_report(**named, subject=None, basedOn=None, imagingStudy=None), region.reader())
    assert answer.status_code == 201, answer.text
    assert region.read()["state"] == "VERIFIED"


def test_a_stale_fencing_token_waits_for_a_person(region: Region) -> None:
    read = region.assign()
    token = region.claim(read)
    region.client.post(f"/reads/{read['id']}/take-back", json={"reason": "x"}, headers=region.staff)
    region.plan()
    named = {"identifier": [{"system": "urn:readacross:transaction-uid", "value": token}]}
    answer = post(region, diagnostic_report(**named), region.reader())
    assert (answer.status_code, issue(answer)["severity"]) == (202, "warning")
    assert "stale" in issue(answer)["diagnostics"] or "nobody holds" in issue(answer)["diagnostics"]
    assert report(region)["disposition"] == "WAITING"


def test_a_live_token_does_not_carry_a_report_of_somebody_else(region: Region) -> None:
    token = region.claim(region.assign())
    named = {"identifier": [{"system": "urn:readacross:transaction-uid", "value": token}]}
    somebody = {"subject": {"identifier": {"system": NHS, "value": "9990000026"}}}
    answer = post(region, diagnostic_report(**named, **somebody), region.reader())
    assert (answer.status_code, "NHS number differs" in issue(answer)["diagnostics"]) == (202, True)


def test_a_report_that_matches_nothing_is_kept_and_the_sender_is_told_so(sqlite_region: Region) -> None:
    answer = post(sqlite_region, diagnostic_report("9.9.9"))
    assert (answer.status_code, issue(answer)["code"]) == (202, "incomplete")
    assert "waits for a person" in issue(answer)["diagnostics"]
    (item,) = sqlite_region.queue("report_unmatched")
    assert item["report_id"] == report(sqlite_region)["id"]


def test_an_author_who_is_not_entitled_any_more_signs_nothing(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    (credential,) = region.get("/readers/reader-1")["credentials"]
    region.client.delete(f"/readers/reader-1/credentials/{credential['id']}", headers=region.staff)
    answer = post(region, diagnostic_report())
    assert (answer.status_code, "not entitled to sign now" in issue(answer)["diagnostics"]) == (202, True)


def test_what_cannot_be_taken_is_refused_and_kept_once_for_a_person(sqlite_region: Region) -> None:
    body = json.dumps(diagnostic_report(presentedForm=None), ensure_ascii=False).encode()
    for _ in range(2):
        answer = post(sqlite_region, body)
        assert (answer.status_code, issue(answer)["severity"]) == (422, "error")
        assert issue(answer)["expression"] == ["DiagnosticReport.presentedForm"]
    (item,) = sqlite_region.queue("report_refused")
    assert "DiagnosticReport.presentedForm: no report text" in item["reason"]
    kept = item["reason"].rpartition("GET ")[2]
    assert sqlite_region.client.get(kept, headers=sqlite_region.staff).content == body
    assert sqlite_region.get("/reports") == []


def test_what_is_no_diagnostic_report_is_refused(sqlite_region: Region) -> None:
    for body, content_type, status in (
        (b"not json", "application/fhir+json", 400),
        (b"\xff\xfe", "application/fhir+json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"resourceType": "Observation"}', "application/fhir+json", 400),
        (b"<DiagnosticReport/>", "application/fhir+xml", 415),
    ):
        headers = {**sqlite_region.rxl.headers, "Content-Type": content_type}
        answer = sqlite_region.client.post("/fhir/DiagnosticReport", content=body, headers=headers)
        assert answer.status_code == status
        issue(answer)


def test_a_report_in_xml_is_kept_whole_for_a_person_and_its_sender_is_told_so(sqlite_region: Region) -> None:
    region, asked = sqlite_region, {"Content-Type": "application/fhir+xml"}
    body = '<DiagnosticReport xmlns="http://hl7.org/fhir"><conclusion value="Siân: bleed"/>'.encode()
    for _ in range(2):
        answer = region.client.post("/fhir/DiagnosticReport", content=body, headers=region.rxl.headers | asked)
        wrong, kept = answer.json()["issue"]
        assert (answer.status_code, wrong["severity"], wrong["code"]) == (415, "error", "not-supported")
        assert (kept["severity"], "person, who must act" in kept["diagnostics"]) == ("information", True)
    (item,) = region.queue("report_refused")
    path = item["reason"].rpartition("GET ")[2]
    assert (item["kind"], path.split("/")[2] in kept["diagnostics"]) == ("report_refused", True)
    original = region.client.get(path, headers=region.staff)
    assert (original.content, original.headers["content-type"]) == (body, "application/octet-stream")


@pytest.mark.parametrize(
    "body",
    [
        b"<DiagnosticReport><conclusionCode/></DiagnosticReport>",
        "<DiagnosticReport><conclusionCode/></DiagnosticReport>".encode("utf-16"),
        b'<!DOCTYPE a [<!ENTITY a "<conclusion&#67;ode/>">]><DiagnosticReport>&a;</DiagnosticReport>',
        b"\x1f\x8b compressed",
        b'<DiagnosticReport xmlns="http://hl7.org/fhir"><status value="final"/><concl',
        b'<ClinicalDocument xmlns="urn:hl7-org:v3"><value code="CRITICAL" codeSystem="99ALERT"/></ClinicalDocument>',
    ],
)
def test_of_a_report_in_another_form_that_may_name_an_alert_a_person_telephones(
    sqlite_region: Region, body: bytes
) -> None:
    headers = sqlite_region.rxl.headers | {"Content-Type": "application/fhir+xml"}
    assert sqlite_region.client.post("/fhir/DiagnosticReport", content=body, headers=headers).status_code == 415
    assert sorted(item["kind"] for item in sqlite_region.queue()) == ["phone_list", "report_refused"]


def test_a_readers_token_signs_for_nobody_else(sqlite_region: Region) -> None:
    sqlite_region.offer()
    answer = post(sqlite_region, diagnostic_report(registration="C1000002"), sqlite_region.reader(1))
    assert (answer.status_code, issue(answer)["expression"]) == (422, ["DiagnosticReport.resultsInterpreter"])


def test_several_interpreters_sign_nothing(sqlite_region: Region) -> None:
    sqlite_region.offer()
    two = [{"identifier": {"system": GMC, "value": number}} for number in ("1000001", "1000002")]
    answer = post(sqlite_region, diagnostic_report(resultsInterpreter=two))
    assert (answer.status_code, "not a known reader" in issue(answer)["diagnostics"]) == (202, True)


def test_staff_and_strangers_file_no_reports(sqlite_region: Region) -> None:
    assert post(sqlite_region, diagnostic_report(), sqlite_region.staff).status_code == 403
    assert post(sqlite_region, diagnostic_report(), {"Authorization": "Bearer nonsense"}).status_code == 401
