"""A second read: a read of its own for somebody else, compared by the second reader, and settled by a person."""

from typing import Any

import pytest

from dicom_nodes.contract import OrderParked, PatientChanged, ReportAcknowledged, ReturnReport
from tests.integration.router.region import PATIENT, Region, received, settled
from tests.integration.router.rule_region import Administrators
from tests.integration.router.test_reports_stay_as_they_came import database_of, refused
from tests.integration.router.test_versions_of_a_report import want
from tests.unit.router.routing_rules.rule_texts import rule, text

TWICE = text(rule("true", "second_read = true", "two readers"))


def reads(region: Region) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """First reads, and second ones."""
    found = region.get("/reads")
    return [read for read in found if read["second_of"] is None], [r for r in found if r["second_of"] is not None]


def file(region: Region, read: dict[str, Any], token: str, number: int, **body: Any) -> Any:
    return region.client.post(
        f"/reads/{read['id']}/report",
        json={"transaction_uid": token, "status": "F", "text": "Normal.", **body},
        headers=region.reader(number),
    )


@pytest.fixture
def signed(sqlite_region: Region) -> Region:
    """The first read is signed by reader-1; its report is on the way home."""
    return sign_first(sqlite_region)


def sign_first(region: Region) -> Region:
    Administrators(region).active(TWICE)
    read = region.offer()
    token = region.claim(read)
    region.clock.pass_s(60)
    assert file(region, read, token, 1).status_code == 201
    return region


def second_claimed(region: Region) -> tuple[dict[str, Any], str]:
    region.plan()
    _, (second,) = reads(region)
    return second, region.claim(second, 2)


def settle(region: Region, read: dict[str, Any], decision: str) -> Any:
    body = {"decision": decision, "reason": "looked at both"}
    return region.client.post(f"/reads/{read['id']}/settle", json=body, headers=region.staff)


def returned(region: Region) -> list[tuple[int, str]]:
    return [(o.body.version, o.body.read_id) for o in region.rxn.orders(after=0).orders if o.body.kind == "return"]


def test_the_first_report_goes_home_at_once_and_the_second_read_goes_to_somebody_else(signed: Region) -> None:
    (first,), (second,) = reads(signed)
    assert (first["state"], second["state"], second["second_of"]) == ("VERIFIED", "READY", first["id"])
    assert returned(signed) == [(1, first["id"])]
    signed.plan()
    _, (second,) = reads(signed)
    assert (second["state"], second["lease"]["reader_id"]) == ("ASSIGNED", "reader-2")
    assert signed.queue() == []
    (trace,) = signed.get("/ledger", study_instance_uid="1.2.3.4")
    assert (trace["state"], trace["second_read"]) == ("VERIFIED", "ASSIGNED")
    assert signed.get(f"/reads/{second['id']}/why")["second_of"] == first["id"]


def test_the_author_cannot_have_the_second_read_either_by_id_or_as_another_reader_of_the_same_registration(
    signed: Region,
) -> None:
    signed.change_reader("reader-2", active=False)
    signed.plan()
    _, (second,) = reads(signed)
    why = signed.get(f"/reads/{second['id']}/why")["waiting"]["exclusions"]
    told = "has read this study already; the second reader must be somebody else"
    assert {one["reader_id"]: one["reasons"] for one in why}["reader-1"] == [told]
    claim = signed.client.post(f"/reads/{second['id']}/claim", headers=signed.reader(1))
    assert (claim.status_code, claim.json()["message"]) == (403, told)
    signed.change_reader("reader-1", registration="C9000001")
    signed.change_reader("reader-2", active=True, registration="C1000001")
    signed.plan()
    assert reads(signed)[1][0]["state"] == "READY"


