"""A fact that cannot be taken is kept, shown with what it is about, readable, and can be carried out after all."""

import json
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError, OperationalError

from router.flows import take_facts as flow
from router.store.failures import is_of_the_database
from tests.integration.router.region import HEALTH, Region, received, settled


def post_raw(region: Region, *facts: dict[str, Any]) -> Any:
    """Facts as JSON of a node that does not know the contract."""
    batch = {"outbox_id": "o", "facts": list(facts), "health": HEALTH.model_dump(mode="json")}
    headers = {**region.rxn.headers, "Content-Type": "application/json"}
    return region.client.post("/node/v1/facts", content=json.dumps(batch), headers=headers)


def sound(region: Region, seq: int, body: Any) -> dict[str, Any]:
    return {"seq": seq, "occurred_at": region.clock().isoformat(), "body": body.model_dump(mode="json")}


def test_an_endless_accession_number_blocks_nothing(region: Region) -> None:
    region.rxn.say(settled(accession_number="9" * 12_000), settled("1.2.5"))
    assert [read["study_instance_uid"] for read in region.get("/reads")] == ["1.2.5"]
    (item,) = region.queue("fact_failed")
    assert "accession_number is longer than 256 characters" in item["reason"]
    assert item["study_instance_uid"] == "1.2.3.4"


@pytest.mark.parametrize(
    "broken",
    [
        {"seq": 1},
        {"seq": 1, "occurred_at": "yesterday", "body": {"kind": "study.settled"}},
        {"seq": 1, "occurred_at": "2026-11-02T09:00:00Z", "body": {"kind": "study.dreamt", "report_id": "r-1"}},
        {"seq": 1, "occurred_at": "2026-11-02T09:00:00Z", "body": {"kind": 7, "text": "nul \x00 and \ud800"}},
    ],
)
def test_a_fact_that_cannot_be_understood_is_kept_and_blocks_nothing(region: Region, broken: dict[str, Any]) -> None:
    for _ in range(2):
        answer = post_raw(region, broken, sound(region, 2, settled("1.2.5")))
        assert (answer.status_code, answer.json()) == (200, {"accepted_through": 2})
    assert len(region.get("/reads")) == 1
    (item,) = region.queue("fact_failed")
    assert item["failed_fact"] == "/failed-facts/RXN/o/1"
    kept = region.get(item["failed_fact"])
    expected = json.dumps(broken.get("body", broken)).replace("\\ud800", "?")
    assert kept["body"] == json.loads(expected)
    answer = region.client.post(f"{item['failed_fact']}/apply", json={"note": "try"}, headers=region.staff)
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")


@pytest.mark.parametrize("seq", [None, 0, True, "1", 2**63])
def test_a_fact_without_a_place_is_refused(region: Region, seq: object) -> None:
    assert post_raw(region, {"seq": seq, "body": {}}).status_code == 422


def test_numbers_that_are_none_are_kept_as_words(region: Region) -> None:
    text = '{"outbox_id": "o", "facts": [{"seq": 1, "body": {"kind": "x", "n": NaN}}], "health": HEALTH}'
    content = text.replace("HEALTH", HEALTH.model_dump_json())
    headers = {**region.rxn.headers, "Content-Type": "application/json"}
    answer = region.client.post("/node/v1/facts", content=content, headers=headers)
    assert answer.json() == {"accepted_through": 1}
    assert region.get("/failed-facts/RXN/o/1")["body"] == {"kind": "x", "n": "nan"}


def test_health_that_is_no_number_does_not_stop_the_facts(region: Region) -> None:
    health = HEALTH.model_dump_json().replace('"outbox_oldest_s":0.0', '"outbox_oldest_s":Infinity')
    fact = region.rxn.fact(settled()).model_dump_json()
    content = f'{{"outbox_id": "o", "facts": [{fact}], "health": {health}}}'
    headers = {**region.rxn.headers, "Content-Type": "application/json"}
    answer = region.client.post("/node/v1/facts", content=content, headers=headers)
    assert answer.json() == {"accepted_through": 1}
    assert {node["outbox_oldest_s"] for node in region.get("/nodes")} == {None}


def test_a_failed_report_is_shown_readable_and_carried_out_later(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    region.offer()
    report = received()

    def breaks(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(flow, "take_report", breaks)
        region.rxl.say(report)
    assert region.read()["state"] == "ASSIGNED"
    (item,) = region.queue("fact_failed")
    assert (item["report_id"], item["study_instance_uid"]) == (report.report_id, "1.2.3.4")
    (listed,) = region.get("/failed-facts")
    assert (listed["kind"], listed["failure"]) == ("report.received", "ZeroDivisionError")
    assert region.get(item["failed_fact"])["body"]["text"] == report.text
    answer = region.client.post(f"{item['failed_fact']}/apply", json={"note": "mended"}, headers=region.staff)
    assert answer.status_code == 200, answer.text
    assert region.read()["state"] == "VERIFIED"
    assert region.queue("fact_failed") == []
    assert "fact.applied" in region.events()


def test_a_fact_that_fails_again_changes_nothing(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(flow, "take_settled_study", breaks)
    region.rxn.say(settled())
    (item,) = region.queue("fact_failed")
    answer = region.client.post(f"{item['failed_fact']}/apply", json={"note": "x"}, headers=region.staff)
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert len(region.queue("fact_failed")) == 1


def test_only_staff_reads_failed_facts(region: Region) -> None:
    for headers in (region.reader(), region.rxn.headers):
        assert region.client.get("/failed-facts", headers=headers).status_code == 403
    assert region.client.get("/failed-facts/RXN/o/1", headers=region.staff).status_code == 404


def test_a_report_with_a_nul_waits_for_a_person_with_its_text(region: Region) -> None:
    region.assign()
    report = received(text="nothing \x00 acute")
    region.rxl.say(report)
    (item,) = region.queue("report_not_accepted")
    assert "NUL" in item["reason"]
    assert region.get(f"/reports/{report.report_id}")["text"] == "nothing \ufffd acute"
    assert region.read()["state"] == "ASSIGNED"


class Trouble(Exception):
    def __init__(self, **codes: str) -> None:
        vars(self).update(codes)


@pytest.mark.parametrize(
    ("codes", "of_the_database"),
    [
        ({"sqlstate": "08006"}, True),
        ({"sqlstate": "40P01"}, True),
        ({"sqlstate": "40001"}, True),
        ({"sqlstate": "53100"}, True),
        ({"sqlstate": "57P01"}, True),
        ({"sqlstate": "54000"}, False),
        ({"sqlstate": "22001"}, False),
        ({"sqlite_errorname": "SQLITE_BUSY_SNAPSHOT"}, True),
        ({"sqlite_errorname": "SQLITE_LOCKED"}, True),
        ({"sqlite_errorname": "SQLITE_FULL"}, True),
        ({"sqlite_errorname": "SQLITE_TOOBIG"}, False),
        ({"sqlite_errorname": "SQLITE_ERROR"}, False),
    ],
)
def test_only_the_databases_own_trouble_is_tried_again(codes: dict[str, str], of_the_database: bool) -> None:
    error: DBAPIError = OperationalError("statement", None, Trouble(**codes))
    assert is_of_the_database(error) is of_the_database
