"""A merge that contradicts, and an unlinking, wait for two persons who see both sides; then held reports go out."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dicom_nodes.contract import PatientChanged, PatientIdentity, RecallReport, ReturnReport, TellRis
from readacross.cli import command_line
from tests.integration.router.alert_region import CRITICAL, running_alert_region
from tests.integration.router.region import PATIENT, Region, issue, received, settled
from tests.integration.router.test_why import over_http

OTHER = PATIENT.model_copy(update={"patient_id": "H7", "nhs_number": "9990000026"})
SURVIVING = PATIENT.model_copy(update={"patient_id": "H900900"})
UNLINK = PatientChanged(present=SURVIVING, prior=PATIENT, reference="A37-1", unlinked=True)


def settle(region: Region, how: str, person: str, conflict_id: str) -> Any:
    path = f"/patient-conflicts/{conflict_id}/{how}"
    headers = region.token("coordinator", person)
    return region.client.post(path, json={"reason": "rang medical records"}, headers=headers)


def returns(region: Region) -> list[ReturnReport]:
    return [order.body for order in region.rxn.new_orders() if isinstance(order.body, ReturnReport)]


def test_two_persons_carry_out_a_merge_that_contradicts(region: Region, tmp_path: Path) -> None:
    region.offer()
    region.rxl.say(received())
    assert len(returns(region)) == 1
    region.rxn.say(PatientChanged(present=OTHER, prior=PATIENT, reference="A40-1"))
    (item,), (conflict,) = region.queue("study_conflict"), region.get("/patient-conflicts")
    assert conflict["id"] in item["reason"]
    (tmp_path / "token").write_text(issue(region.client, "admin", "looks"))
    with over_http(region) as url:
        asked = ["patients", "list", "--router", url, "--token-file", str(tmp_path / "token")]
        shown = CliRunner().invoke(command_line(["patients", "held"]), asked, env={"COLUMNS": "200"}).output
    for words in ("merged at RXN", "H100200", "H7", "9990000018", "9990000026", "ended number"):
        assert words in shown
    assert settle(region, "confirm", "jane", conflict["id"]).status_code == 409
    assert settle(region, "propose", "jane", conflict["id"]).json()["proposed_by"] == "coordinator jane"
    assert settle(region, "confirm", "jane", conflict["id"]).status_code == 403
    assert returns(region) == []
    assert settle(region, "confirm", "omar", conflict["id"]).json()["decided"] == "applied"
    (again,) = returns(region)
    assert again.present_patient == OTHER
    assert region.queue("study_conflict") == region.get("/patient-conflicts") == []
    assert settle(region, "reject", "omar", conflict["id"]).status_code == 409
    assert "access.shown" in region.events()


def test_a_rejected_merge_changes_nothing_nor_studies_to_come(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    region.rxn.say(PatientChanged(present=OTHER, prior=PATIENT, reference="A40-1"))
    (conflict,) = region.get("/patient-conflicts")
    assert settle(region, "reject", "jane", conflict["id"]).json()["decided"] == "rejected"
    assert region.queue("study_conflict") == []
    region.rxl.say(received())
    region.rxn.say(settled("1.9"))
    assert [order.present_patient for order in returns(region)] == [None]
    database = region.client.app.state.services.store.database  # type: ignore[attr-defined]
    with database.read() as connection:
        known = "SELECT count(*) FROM study WHERE present_patient_id IS NOT NULL"
        assert connection.exec_driver_sql(known).scalar_one() == 0


def test_an_unlinking_holds_what_a_merge_joined_until_two_persons_have_looked(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    region.rxn.say(PatientChanged(present=SURVIVING, prior=PATIENT, reference="A40-1"))
    region.rxl.say(received())
    assert [order.present_patient for order in returns(region)] == [SURVIVING]
    region.rxn.say(UNLINK, UNLINK)
    (conflict,) = region.get("/patient-conflicts")
    assert (conflict["study_patient"]["patient_id"], conflict["prior"]["patient_id"]) == ("H900900", "H100200")
    assert {one["state"] for one in region.get("/deliveries", trust="RXN")} == {"HELD"}
    assert settle(region, "propose", "jane", conflict["id"]).status_code == 200
    assert settle(region, "confirm", "omar", conflict["id"]).json()["decided"] == "applied"
    assert [order.present_patient for order in returns(region)] == [None]


def test_a_merge_calls_nothing_off_but_sends_it_again(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    region.rxl.say(received())
    assert [order.present_patient for order in returns(region)] == [None]
    region.rxn.say(PatientChanged(present=SURVIVING, prior=PATIENT, reference="A40-1"))
    recalls, again = [], []
    for order in region.rxn.new_orders():
        if isinstance(order.body, RecallReport):
            recalls.append(order.body.called_off)
        elif isinstance(order.body, ReturnReport):
            again.append(order.body.present_patient)
    assert (recalls, again) == ([False], [SURVIVING])


def test_an_unlinking_of_what_was_never_joined_here_asks_nobody(sqlite_region: Region) -> None:
    sqlite_region.rxn.say(settled(), UNLINK)
    assert sqlite_region.queue() == sqlite_region.get("/patient-conflicts") == []


def known_numbers(region: Region, which: str = "patient_id") -> dict[str, str]:
    """By study, the number that its patient has now."""
    database = region.client.app.state.services.store.database  # type: ignore[attr-defined]
    with database.read() as connection:
        known = f"SELECT study_instance_uid, COALESCE(present_{which}, {which}) FROM study"
        return {row[0]: row[1] for row in connection.exec_driver_sql(known)}


@pytest.mark.parametrize("decision", ["reject", "confirm"])
def test_a_study_that_comes_while_a_merge_is_doubted_does_not_follow_it(sqlite_region: Region, decision: str) -> None:
    region = sqlite_region
    region.rxn.say(settled("1.8", modalities=("US",), exam_code=None))  # which nobody is given
    region.rxn.say(PatientChanged(present=OTHER, prior=PATIENT, reference="A40-1"), settled("1.9"))
    region.plan()
    region.bring_images()
    region.rxl.say(received("1.9"))
    assert [order.present_patient for order in returns(region)] == [None]
    (conflict,) = region.get("/patient-conflicts")
    if decision == "reject":
        assert settle(region, "reject", "jane", conflict["id"]).status_code == 200
        assert known_numbers(region) == {"1.8": "H100200", "1.9": "H100200"}
        assert region.get("/patient-conflicts") == []
        return
    settle(region, "propose", "jane", conflict["id"])
    assert settle(region, "confirm", "omar", conflict["id"]).status_code == 200
    assert known_numbers(region) == {"1.8": "H7", "1.9": "H100200"}
    (late,) = region.get("/patient-conflicts")
    assert (late["study_instance_uid"], late["how"]) == ("1.9", "merged")
    region.rxn.say(settled("1.10"), settled("1.11", patient=PATIENT.model_copy(update={"nhs_number": None})))
    assert known_numbers(region)["1.10"] == "H100200"
    assert len(region.get("/patient-conflicts")) == 2


def test_what_has_followed_a_merge_that_is_rejected_is_put_before_two_persons(sqlite_region: Region) -> None:
    region = sqlite_region
    bare = PATIENT.model_copy(update={"nhs_number": None})
    region.rxn.say(settled("1.8"), settled("1.9", patient=bare))
    region.rxn.say(PatientChanged(present=OTHER, prior=PATIENT, reference="A40-1"))
    assert known_numbers(region) == {"1.8": "H100200", "1.9": "H7"}
    (conflict,) = region.get("/patient-conflicts")
    settle(region, "reject", "jane", conflict["id"])
    (followed,) = region.get("/patient-conflicts")
    assert (followed["study_instance_uid"], followed["how"]) == ("1.9", "unlinked")
    assert len(region.queue("study_conflict")) == 1


def test_one_person_cannot_wave_a_doubted_patient_through(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    region.rxn.say(PatientChanged(present=SURVIVING, prior=PATIENT, reference="A40-1"))
    region.rxl.say(received())
    returns(region)
    region.rxn.say(UNLINK)
    (item,), (conflict,) = region.queue("study_conflict"), region.get("/patient-conflicts")
    refused = region.client.post(f"/human-queue/{item['id']}/resolve", json={"note": "fine"}, headers=region.staff)
    assert (refused.status_code, conflict["id"] in refused.text) == (409, True)
    assert region.queue("study_conflict") == [item]


def test_nothing_goes_home_while_two_persons_have_not_decided_though_the_item_is_closed(sqlite_region: Region) -> None:
    """An item could be closed by one person before."""
    region = sqlite_region
    region.offer()
    final = received()
    region.rxl.say(final)
    returns(region)
    region.rxn.say(PatientChanged(present=OTHER, prior=PATIENT, reference="A40-1"))
    database = region.client.app.state.services.store.database  # type: ignore[attr-defined]
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE human_queue SET resolved_at = opened_at WHERE kind = 'study_conflict'")
    path = f"/reports/{final.report_id}/deliveries/ris/resend"
    assert region.client.post(path, json={"reason": "go"}, headers=region.staff).status_code == 409
    region.clock.pass_s(60)
    region.rxl.say(received(status="C", text="The left side"))
    assert "nobody has settled that yet" in region.queue("report_not_accepted")[0]["reason"]
    assert returns(region) == []


def test_the_ris_is_told_of_an_alert_as_the_images_say_while_the_patient_is_doubted(tmp_path: Path) -> None:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/r.sqlite", ris=True) as region:
        region.claim(region.offer())
        region.rxn.say(PatientChanged(present=SURVIVING, prior=PATIENT, reference="A40-1"), UNLINK)
        body = {"read_id": region.read()["id"], "code": CRITICAL.model_dump()}
        assert region.client.post("/alerts", json=body, headers=region.reader()).is_success
        region.work()
        (told,) = [one.body for one in region.rxn.orders(after=0).orders if isinstance(one.body, TellRis)]
        assert (told.study.patient, told.present_patient) == (PATIENT, None)
        (conflict,) = region.get("/patient-conflicts")
        assert settle(region, "reject", "jane", conflict["id"]).is_success
        (told,) = [one.body for one in region.rxn.orders(after=0).orders if isinstance(one.body, TellRis)]
        assert told.present_patient == SURVIVING


LAST = PATIENT.model_copy(update={"patient_id": "H900901"})
CHAIN = (
    PatientChanged(present=SURVIVING, prior=PATIENT, reference="A40-1"),
    PatientChanged(present=LAST, prior=SURVIVING, reference="A40-2"),
)


@pytest.mark.parametrize(
    ("one", "other", "settled_as"), [(LAST, SURVIVING, SURVIVING), (SURVIVING, PATIENT, None)], ids=["last", "first"]
)
def test_an_unlinking_within_a_chain_of_merges_holds_the_study_for_two_persons(
    sqlite_region: Region, one: PatientIdentity, other: PatientIdentity, settled_as: PatientIdentity | None
) -> None:
    region = sqlite_region
    region.offer()
    region.rxn.say(*CHAIN)
    region.rxl.say(received())
    assert [order.present_patient for order in returns(region)] == [LAST]
    region.rxn.say(PatientChanged(present=one, prior=other, reference="A37-1", unlinked=True))
    assert region.queue("patient_unlinked") == []
    (conflict,) = region.get("/patient-conflicts")
    assert {one["state"] for one in region.get("/deliveries", trust="RXN")} == {"HELD"}
    settle(region, "propose", "jane", conflict["id"])
    assert settle(region, "confirm", "omar", conflict["id"]).json()["decided"] == "applied"
    assert [order.present_patient for order in returns(region)] == [settled_as]


def test_an_unlinking_leaves_alone_a_study_that_came_to_its_number_another_way(sqlite_region: Region) -> None:
    region = sqlite_region
    region.rxn.say(settled("1.8"), settled("1.9", patient=SURVIVING))
    region.rxn.say(*(PatientChanged(present=LAST, prior=ended, reference="A40") for ended in (PATIENT, SURVIVING)))
    region.rxn.say(PatientChanged(present=LAST, prior=SURVIVING, reference="A37-1", unlinked=True))
    (conflict,) = region.get("/patient-conflicts")
    assert conflict["study_instance_uid"] == "1.9"


def test_a_study_that_comes_after_a_merge_takes_no_mixed_identity_but_two_persons_judge(region: Region) -> None:
    """Its images' NHS number is not the surviving patient's: neither number goes out with the other."""
    region.rxn.say(PatientChanged(present=OTHER, prior=PATIENT, reference="A40-1"))
    assert region.queue() == []
    region.offer()
    (item,), (conflict,) = region.queue("study_conflict"), region.get("/patient-conflicts")
    assert "NHS number of the surviving record differ" in item["reason"]
    assert known_numbers(region) == {"1.2.3.4": "H100200"}
    region.rxl.say(received())
    (held,) = region.queue("report_not_accepted")
    assert returns(region) == []
    settle(region, "propose", "jane", conflict["id"])
    assert settle(region, "confirm", "omar", conflict["id"]).json()["decided"] == "applied"
    body = {"read_id": region.read()["id"], "reason": "the patient is settled"}
    assert region.client.post(f"/reports/{held['report_id']}/accept", json=body, headers=region.staff).is_success
    assert [order.present_patient for order in returns(region)] == [OTHER]


def test_a_study_that_comes_after_a_merge_is_known_by_all_that_it_says_of_the_survivor(sqlite_region: Region) -> None:
    region = sqlite_region
    bare = PATIENT.model_copy(update={"nhs_number": None, "birth_date": None})
    silent = SURVIVING.model_copy(update={"nhs_number": None})
    region.rxn.say(PatientChanged(present=OTHER, prior=PATIENT, reference="A40-1"))
    region.rxn.say(PatientChanged(present=silent, prior=OTHER, reference="A40-2"))
    region.offer(patient=bare)
    region.rxl.say(received(patient=bare))
    assert [order.present_patient for order in returns(region)] == [
        OTHER.model_copy(update={"patient_id": "H900900", "birth_date": silent.birth_date})
    ]


@pytest.mark.parametrize("decision", ["confirm", "reject"])
def test_a_revision_that_is_first_to_say_another_nhs_number_is_put_before_two_persons(
    sqlite_region: Region, decision: str
) -> None:
    region = sqlite_region
    bare = PATIENT.model_copy(update={"nhs_number": None})
    region.rxn.say(PatientChanged(present=OTHER, prior=PATIENT, reference="A40-1"), settled(patient=bare))
    region.plan()
    region.bring_images()
    assert known_numbers(region) == {"1.2.3.4": "H7"}
    region.rxn.say(settled(revision=2, contents="abc"), settled(revision=2, contents="abc"))
    region.plan()
    region.bring_images()
    (conflict,) = region.get("/patient-conflicts")
    assert (conflict["study_patient"]["nhs_number"], conflict["present"]["nhs_number"]) == ("9990000018", "9990000026")
    final = received()
    region.rxl.say(final)
    assert (returns(region), known_numbers(region)) == ([], {"1.2.3.4": "H100200"})
    settle(region, "propose", "jane", conflict["id"])
    assert settle(region, decision, "omar", conflict["id"]).is_success
    body = {"read_id": region.read()["id"], "reason": "the patient is settled"}
    accepted = region.client.post(f"/reports/{final.report_id}/accept", json=body, headers=region.staff)
    assert accepted.is_success
    told = [(order.study.patient, order.present_patient) for order in returns(region)]
    assert told == [(PATIENT, OTHER if decision == "confirm" else None)]
    region.rxn.say(settled(revision=3, contents="abcd"))
    assert region.get("/patient-conflicts") == []


def test_a_revision_that_denies_an_updated_nhs_number_is_put_before_two_persons(sqlite_region: Region) -> None:
    region = sqlite_region
    bare, other = (PATIENT.model_copy(update={"nhs_number": number}) for number in (None, OTHER.nhs_number))
    region.offer(patient=bare)
    region.rxn.say(PatientChanged(present=other, reference="A31-1"), settled(revision=2, contents="abc"))
    (conflict,) = region.get("/patient-conflicts")
    assert (conflict["how"], conflict["present"]["nhs_number"]) == ("updated", "9990000026")
    region.rxl.say(received())
    assert returns(region) == []


def test_what_a_merge_said_is_not_said_of_the_number_that_a_router_of_before_puts_in_its_place(region: Region) -> None:
    region.rxn.say(PatientChanged(present=OTHER, prior=PATIENT, reference="A40-1"))
    database = region.client.app.state.services.store.database  # type: ignore[attr-defined]
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE patient_merge SET present_id = 'H5'")
    bare = PATIENT.model_copy(update={"nhs_number": None})
    region.offer(patient=bare)
    region.rxl.say(received(patient=bare))
    assert [order.present_patient for order in returns(region)] == [bare.model_copy(update={"patient_id": "H5"})]


MERGED = PatientChanged(present=OTHER, prior=PATIENT, reference="A40-1")
CORRECTED = OTHER.model_copy(update={"nhs_number": "9990000034"})
UPDATED = PatientChanged(present=CORRECTED, reference="A31-1")


def test_a_study_that_comes_after_a_merge_is_known_by_what_was_corrected_of_the_survivor(region: Region) -> None:
    region.rxn.say(MERGED, UPDATED)
    bare, right = (PATIENT.model_copy(update={"nhs_number": number}) for number in (None, CORRECTED.nhs_number))
    region.offer(patient=bare)
    region.rxl.say(received(patient=bare))
    assert [order.present_patient for order in returns(region)] == [CORRECTED]
    region.rxn.say(settled("1.9", patient=right))
    assert (region.get("/patient-conflicts"), known_numbers(region)["1.9"]) == ([], "H7")
    region.rxn.say(settled("1.10", patient=PATIENT.model_copy(update={"nhs_number": OTHER.nhs_number})))
    (conflict,) = region.get("/patient-conflicts")
    assert (conflict["study_instance_uid"], conflict["present"]["nhs_number"]) == ("1.10", "9990000034")


@pytest.mark.parametrize("decision", ["confirm", "reject"])
def test_no_study_follows_a_merge_unasked_while_the_survivor_is_doubted(sqlite_region: Region, decision: str) -> None:
    region = sqlite_region
    another = CORRECTED.model_copy(update={"birth_date": date(1961, 2, 3)})
    region.rxn.say(settled("1.8", patient=OTHER), MERGED, PatientChanged(present=another, reference="A31-1"))
    bare = PATIENT.model_copy(update={"nhs_number": None, "birth_date": None})
    region.rxn.say(settled("1.9", patient=bare))
    merged, updated = sorted(region.get("/patient-conflicts"), key=lambda one: str(one["how"]))
    assert (updated["how"], merged["how"], known_numbers(region)["1.9"]) == ("updated", "merged", "H100200")
    settle(region, "propose", "jane", merged["id"])
    settle(region, "propose", "jane", updated["id"])
    assert settle(region, decision, "omar", updated["id"]).is_success
    (merged,) = region.get("/patient-conflicts")
    if decision == "confirm":  # what was proposed spoke of the survivor of before
        assert (merged["proposed_by"], merged["present"]["nhs_number"]) == (None, "9990000034")
        assert "patient.change_corrected" in region.events("1.9")
        settle(region, "propose", "jane", merged["id"])
    assert settle(region, "confirm", "omar", merged["id"]).is_success
    region.rxn.say(settled("1.10", patient=bare))
    assert known_numbers(region, "nhs_number")["1.10"] == (another if decision == "confirm" else OTHER).nhs_number


def test_no_study_follows_a_merge_into_a_number_that_may_be_another_person_now(sqlite_region: Region) -> None:
    region = sqlite_region
    another = CORRECTED.model_copy(update={"birth_date": date(1961, 2, 3)})
    bare = PATIENT.model_copy(update={"nhs_number": None, "birth_date": None})
    region.rxn.say(MERGED, PatientChanged(present=another, reference="A31-1"), settled("1.9", patient=bare))
    (item,) = region.queue("patient_change_refused")
    assert "both another NHS number and another birth date" in item["reason"]
    assert known_numbers(region) == {"1.9": "H100200"}


@pytest.mark.parametrize("decision", ["confirm", "reject"])
def test_of_a_chain_of_merges_only_that_is_doubted_which_says_another_patient(
    sqlite_region: Region, decision: str
) -> None:
    region = sqlite_region
    silent = SURVIVING.model_copy(update={"nhs_number": None})
    bare = PATIENT.model_copy(update={"nhs_number": None})
    into_other = PatientChanged(present=OTHER, prior=silent, reference="A40-2")
    region.rxn.say(PatientChanged(present=silent, prior=PATIENT, reference="A40-1"), into_other, settled("1.9"))
    (conflict,) = region.get("/patient-conflicts")
    assert (conflict["prior"]["patient_id"], conflict["present"]["patient_id"]) == ("H900900", "H7")
    region.rxn.say(settled("1.10", patient=silent), settled("1.11", patient=bare))
    assert known_numbers(region) == {"1.9": "H100200", "1.10": "H900900", "1.11": "H900900"}
    settle(region, "propose", "jane", conflict["id"])
    assert settle(region, decision, "omar", conflict["id"]).is_success
    region.rxn.say(settled("1.12", patient=silent), settled("1.13", patient=bare))
    number = "H7" if decision == "confirm" else "H900900"
    assert known_numbers(region) == dict.fromkeys(("1.9", "1.10", "1.11", "1.12", "1.13"), number)
    assert region.get("/patient-conflicts") == region.queue("study_conflict") == []


def test_a_confirmed_merge_is_followed_to_the_number_that_stands(sqlite_region: Region) -> None:
    region = sqlite_region
    silent = LAST.model_copy(update={"nhs_number": None})
    region.rxn.say(MERGED, PatientChanged(present=silent, prior=OTHER, reference="A40-2"), settled())
    (conflict,) = region.get("/patient-conflicts")
    assert (conflict["prior"]["patient_id"], conflict["present"]["patient_id"]) == ("H100200", "H7")
    region.rxn.say(settled("1.9", patient=OTHER))
    settle(region, "propose", "jane", conflict["id"])
    assert settle(region, "confirm", "omar", conflict["id"]).is_success
    assert set(known_numbers(region).values()) == {"H900901"}
    assert set(known_numbers(region, "nhs_number").values()) == {OTHER.nhs_number}


def test_a_rejected_merge_leaves_a_study_that_came_after_it_as_its_images_say(sqlite_region: Region) -> None:
    region = sqlite_region
    region.rxn.say(PatientChanged(present=OTHER, prior=PATIENT, reference="A40-1"), settled())
    (conflict,) = region.get("/patient-conflicts")
    assert settle(region, "reject", "jane", conflict["id"]).json()["decided"] == "rejected"
    region.rxn.say(settled("1.9"))
    assert set(known_numbers(region).values()) == {"H100200"}
    assert region.get("/patient-conflicts") == region.queue("study_conflict") == []


@pytest.mark.parametrize("into", [SURVIVING, OTHER], ids=["by the merge", "by two persons"])
def test_an_alert_that_lies_at_its_node_is_sent_anew_under_the_present_number(
    tmp_path: Path, into: PatientIdentity
) -> None:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/r.sqlite", ris=True) as region:
        region.claim(region.offer())
        body = {"read_id": region.read()["id"], "code": CRITICAL.model_dump()}
        assert region.client.post("/alerts", json=body, headers=region.reader()).is_success
        region.work()
        (first,) = told_to_ris(region)
        region.rxn.say(PatientChanged(present=into, prior=PATIENT, reference="A40-1"))
        if into is OTHER:
            assert told_to_ris(region) == []
            (conflict,) = region.get("/patient-conflicts")
            settle(region, "propose", "jane", conflict["id"])
            settle(region, "confirm", "omar", conflict["id"])
        (again,) = told_to_ris(region)
        assert (first.present_patient, again.present_patient) == (None, into)
        assert again.notification_id == first.notification_id
        assert region.events().count("alert.ris_ordered") == 2
        for order in region.rxn.orders(after=0).orders:
            if isinstance(order.body, TellRis):
                region.rxn.complete(order)
        region.rxn.say(PatientChanged(present=LAST, prior=into, reference="A40-2"))
        assert told_to_ris(region) == []


def test_an_alert_is_sent_anew_once_the_last_of_two_doubts_is_decided(tmp_path: Path) -> None:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/r.sqlite", ris=True) as region:
        region.claim(region.offer())
        body = {"read_id": region.read()["id"], "code": CRITICAL.model_dump()}
        assert region.client.post("/alerts", json=body, headers=region.reader()).is_success
        region.work()
        assert [told.present_patient for told in told_to_ris(region)] == [None]
        another = PATIENT.model_copy(update={"nhs_number": "9990000034", "birth_date": date(1961, 2, 3)})
        region.rxn.say(MERGED, PatientChanged(present=another, reference="A31-1"))
        merged, updated = sorted(region.get("/patient-conflicts"), key=lambda one: str(one["how"]))
        settle(region, "propose", "jane", merged["id"])
        assert settle(region, "confirm", "omar", merged["id"]).is_success
        assert told_to_ris(region) == []
        assert settle(region, "reject", "omar", updated["id"]).is_success
        assert [told.present_patient for told in told_to_ris(region)] == [OTHER]


def told_to_ris(region: Region) -> list[TellRis]:
    return [order.body for order in region.rxn.new_orders() if isinstance(order.body, TellRis)]