def test_a_second_reader_who_agrees_ends_it_and_nothing_more_goes_home(signed: Region) -> None:
    second, token = second_claimed(signed)
    refused = file(signed, second, token, 2)
    assert (refused.status_code, "says concordant or discordant" in refused.json()["message"]) == (422, True)
    assert file(signed, second, token, 2, agreement="concordant").status_code == 201
    (first,), (second,) = reads(signed)
    assert (first["state"], second["state"]) == ("VERIFIED", "CLOSED")
    assert [version for version, _ in returned(signed)] == [1]
    assert signed.events().count("second_read.concordant") == 1
    assert signed.queue() == []
    assert signed.get("/trusts/RXL/aid-account")["balances"][0]["credit_reads"] == 2


def test_a_second_reader_who_disagrees_is_put_before_a_person_with_both_sides(signed: Region) -> None:
    second, token = second_claimed(signed)
    assert file(signed, second, token, 2, agreement="discordant", text="A mass.").status_code == 201
    (item,) = signed.queue("second_read_discordant")
    assert (item["read_id"], "C1000002) disagrees with the first (" in item["reason"]) == (second["id"], True)
    both = signed.get(f"/reads/{second['second_of']}/second-read")
    assert [side["reports"][0]["text"] for side in (both["first"], both["second"])] == ["Normal.", "A mass."]
    assert (both["agreement"], both["settled"]) == ("discordant", None)
    assert [version for version, _ in returned(signed)] == [1]


def test_the_first_report_stands_where_a_person_says_so(signed: Region) -> None:
    second, token = second_claimed(signed)
    file(signed, second, token, 2, agreement="discordant")
    assert settle(signed, second, "first_stands").json()["state"] == "CLOSED"
    assert signed.queue("second_read_discordant") == []
    assert [version for version, _ in returned(signed)] == [1]
    assert settle(signed, second, "return_second").status_code == 409


def test_the_second_report_goes_home_as_the_next_version_where_a_person_says_so(region: Region) -> None:
    signed = sign_first(region)
    second, token = second_claimed(signed)
    file(signed, second, token, 2, agreement="discordant", text="A mass.")
    assert settle(signed, second, "return_second").status_code == 200
    assert [version for version, _ in returned(signed)] == [1, 2]
    sent = [o.body for o in signed.rxn.orders(after=0).orders if isinstance(o.body, ReturnReport)]
    both = ["archive", "ris"]  # every order says by which channels
    assert [(body.status, sorted(body.channels)) for body in sent] == [("F", both), ("C", both)]
    for change in ("version = 3", "version = NULL", "reasons = '[]'", "read_id = NULL"):
        statement = f"UPDATE report SET {change} WHERE read_id = '{second['id']}'"
        assert "an accepted report never changes" in refused(database_of(signed), statement), change
    for order in signed.rxn.orders(after=0).orders:
        if order.body.kind == "return":
            signed.rxn.return_report(order)
    (first,), (second,) = reads(signed)
    assert (first["state"], second["state"]) == ("CLOSED", "CLOSED")
    assert signed.get(f"/reads/{second['id']}/second-read")["settled"] == "return_second"
    assert settle(signed, second, "first_stands").status_code == 409


def test_a_first_report_that_the_second_overtook_is_closed_with_the_reason(signed: Region) -> None:
    second, token = second_claimed(signed)
    file(signed, second, token, 2, agreement="discordant", text="A mass.")
    assert settle(signed, second, "return_second").status_code == 200
    first_home, second_home = (o for o in signed.rxn.orders(after=0).orders if o.body.kind == "return")
    signed.rxn.return_report(second_home)
    (first,), (second,) = reads(signed)
    assert (first["state"], second["state"]) == ("VERIFIED", "CLOSED")
    for channel in ("ris", "archive"):
        assert reads(signed)[0][0]["state"] == "VERIFIED"
        signed.rxn.say(OrderParked(order_id=first_home.order_id, reason="version 2", attempts=1, channel=channel))
    (trace,) = signed.get("/ledger", study_instance_uid="1.2.3.4")
    closed = [entry["detail"] for entry in trace["entries"] if entry["event"] == "read.closed"]
    assert closed[-1]["reason"] == "version 2 of another read reached the origin in place of version 1"
    assert (reads(signed)[0][0]["state"], signed.queue("order_parked")) == ("CLOSED", [])


