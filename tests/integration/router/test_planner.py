"""The planner: nothing comes back for ever, decisions are weighed again when carried out, a bad one is alone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from router.flows import assign_reads, hold_lease
from router.flows.assign_reads import assign_ready_reads
from router.model.errors import RouterError
from router.model.pathway import Pathway
from router.rules.planning import plan
from tests.integration.router.region import Region, running_region, settled


def planned_by(region: Region) -> list[str]:
    (read,) = region.get("/reads")
    return [entry["reader_id"] for entry in region.get(f"/reads/{read['id']}/why")["assignments"]]


def test_an_offer_that_lapsed_goes_to_another_reader_and_says_why(region: Region) -> None:
    region.assign()
    for _ in range(2):
        region.clock.pass_s(1801)
        region.plan()
    assert planned_by(region)[:2] == ["reader-1", "reader-2"]
    why = region.get(f"/reads/{region.read()['id']}/why")["assignments"]
    assert "reader-1 had it before" in why[1]["explanation"]["choice"]
    assert "all eligible readers had it before" in why[2]["explanation"]["choice"]


def test_a_read_that_was_taken_back_goes_to_another_reader(region: Region) -> None:
    read = region.assign()
    path = f"/reads/{read['id']}/take-back"
    region.client.post(path, json={"reason": "rota"}, headers=region.staff).raise_for_status()
    region.plan()
    assert planned_by(region) == ["reader-1", "reader-2"]


def test_of_many_picks_at_once_one_gets_the_last_place(tmp_path: Path, database_url: str) -> None:
    with running_region(tmp_path / "r", database_url, readers=1, capacity=-9) as region:
        for number in range(8):
            region.rxn.say(settled(f"1.2.{number}"))
        store = region.client.app.state.services.store  # type: ignore[attr-defined]

        def pick(read_id: str) -> str:
            try:
                with store.write() as tx:
                    hold_lease.claim(tx, read_id, "reader-1", region.clock(), 120.0)
            except RouterError as error:
                return str(error)
            return "won"

        with ThreadPoolExecutor(8) as pool:
            outcomes = sorted(pool.map(pick, [read["id"] for read in region.get("/reads")]))
        assert outcomes == ["no capacity is left in the open session"] * 7 + ["won"]


@pytest.mark.parametrize("meanwhile", ["full", "revised", "taken back", "revoked"])
def test_a_decision_that_no_longer_holds_is_dropped(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    with running_region(tmp_path / "r", database_url, readers=1, capacity=-9) as region:
        region.rxn.say(settled("1.2.1"))

        def plan_then_something_happens(snapshot: Any, **kept: Any) -> Any:
            decisions = plan(snapshot, **kept)
            happens(region, meanwhile)
            return decisions

        monkeypatch.setattr(assign_reads, "plan", plan_then_something_happens)
        region.plan()
        (read,) = [read for read in region.get("/reads") if read["study_instance_uid"] == "1.2.1"]
        assert read["state"] == "READY"
        orders = region.rxl.orders(after=0).orders
        assert len([order for order in orders if order.body.study.study_instance_uid == "1.2.1"]) <= (
            meanwhile == "taken back"
        )


def happens(region: Region, what: str) -> None:
    if what == "full":
        region.rxn.say(settled("1.2.2"))
        region.claim(next(read for read in region.get("/reads") if read["study_instance_uid"] == "1.2.2"))
    elif what == "revised":
        region.rxn.say(settled("1.2.1", revision=2, contents="abc", modalities=("MR",), exam_code=None))
        route = {"subspecialty": "neuro", "expected_minutes": 20, "priority": "urgent"}
        region.client.post(f"/reads/{region.read()['id']}/route", json=route, headers=region.staff).raise_for_status()
    elif what == "taken back":
        region.claim(region.read())
        read = region.read()["id"]
        region.client.post(f"/reads/{read}/take-back", json={"reason": "x"}, headers=region.staff).raise_for_status()
    else:
        (credential,) = region.get("/readers/reader-1")["credentials"]
        region.client.delete(f"/readers/reader-1/credentials/{credential['id']}", headers=region.staff)


def test_one_decision_that_fails_keeps_no_other_back(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2, 3):
        region.rxn.say(settled(f"1.2.{number}"))
    grant, poisoned = assign_reads.grant, region.read(1)["id"]

    def breaks(tx: Any, read: Any, *rest: Any) -> Any:
        if read.id == poisoned:
            raise ZeroDivisionError
        return grant(tx, read, *rest)

    monkeypatch.setattr(assign_reads, "grant", breaks)
    for _ in range(2):
        region.plan()
    assert [read["state"] for read in region.get("/reads")] == ["ASSIGNED", "READY", "ASSIGNED"]
    (item,) = region.queue("assignment_failed")
    holder = item["reason"].removeprefix("it could not be assigned to ").removesuffix(": ZeroDivisionError")
    assert (item["read_id"], holder in {"reader-1", "reader-2"}) == (poisoned, True)
    monkeypatch.undo()
    region.plan()
    assert region.read(1)["state"] == "ASSIGNED"


@pytest.mark.parametrize("minutes", ["Infinity", "NaN", "-Infinity"])
def test_a_capacity_that_is_no_number_is_refused(sqlite_region: Region, minutes: str) -> None:
    body = (
        '{"reader_id": "reader-1", "starts_at": "2026-11-02T08:00:00Z", "ends_at": "2026-11-02T18:00:00Z", '
        f'"capacity_minutes": {minutes}}}'
    )
    headers = {**sqlite_region.staff, "Content-Type": "application/json"}
    assert sqlite_region.client.post("/sessions", content=body, headers=headers).status_code == 422


def test_a_round_in_which_nothing_changed_writes_nothing(sqlite_region: Region) -> None:
    region = sqlite_region
    for number in range(30):
        region.rxn.say(settled(f"1.2.{number}", modalities=("MR",), exam_code=None))
        route = {"subspecialty": "neuro", "expected_minutes": 2000 / 3, "priority": "urgent"}
        path = f"/reads/{region.read(state='RECEIVED')['id']}/route"
        region.client.post(path, json=route, headers=region.staff).raise_for_status()
    for number in (1, 2):
        (session,) = region.get("/sessions", reader_id=f"reader-{number}")
        region.client.delete(f"/sessions/{session['id']}", headers=region.staff).raise_for_status()
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    statements: list[str] = []
    event.listen(store.database.engine, "before_cursor_execute", lambda _c, _u, text, *_: statements.append(text))

    def round_of(seconds: float) -> int:
        region.clock.pass_s(seconds)
        statements.clear()
        outcome = assign_ready_reads(store, region.clock(), 60.0, lambda _failure: None)
        assert (outcome.assigned, outcome.waiting) == (0, 30)
        assert len(statements) < 20
        return sum(statement.startswith("UPDATE") for statement in statements)

    assert round_of(0) == 1
    assert round_of(60) == 0
    waiting = region.get(f"/reads/{region.read()['id']}/why")["waiting"]
    assert [e["reasons"] for e in waiting["exclusions"]] == [["no session is open"]] * 2


def test_health_says_when_no_planner_finishes_a_round(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    def health() -> dict[str, Any]:
        answer = region.client.get("/health")
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    assert (health()["state"], health()["planned_at"]) == ("ok", None)
    region.plan()
    planned_at = health()["planned_at"]
    assert planned_at is not None
    region.clock.pass_s(3 * 3600)
    assert health()["state"] == "ok"

    def breaks(*_: object, **_kept: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("router.app.assign_ready_reads", breaks)
        region.clock.pass_s(1)
        with pytest.raises(ZeroDivisionError):
            region.plan()
    assert (health()["state"], health()["planned_at"]) == ("degraded", planned_at)
    assert health()["reasons"] == [
        "no planner has finished a round since 2026-11-02 09:00:00 UTC; one is due every 3600 s"
    ]
    region.plan()
    assert (health()["state"], health()["reasons"]) == ("ok", [])


def test_who_asks_for_the_next_read_gets_the_plans_choice_claimed(sqlite_region: Region) -> None:
    region = sqlite_region
    for number in (1, 2):
        region.rxn.say(settled(f"1.2.{number}"))
    claims = [region.client.post("/reads/next", headers=region.reader(number)) for number in (1, 2, 1)]
    assert [claim.status_code for claim in claims] == [200, 200, 404]
    first, second = (claim.json()["read"] for claim in claims[:2])
    assert (first["state"], second["state"], first["id"] != second["id"]) == ("READING", "READING", True)
    (given,) = region.get(f"/reads/{first['id']}/why")["assignments"]
    assert given["reader_id"] == "reader-1"
    assert "Chosen was reader-1: reader-1 is the only eligible reader with room" in given["sentences"][1]


def test_whoever_asks_for_the_next_read_and_has_a_list_is_sent_to_it(sqlite_region: Region) -> None:
    asked = sqlite_region.client.post("/reads/next", headers=sqlite_region.reader(1))
    assert (asked.status_code, asked.json()["message"]) == (404, "there is nothing for you to read now")
    sqlite_region.assign()
    asked = sqlite_region.client.post("/reads/next", headers=sqlite_region.reader(1))
    assert asked.json()["message"] == (
        "of what is on nobody's list, nothing is for you now; claim what is on your own list (1)"
    )
    assert asked.status_code == 404


def test_planning_ahead_changes_no_read_and_the_next_round_still_plans(sqlite_region: Region) -> None:
    region = sqlite_region
    region.rxn.say(settled())
    planner = region.client.app.state.planner  # type: ignore[attr-defined]
    planner.look_ahead_once()
    assert region.read()["state"] == "READY"
    region.plan()
    why = region.get(f"/reads/{region.read()['id']}/why")["assignments"][0]
    assert region.read()["state"] == "ASSIGNED"
    assert why["explanation"]["version"] == "index-prices/3"
    assert all(candidate["planned"] <= 0 for candidate in why["explanation"]["candidates"])


def test_a_person_hears_of_what_may_not_wait_and_will_be_late_all_the_same(sqlite_region: Region) -> None:
    region = sqlite_region
    with region.client.app.state.services.store.write() as tx:  # type: ignore[attr-defined]
        tx.exams.put_pathway(Pathway("urgent", 1440, 5.0))
    region.rxn.say(*(settled(f"1.2.{number}") for number in range(40)))
    region.clock.pass_s(8.5 * 3600)  # half an hour before the last session ends
    region.client.app.state.planner.look_ahead_once()  # type: ignore[attr-defined]
    (item,) = region.queue("not_in_time")
    assert "may not wait, and will be late all the same; add sessions" in item["reason"]
    assert "make room" not in item["reason"]


def test_a_person_and_the_reads_explanation_say_what_cannot_be_in_time(sqlite_region: Region) -> None:
    region = sqlite_region
    with region.client.app.state.services.store.write() as tx:  # type: ignore[attr-defined]
        tx.exams.put_pathway(Pathway("urgent", 1440, 5.0, may_wait=True))
    region.rxn.say(*(settled(f"1.2.{number}") for number in range(40)))
    region.clock.pass_s(8.5 * 3600)  # half an hour before the last session ends
    planner = region.client.app.state.planner  # type: ignore[attr-defined]
    planner.look_ahead_once()
    planner.look_ahead_once()
    (item,) = region.queue("not_in_time")
    assert "of 40 waiting reads cannot be in time: urgent " in item["reason"]
    assert "make room for others" in item["reason"]
    region.plan()
    waiting = region.get("/reads", state="READY")
    whys = [region.get(f"/reads/{read['id']}/why") for read in waiting]
    assert any("makes room" in " ".join(why["waiting_sentences"]) for why in whys)
