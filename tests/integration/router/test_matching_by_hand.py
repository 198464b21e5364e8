"""A held report beside its candidates, and a match against its identity, which needs two persons."""

from typing import Any

import pytest

from dicom_nodes.contract import PatientIdentity, ReportReceived, ReturnReport
from tests.integration.router.region import PATIENT, Region, received, settled

OTHER_NUMBER = PATIENT.model_copy(update={"nhs_number": "9990000026"})


def held(region: Region, **changes: Any) -> ReportReceived:
    report = received(**changes)
    region.rxl.say(report)
    assert [one["id"] for one in region.get("/reports", disposition="WAITING")] == [report.report_id]
    return report


def post(region: Region, report: ReportReceived, what: str, who: str, role: str = "coordinator", **body: Any) -> Any:
    path = f"/reports/{report.report_id}/{what}"
    return region.client.post(path, json={"reason": "looked at both", **body}, headers=region.token(role, who))


def test_both_sides_are_shown_with_every_identifier_and_what_contradicts(region: Region) -> None:
    read = region.assign()
    report = held(region, patient=OTHER_NUMBER, accession_number="A-1.2.3.4", accession_issuer=None)
    sides = region.get(f"/reports/{report.report_id}/sides")
    assert sides["reasons"] == ["the NHS number differs"]
    assert sides["text"] == report.text
    (side,) = sides["candidates"]
    assert (side["read_id"], side["origin"], side["holder"]) == (read["id"], "RXN", "reader-1")
    assert {one["what"]: (one["report"], one["read"], one["verdict"]) for one in side["compared"]} == {
        "Study Instance UID": ("1.2.3.4", "1.2.3.4", "same"),
        "accession number": ("A-1.2.3.4", "A-1.2.3.4", "same"),
        "accession issuer": (None, "RXN", "not said"),
        "patient id": ("H100200", "H100200", "same"),
        "patient id issuer": ("RXN", "RXN", "same"),
        "NHS number": ("9990000026", "9990000018", "differs"),
        "birth date": ("1950-02-03", "1950-02-03", "same"),
    }
    assert side["contradictions"] == ["the NHS number differs"]


def test_a_report_that_names_no_study_is_shown_beside_the_patients_studies(region: Region) -> None:
    region.assign()
    region.rxn.say(settled("1.2.3.5", patient=PatientIdentity(issuer="RXN", patient_id="OTHER")))
    report = held(region, uid=None)
    sides = region.get(f"/reports/{report.report_id}/sides")
    assert [side["study_instance_uid"] for side in sides["candidates"]] == ["1.2.3.4"]


def test_who_looked_at_both_sides_is_in_the_trail_of_every_study_that_was_shown(region: Region) -> None:
    region.offer()
    report = held(region, patient=PATIENT.model_copy(update={"nhs_number": "9990000026"}))
    for path in (f"/reports/{report.report_id}/sides", f"/reports/{report.report_id}"):
        jane = region.token("coordinator", "jane")
        assert region.client.get(path, headers=jane).status_code == 200
    entries = region.get("/ledger", study_instance_uid="1.2.3.4")[0]["entries"]
    shown = [
        (one["actor"], one["report_id"], one["detail"]["what"]) for one in entries if one["event"] == "access.shown"
    ]
    assert shown[0] == ("coordinator jane", report.report_id, "a held report beside its candidates")


def test_two_persons_let_a_report_go_on_against_its_identity(region: Region) -> None:
    read = region.assign()
    report = held(region, patient=OTHER_NUMBER)
    assert "of something else" in post(region, report, "accept", "jane", read_id=read["id"]).json()["message"]
    proposed = post(region, report, "match", "jane", read_id=read["id"])
    assert (proposed.status_code, proposed.json()["contradictions"]) == (202, ["the NHS number differs"])
    assert region.read()["state"] == "ASSIGNED"
    (item,) = region.queue("report_match_check")
    assert item["report_id"] == report.report_id
    assert region.get(f"/reports/{report.report_id}/sides")["proposed"]["proposed_by"] == "coordinator jane"
    for role, who in (("coordinator", "jane"), ("admin", "Jane")):
        assert post(region, report, "match/confirm", who, role).status_code == 403
    confirmed = post(region, report, "match/confirm", "omar")
    assert confirmed.status_code == 200, confirmed.text
    assert region.read()["state"] == "VERIFIED"
    (order,) = [order for order in region.rxn.new_orders() if isinstance(order.body, ReturnReport)]
    assert isinstance(order.body, ReturnReport)
    assert order.body.study.patient.nhs_number == "9990000018"
    assert [item for item in region.queue() if item["report_id"] == report.report_id] == []
    events = {one["event"]: one for one in region.get("/ledger", study_instance_uid="1.2.3.4")[0]["entries"]}
    assert events["report.match_proposed"]["actor"] == "coordinator jane"
    assert (events["read.verified"]["actor"], events["read.verified"]["detail"]["despite"]) == (
        "coordinator omar",
        ["the NHS number differs"],
    )
    assert "9990000026" not in str(events)