@pytest.mark.parametrize(
    ("closed_by", "archive", "state"),
    [
        (["ris", "archive"], "answers", "CLOSED"),
        (["ris"], "is called off", "CLOSED"),
        (["ris", "archive"], "is called off", "VERIFIED"),
    ],
)
def test_an_overtaken_read_is_closed_when_its_last_channel_ends(
    signed: Region, closed_by: list[str], archive: str, state: str
) -> None:
    """Its delivery to the RIS is dropped while the archive's is under way. Calling a closing one off closes none."""
    want(signed, channels=["ris", "archive"], closed_by=closed_by)
    second, token = second_claimed(signed)
    file(signed, second, token, 2, agreement="discordant", text="A mass.")
    (first_home,) = (o for o in signed.rxn.orders(after=0).orders if o.body.kind == "return")
    said = {"order_id": first_home.order_id, "reference": "1"}
    signed.rxn.say(ReportAcknowledged(channel="ris", code="AE", **said))  # type: ignore[arg-type]
    assert settle(signed, second, "return_second").status_code == 200
    *_, second_home = (o for o in signed.rxn.orders(after=0).orders if o.body.kind == "return")
    signed.rxn.return_report(second_home)
    assert reads(signed)[0][0]["state"] == "VERIFIED"
    if archive == "answers":
        signed.rxn.say(ReportAcknowledged(channel="archive", code="0000", **said))  # type: ignore[arg-type]
    else:
        path = f"/reports/{first_home.body.report_id}/deliveries/archive/cancel"
        assert signed.client.post(path, json={"reason": "no"}, headers=signed.staff).status_code == 200
    assert reads(signed)[0][0]["state"] == state


def test_a_returned_second_report_is_not_changed_by_the_first_author_unasked(signed: Region) -> None:
    second, second_token = second_claimed(signed)
    file(signed, second, second_token, 2, agreement="discordant", text="A mass.")
    assert settle(signed, second, "return_second").status_code == 200
    signed.clock.pass_s(60)
    for changes in ({"status": "C"}, {"addendum": True}):
        signed.rxl.say(received(text="See also the left kidney.", **{"status": "F", **changes}))
        signed.clock.pass_s(60)
    assert [version for version, _ in returned(signed)] == [1, 2]
    items = signed.queue("report_not_accepted")
    assert ["second reader's report stands" in item["reason"] for item in items] == [True, True]


def test_no_second_report_goes_home_while_it_is_doubted_whose_study_it_is(signed: Region) -> None:
    second, token = second_claimed(signed)
    file(signed, second, token, 2, agreement="discordant", text="A mass.")
    prior = PATIENT.model_copy(update={"nhs_number": None, "birth_date": None})
    present = prior.model_copy(update={"patient_id": "H7", "nhs_number": "9990000026"})
    signed.rxn.say(PatientChanged(present=present, prior=prior, reference="m1"))
    (conflict,) = signed.get("/patient-conflicts")
    answer = settle(signed, second, "return_second")
    assert (answer.status_code, "conflict" in answer.json()["message"]) == (409, True)
    assert returned(signed) == []  # the first is held as well
    rejected = {"reason": "the ADT was wrong"}
    path = f"/patient-conflicts/{conflict['id']}/reject"
    assert signed.client.post(path, json=rejected, headers=signed.staff).status_code == 200
    assert settle(signed, second, "return_second").status_code == 200
    assert [version for version, _ in returned(signed)] == [2]


def test_a_second_report_does_not_replace_the_report_of_later_images(signed: Region) -> None:
    second, token = second_claimed(signed)
    file(signed, second, token, 2, agreement="discordant", text="A mass.")
    signed.rxn.say(settled(revision=2, contents="abc"))
    answer = settle(signed, second, "return_second")
    assert (answer.status_code, "newer read" in answer.json()["message"]) == (409, True)
    assert settle(signed, second, "first_stands").status_code == 200


