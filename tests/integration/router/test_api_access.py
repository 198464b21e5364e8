"""Every documented call needs a live token of the right role; refusals look alike and echo nothing."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.router.region import HEALTH, Region, received, running_region, settled

OPEN = {("get", "/health")}
ROLES = ("admin", "coordinator", "reader", "node")


def operations(region: Region) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in region.client.get("/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def call(region: Region, method: str, path: str, headers: dict[str, str]) -> Any:
    return region.client.request(method, re.sub(r"\{[^}]+\}", "x", path), headers=headers)


@pytest.mark.parametrize("token", [None, "", "rx_admin_wrong", "Basic YTpi"])
def test_every_documented_call_refuses_who_has_no_live_token(sqlite_region: Region, token: str | None) -> None:
    headers = {} if token is None else {"Authorization": token if token.startswith("Basic") else f"Bearer {token}"}
    tried = 0
    for method, path, _ in operations(sqlite_region):
        if (method, path) not in OPEN:
            answer = call(sqlite_region, method, path, headers)
            assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated"), f"{method} {path}"
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            tried += 1
    assert tried > 30


def test_every_documented_call_refuses_the_roles_it_is_not_for(sqlite_region: Region) -> None:
    subjects = {"reader": "reader-1", "node": "RXN"}
    tokens = {role: sqlite_region.token(role, subjects.get(role, "x")) for role in ROLES}
    for method, path, operation in operations(sqlite_region):
        if (method, path) in OPEN:
            continue
        allowed = set(operation["x-roles"])
        assert allowed
        for role in set(ROLES) - allowed:
            answer = call(sqlite_region, method, path, tokens[role])
            assert (answer.status_code, answer.json()["error"]) == (403, "not_allowed"), f"{method} {path} {role}"
        for role in set(ROLES) & allowed:
            answer = call(sqlite_region, method, path, tokens[role])
            assert answer.status_code in {200, 404, 415, 422}, f"{method} {path} {role}"


def test_every_documented_call_is_explained(sqlite_region: Region) -> None:
    for method, path, operation in operations(sqlite_region):
        assert operation.get("summary"), f"{method} {path}"
        assert operation.get("description"), f"{method} {path}"
        assert operation.get("tags"), f"{method} {path}"
        if (method, path) not in OPEN:
            assert {"401", "403"} <= set(operation["responses"]), f"{method} {path}"


def test_a_revoked_token_is_refused(sqlite_region: Region) -> None:
    made = sqlite_region.client.post(
        "/tokens", json={"role": "coordinator", "subject": "desk"}, headers=sqlite_region.staff
    )
    assert made.status_code == 201
    desk = {"Authorization": f"Bearer {made.json()['token']}"}
    assert sqlite_region.client.get("/reads", headers=desk).status_code == 200
    path = f"/tokens/{made.json()['id']}"
    assert sqlite_region.client.delete(path, headers=sqlite_region.staff).status_code == 204
    assert sqlite_region.client.delete(path, headers=sqlite_region.staff).status_code == 404
    assert sqlite_region.client.get("/reads", headers=desk).status_code == 401
    listed = sqlite_region.get("/tokens")
    assert made.json()["token"] not in str(listed)


def test_a_reader_sees_its_own_reads_and_those_it_may_pick(sqlite_region: Region) -> None:
    read = sqlite_region.assign()
    mine, theirs = sqlite_region.reader(1), sqlite_region.reader(2)
    assert len(sqlite_region.client.get("/reads", headers=mine).json()) == 1
    assert sqlite_region.client.get("/reads", headers=theirs).json() == []
    assert sqlite_region.client.get(f"/reads/{read['id']}", headers=theirs).status_code == 404
    sqlite_region.rxn.say(settled("1.2.9"))
    ready = sqlite_region.client.get("/reads", params={"state": "READY"}, headers=theirs).json()
    assert [found["study_instance_uid"] for found in ready] == ["1.2.9"]


def test_a_reader_sees_its_reads_behind_any_number_of_others(tmp_path: Path, database_url: str) -> None:
    with running_region(tmp_path / "region", database_url, capacity=3) as region:
        region.rxn.say(*(settled(f"1.2.{number}") for number in range(20)))
        for number in (1, 2):
            region.plan()
            mine = region.client.get("/reads", params={"limit": 5}, headers=region.reader(2)).json()
            assert len(mine) == 5, number
        held = region.client.get("/reads", params={"state": "ASSIGNED", "limit": 5}, headers=region.reader(2)).json()
        assert {read["lease"]["reader_id"] for read in held} == {"reader-2"}
        assert len(held) == 3
        seen: list[str] = []
        while page := region.client.get(
            "/reads", params={"limit": 2, **({"after": seen[-1]} if seen else {})}, headers=region.reader(2)
        ).json():
            seen += [read["id"] for read in page]
        ready = region.get("/reads", state="READY")
        assert len(seen) == len(set(seen)) == 3 + len(ready)


def test_a_malformed_request_is_named_by_place_and_not_echoed(sqlite_region: Region) -> None:
    body = received().model_dump(mode="json") | {"patient": "SECRET-NAME", "surplus": "SECRET"}
    fact = {"seq": 1, "occurred_at": "2026-11-02T09:00:00Z", "body": body}
    batch = {"outbox_id": "o", "facts": [fact], "health": {}}
    answer = sqlite_region.client.post("/node/v1/facts", json=batch, headers=sqlite_region.rxn.headers)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")
    assert "body.health.state" in answer.json()["message"]
    assert "SECRET" not in answer.text
    batch["health"] = HEALTH.model_dump(mode="json")
    answer = sqlite_region.client.post("/node/v1/facts", json=batch, headers=sqlite_region.rxn.headers)
    assert answer.json() == {"accepted_through": 1}
    (item,) = sqlite_region.queue("fact_failed")
    assert "report.received.patient: model_type" in item["reason"]
    assert "SECRET" not in str(item)


def test_reads_are_filtered_and_paged(sqlite_region: Region) -> None:
    for number in range(5):
        sqlite_region.rxn.say(settled(f"1.2.{number}"))
    sqlite_region.plan()
    assert len(sqlite_region.get("/reads", trust="RXN")) == 5
    assert sqlite_region.get("/reads", trust="RXL") == []
    assert sqlite_region.get("/reads", state=["READY", "CLOSED"]) == []
    assert [len(sqlite_region.get("/reads", reader=f"reader-{n}")) for n in (1, 2)] == [3, 2]
    first = sqlite_region.get("/reads", limit=2)
    rest = sqlite_region.get("/reads", after=first[-1]["id"])
    assert len({read["id"] for read in first + rest}) == 5


def test_readers_sessions_and_the_network_are_kept_by_the_api(sqlite_region: Region) -> None:
    region, staff = sqlite_region, sqlite_region.staff
    put, post = region.client.put, region.client.post
    assert put("/trusts/RXR", json={"ods_code": "RXR", "name": "East"}, headers=staff).status_code == 200
    node = {"ods_code": "RXR", "ae_title": "RXR_NODE", "host": "127.0.0.1", "port": 11114}
    assert put("/nodes/RXR", json=node, headers=staff).status_code == 200
    assert put("/nodes/RXN", json={**node, "ods_code": "RXN"}, headers=staff).status_code == 422
    reader = {
        "name": "Dr New",
        "registration": "C5555555",
        "employer": "RXR",
        "modalities": ["CT"],
        "subspecialties": ["neuro"],
        "workstation": {"node": "RXR", "ae_title": "WS_9"},
    }
    assert put("/readers/dr-new", json={**reader, "employer": "ZZZ"}, headers=staff).status_code == 422
    assert put("/readers/dr-new", json={**reader, "registration": "C1000001"}, headers=staff).status_code == 422
    assert put("/readers/dr-new", json=reader, headers=staff).json()["credentials"] == []
    right = {"trust": "RXN", "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z"}
    assert post("/readers/dr-new/credentials", json=right, headers=staff).status_code == 201
    backwards = {**right, "valid_until": "2025-01-01T00:00:00Z"}
    assert post("/readers/dr-new/credentials", json=backwards, headers=staff).status_code == 422
    assert put("/readers/dr-new", json={**reader, "name": "Dr Newer"}, headers=staff).json()["credentials"] != []
    session = {
        "reader_id": "dr-new",
        "starts_at": "2026-11-02T08:00:00Z",
        "ends_at": "2026-11-02T18:00:00+01:00",
        "capacity_minutes": 540,
    }
    assert post("/sessions", json={**session, "capacity_reads": 5}, headers=staff).status_code == 422
    booked = post("/sessions", json=session, headers=staff).json()
    region.rxn.say(settled())
    region.plan()
    assert region.read()["lease"]["reader_id"] == "dr-new"
    assert region.client.delete(f"/sessions/{booked['id']}", headers=staff).status_code == 204
    region.rxn.say(settled("1.2.9"))
    region.plan()
    holders = {read["study_instance_uid"]: read["lease"]["reader_id"] for read in region.get("/reads")}
    assert holders == {"1.2.3.4": "dr-new", "1.2.9": "reader-1"}


def test_the_life_of_a_read_is_shown_from_the_table(sqlite_region: Region) -> None:
    life = sqlite_region.get("/read-states")
    assert {state["state"] for state in life["states"]} >= {"RECEIVED", "CLOSED"}
    assert any(row["event"] == "claim" and row["target"] == "READING" for row in life["transitions"])


def test_the_documentation_page_needs_nothing_from_elsewhere(sqlite_region: Region) -> None:
    page = sqlite_region.client.get("/docs")
    assert page.status_code == 200
    for method, path, _ in operations(sqlite_region):
        assert f"{method.upper()} {path}" in page.text
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page.text)