def test_a_wrong_study_uid_is_matched_and_what_the_report_said_is_kept(sqlite_region: Region) -> None:
    region = sqlite_region
    read = region.assign()
    report = held(region, uid="9.9.9")
    assert post(region, report, "match", "jane", read_id=read["id"]).status_code == 202
    assert post(region, report, "match/confirm", "omar").status_code == 200
    (entry,) = [
        one
        for one in region.get("/ledger", study_instance_uid="1.2.3.4")[0]["entries"]
        if one["event"] == "read.verified"
    ]
    assert entry["detail"]["said_study_instance_uid"] == "9.9.9"


def test_a_rejected_match_leaves_the_report_waiting(sqlite_region: Region) -> None:
    region = sqlite_region
    read = region.assign()
    report = held(region, patient=OTHER_NUMBER)
    post(region, report, "match", "jane", read_id=read["id"])
    assert post(region, report, "match/reject", "omar").status_code == 204
    assert region.queue("report_match_check") == []
    assert post(region, report, "match/confirm", "omar").status_code == 404
    assert [one["id"] for one in region.get("/reports", disposition="WAITING")] == [report.report_id]


def test_two_persons_do_not_overrule_that_the_author_is_not_entitled(sqlite_region: Region) -> None:
    region = sqlite_region
    read = region.assign()
    report = held(region, patient=OTHER_NUMBER)
    post(region, report, "match", "jane", read_id=read["id"])
    region.change_reader("reader-1", active=False)
    answer = post(region, report, "match/confirm", "omar")
    assert (answer.status_code, "not entitled" in answer.json()["message"]) == (409, True)


def test_what_contradicts_nothing_is_accepted_and_not_proposed(sqlite_region: Region) -> None:
    read = sqlite_region.assign()
    report = held(sqlite_region, patient=PatientIdentity(issuer=None, patient_id=None))
    answer = post(sqlite_region, report, "match", "jane", read_id=read["id"])
    assert (answer.status_code, "accept it" in answer.json()["message"]) == (409, True)


@pytest.mark.parametrize(("changes", "state"), [({"status": "C"}, "VERIFIED"), ({"addendum": True}, "VERIFIED")])
def test_changes_of_a_report_that_stands_are_accepted_by_hand(
    sqlite_region: Region, changes: dict[str, Any], state: str
) -> None:
    region = sqlite_region
    read = region.offer()
    region.rxl.say(received(text="first"))
    (order,) = [order for order in region.rxn.new_orders() if isinstance(order.body, ReturnReport)]
    region.rxn.return_report(order)
    assert region.read()["state"] == "CLOSED"
    no_proof = PatientIdentity(issuer=None, patient_id=None)
    report = held(region, patient=no_proof, text="second", **{"status": "F", **changes})
    assert post(region, report, "accept", "jane", read_id=read["id"]).status_code == 200
    assert region.read()["state"] == state
    (again,) = [order for order in region.rxn.new_orders() if isinstance(order.body, ReturnReport)]
    assert isinstance(again.body, ReturnReport)
    assert (again.body.version, again.body.status, again.body.text) == (2, "C", "second")


def test_sides_and_matches_are_for_staff(sqlite_region: Region) -> None:
    region = sqlite_region
    read = region.assign()
    report = held(region, patient=OTHER_NUMBER)
    for headers in (region.reader(), region.rxl.headers):
        assert region.client.get(f"/reports/{report.report_id}/sides", headers=headers).status_code == 403
        body = {"read_id": read["id"], "reason": "x"}
        assert region.client.post(f"/reports/{report.report_id}/match", json=body, headers=headers).status_code == 403
    assert region.client.get(f"/reports/{report.report_id}/original", headers=region.staff).status_code == 404


def test_a_report_by_the_api_is_kept_as_it_came_with_its_sections_and_may_be_added_to(region: Region) -> None:
    read = region.offer()
    token = region.claim(read)

    def file(**body: Any) -> Any:
        path = f"/reads/{read['id']}/report"
        return region.client.post(path, json={"transaction_uid": token, **body}, headers=region.reader())

    first = file(status="F", text="FINDINGS\nclear\nIMPRESSION: normal")
    assert first.status_code == 201, first.text
    assert [(one["title"], one["text"]) for one in first.json()["sections"]] == [
        ("FINDINGS", "clear"),
        ("IMPRESSION", "normal"),
    ]
    original = region.client.get(f"/reports/{first.json()['id']}/original", headers=region.staff)
    assert original.json()["text"] == "FINDINGS\nclear\nIMPRESSION: normal"
    added = file(
        status="F", text="And a nodule.", addendum=True, sections=[{"title": "Addendum", "text": "And a nodule."}]
    )
    assert added.status_code == 201, added.text
    returned = [order.body for order in region.rxn.new_orders() if isinstance(order.body, ReturnReport)]
    assert [(body.addendum, [one.title for one in body.sections]) for body in returned][:1] == [
        (False, ["FINDINGS", "IMPRESSION"])
    ]
    assert sorted((one["addendum"], one["version"]) for one in region.get("/reports")) == [(False, 1), (True, 2)]
