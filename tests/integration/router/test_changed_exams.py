"""A revision that changes what exam it is, is routed anew; one that only adds images leaves what a person said."""

from typing import Any

import pytest

from tests.integration.router.region import Region, settled

UNMAPPED = {"modalities": ("CT", "US"), "exam_code": None}
OTHER_EXAM = {"exam_code": None}  # by modality CT: routine instead of urgent


def route(region: Region, read_id: str, **changes: Any) -> Any:
    body = {"subspecialty": "neuro", "expected_minutes": 20, "priority": "routine", **changes}
    return region.client.post(f"/reads/{read_id}/route", json=body, headers=region.staff)


@pytest.mark.parametrize("assigned", [False, True])
def test_a_revision_that_cannot_be_mapped_goes_to_a_person_and_to_no_reader(region: Region, assigned: bool) -> None:
    region.rxn.say(settled())
    if assigned:
        region.plan()
    region.rxn.say(settled(revision=2, contents="abc", **UNMAPPED))
    region.plan()
    read = region.read()
    assert (read["state"], read["modalities"], read["subspecialty"]) == ("RECEIVED", ["CT", "US"], None)
    assert read["lease"] is None
    (item,) = region.queue("unmapped_exam")
    assert item["read_id"] == read["id"]
    assert "read.unrouted" in region.events()
    history = region.get(f"/reads/{read['id']}/why")["assignments"]
    assert [entry["outcome"] for entry in history] == (["unroute"] if assigned else [])


@pytest.mark.parametrize("assigned", [False, True])
def test_a_revision_that_is_another_exam_is_planned_anew(region: Region, assigned: bool) -> None:
    region.rxn.say(settled())
    if assigned:
        region.plan()
    region.rxn.say(settled(revision=2, contents="abc", **OTHER_EXAM))
    read = region.read()
    assert (read["state"], read["priority"]) == ("READY", "routine")
    region.plan()
    assert (region.read()["state"], region.read()["revision"]) == ("ASSIGNED", 2)
    assert len(region.get(f"/reads/{read['id']}/why")["assignments"]) == 1 + assigned


def test_what_a_person_said_stays_while_the_exam_is_the_same(region: Region) -> None:
    region.rxn.say(settled(exam_code={"value": "Q", "scheme": "Z"}))
    read = region.read()
    assert route(region, read["id"]).status_code == 200
    region.rxn.say(
        settled(revision=2, contents="abc", modalities=("CT", "SR"), exam_code={"value": "Q", "scheme": "Z"})
    )
    read = region.read()
    assert (read["state"], read["subspecialty"], read["expected_minutes"]) == ("READY", "neuro", 20)


def test_a_ready_read_is_put_right_by_a_coordinator(region: Region) -> None:
    region.rxn.say(settled())
    answer = route(region, region.read()["id"], expected_minutes=45)
    assert (answer.status_code, answer.json()["expected_minutes"]) == (200, 45)
    region.plan()
    assert route(region, region.read()["id"]).json()["error"] == "transition_refused"


def test_a_subspecialty_nobody_knows_is_refused_with_the_known_ones(sqlite_region: Region) -> None:
    sqlite_region.rxn.say(settled(exam_code={"value": "Q", "scheme": "Z"}))
    answer = route(sqlite_region, sqlite_region.read()["id"], subspecialty="nuero")
    assert (answer.status_code, answer.json()["message"]) == (422, "subspecialty: expected one of neuro")
    assert sqlite_region.read()["state"] == "RECEIVED"


@pytest.mark.parametrize("state", ["READY", "ASSIGNED", "READING"])
def test_a_revision_of_documents_only_keeps_the_read_and_asks_a_person(region: Region, state: str) -> None:
    region.rxn.say(settled())
    if state != "READY":
        region.plan()
    if state == "READING":
        region.claim(region.read())
    region.rxn.say(settled(revision=2, contents="ab", modalities=("SR",)))
    (read,) = region.get("/reads")
    assert (read["state"], read["revision"]) == (state, 1)
    (item,) = region.queue()
    assert (item["kind"], item["read_id"]) == ("documents_only", read["id"])
    assert f"the read stays {state} with revision 1" in item["reason"]
