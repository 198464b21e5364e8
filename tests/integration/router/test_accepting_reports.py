"""A held report has a way on: a named person says which read it is of, and no contradiction is overruled."""

from typing import Any

import pytest

from dicom_nodes.contract import PatientIdentity, ReportReceived, ReturnReport
from tests.integration.router.region import Region, received, settled

NO_PROOF = PatientIdentity(issuer=None, patient_id=None)


def accept(region: Region, report: ReportReceived, read_id: str, headers: dict[str, str] | None = None) -> Any:
    body = {"read_id": read_id, "reason": "rang the reader"}
    path = f"/reports/{report.report_id}/accept"
    return region.client.post(path, json=body, headers=headers or region.token("coordinator", "jane"))


def held(region: Region, **changes: Any) -> ReportReceived:
    """A report without any proof of its patient, which waits for a person."""
    report = received(**{"patient": NO_PROOF, **changes})
    region.rxl.say(report)
    (waiting,) = region.get("/reports", disposition="WAITING")
    assert waiting["id"] == report.report_id
    return report


def test_a_held_report_goes_home_when_a_coordinator_accepts_it(region: Region) -> None:
    read = region.assign()
    report = held(region)
    answer = accept(region, report, read["id"])
    assert answer.status_code == 200, answer.text
    assert (answer.json()["disposition"], answer.json()["read_id"]) == ("ACCEPTED", read["id"])
    assert region.read()["state"] == "VERIFIED"
    (order,) = region.rxn.new_orders()
    assert isinstance(order.body, ReturnReport)
    assert (order.body.text, order.body.status) == (report.text, "F")
    assert region.queue("report_unmatched") == []
    assert region.get("/reports", disposition="WAITING") == []
    (entry,) = [
        e for e in region.get("/ledger", study_instance_uid="1.2.3.4")[0]["entries"] if e["event"] == "read.verified"
    ]
    assert (entry["actor"], entry["detail"]["reason"]) == ("coordinator jane", "rang the reader")
    assert "no patient identifier agrees" in entry["detail"]["held_because"][0]
    assert accept(region, report, read["id"]).status_code == 409


def test_whoever_holds_the_read_loses_it_to_the_accepted_report(region: Region) -> None:
    read = region.assign()
    token = region.claim(read)
    assert accept(region, held(region, author="C1000002"), read["id"]).status_code == 200
    beat = region.client.post(
        f"/reads/{read['id']}/heartbeat", json={"transaction_uid": token}, headers=region.reader()
    )
    assert beat.json()["error"] == "stale_lease"
    (given,) = region.get(f"/reads/{read['id']}/why")["assignments"]
    assert given["outcome"] == "accept"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"patient": PatientIdentity(issuer="RXN", patient_id="H9")}, "patient id or its issuer differs"),
        ({"patient": PatientIdentity(issuer=None, patient_id=None, nhs_number="9990000026")}, "NHS number differs"),
        ({"uid": "9.9.9"}, "Study Instance UID differs"),
        ({"status": "P"}, "only a final report"),
        ({"status": "C"}, "only a final report"),
        ({"author": "C7777777"}, "not a known reader"),
    ],
)
def test_what_contradicts_is_not_accepted_by_anybody(sqlite_region: Region, changes: dict[str, Any], why: str) -> None:
    read = sqlite_region.assign()
    answer = accept(sqlite_region, held(sqlite_region, **changes), read["id"])
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert why in answer.json()["message"]
    assert sqlite_region.read()["state"] == "ASSIGNED"
    assert sqlite_region.rxn.new_orders() == ()


def test_an_author_whose_credential_was_revoked_signs_nothing_by_hand_either(sqlite_region: Region) -> None:
    region = sqlite_region
    read = region.assign()
    report = held(region)
    (credential,) = region.get("/readers/reader-1")["credentials"]
    region.client.delete(f"/readers/reader-1/credentials/{credential['id']}", headers=region.staff)
    assert "not entitled" in accept(region, report, read["id"]).json()["message"]


def test_only_the_present_read_of_the_study_can_be_named(sqlite_region: Region) -> None:
    region = sqlite_region
    read = region.assign()
    report = held(region)
    region.claim(read)
    region.rxn.say(settled(revision=2, contents="abc"))
    assert "newer read" in accept(region, report, read["id"]).json()["message"]


def test_a_study_with_an_open_conflict_takes_no_report_by_hand(sqlite_region: Region) -> None:
    region = sqlite_region
    read = region.assign()
    report = held(region)
    region.rxn.say(settled(contents="ac"))
    answer = accept(region, report, read["id"])
    assert "conflict about this study" in answer.json()["message"]
    (item,) = region.queue("study_conflict")
    region.client.post(f"/human-queue/{item['id']}/resolve", json={"note": "checked"}, headers=region.staff)
    assert accept(region, report, read["id"]).status_code == 200


def test_accepting_is_for_staff(sqlite_region: Region) -> None:
    region = sqlite_region
    read = region.assign()
    report = held(region)
    for headers in (region.reader(), region.rxl.headers):
        assert accept(region, report, read["id"], headers).status_code == 403
        assert region.client.get("/reports", headers=headers).status_code == 403
    assert accept(region, received(), read["id"]).status_code == 404
    assert accept(region, report, "no-such-read").status_code == 404


def test_reports_are_listed_page_by_page(region: Region) -> None:
    region.assign()
    ids = []
    for _ in range(5):
        report = received(patient=NO_PROOF)
        region.rxl.say(report)
        ids.append(report.report_id)
    seen: list[str] = []
    while page := region.get("/reports", limit=2, **({"after": seen[-1]} if seen else {})):
        seen += [report["id"] for report in page]
    assert sorted(seen) == sorted(ids)