def test_a_second_report_by_hl7_cannot_say_and_is_put_before_a_person(signed: Region) -> None:
    signed.plan()
    for order in signed.rxn.new_orders():
        if order.body.kind == "deliver":
            signed.rxn.complete(order)
    _, (second,) = reads(signed)
    signed.claim(second, 2)
    signed.clock.pass_s(60)
    signed.rxn.say(received(author="C1000002", text="No change."))
    (item,) = signed.queue("second_read_unstated")
    assert (item["read_id"], "does not say whether it agrees" in item["reason"]) == (second["id"], True)
    assert (reads(signed)[1][0]["state"], [version for version, _ in returned(signed)]) == ("VERIFIED", [1])


@pytest.mark.parametrize("agreement", ["concordant", "discordant"])
def test_a_preliminary_report_that_a_second_reader_repeats_is_dropped_but_no_repeated_final_one(
    signed: Region, agreement: str
) -> None:
    second, token = second_claimed(signed)
    first = file(signed, second, token, 2, status="P", text="A mass.").json()
    signed.clock.pass_s(60)
    again = file(signed, second, token, 2, status="P", text="A mass.")
    assert (again.status_code, again.json()["disposition"], signed.queue()) == (201, "DROPPED", [])
    assert again.json()["reasons"] == [f"it says word for word what report {first['id']} says"]
    assert file(signed, second, token, 2, text="A mass.", agreement="discordant").status_code == 201
    assert file(signed, second, token, 2, text="A mass.", agreement=agreement).status_code == 409


def test_accepting_a_second_report_by_hand_leaves_open_whether_it_agrees(signed: Region) -> None:
    second, _ = second_claimed(signed)
    report = received(author="C1000002", text="A mass.")
    signed.rxn.say(report)
    assert signed.queue("report_not_accepted")
    body = {"read_id": second["id"], "reason": "rang the reader"}
    answer = signed.client.post(f"/reports/{report.report_id}/accept", json=body, headers=signed.staff)
    assert (answer.status_code, [i["kind"] for i in signed.queue()]) == (200, ["second_read_unstated"])


def test_who_turns_out_to_have_read_it_before_cannot_sign_the_second_read(signed: Region) -> None:
    second, token = second_claimed(signed)
    signed.change_reader("reader-1", registration="C9000001")
    signed.change_reader("reader-2", registration="C1000001")
    answer = file(signed, second, token, 2, agreement="concordant")
    assert (answer.status_code, "the second reader must be somebody else" in answer.json()["message"]) == (409, True)


def test_a_report_of_the_first_author_is_never_taken_for_the_second_read(signed: Region) -> None:
    second, _ = second_claimed(signed)
    signed.rxl.say(received(author="C1000001"))
    (item,) = signed.queue("report_not_accepted")
    assert "a final report already stands" in item["reason"]
    accept = {"read_id": second["id"], "reason": "it is the second"}
    path = f"/reports/{item['report_id']}/accept"
    answer = signed.client.post(path, json=accept, headers=signed.staff)
    assert (answer.status_code, "somebody else" in answer.json()["message"]) == (409, True)


def test_new_images_make_a_fresh_first_read_and_end_the_second_one(signed: Region) -> None:
    second_claimed(signed)
    signed.rxn.say(settled(revision=2, contents="abc"))
    firsts, seconds = reads(signed)
    assert [read["state"] for read in firsts] == ["VERIFIED", "READY"]
    assert [read["state"] for read in seconds] == ["SUPERSEDED"]


def test_a_lease_of_a_second_read_that_is_lost_goes_to_nobody_who_read_the_first(signed: Region) -> None:
    second_claimed(signed)
    signed.clock.pass_s(121)
    signed.plan()
    _, (second,) = reads(signed)
    assert (second["state"], second["lease"]["reader_id"]) == ("ASSIGNED", "reader-2")
