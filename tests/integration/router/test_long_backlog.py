"""A long backlog does not slow the router down: a round costs what changed, and work goes out before questions."""

from datetime import timedelta

import pytest
from sqlalchemy import event, insert

from router.flows import overdue
from router.flows.assign_reads import assign_ready_reads
from router.store import tables as t
from router.store.transaction import SqlStore
from tests.integration.router.region import START, Region, settled

READS = 1000


def store_of(region: Region) -> SqlStore:
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    assert isinstance(store, SqlStore)
    return store


def unassignable_and_late(region: Region, count: int) -> None:
    """READY reads past due that nobody in the region may read."""
    at = {"entered_at": START - timedelta(days=1), "created_at": START, "due_at": START - timedelta(hours=1)}
    what = {"origin": "RXN", "revision": 1, "modalities": ["CT"]}
    routed = {"subspecialty": "none", "expected_minutes": 7.0, "priority": "urgent", "epoch": 0, "ordinal": 1}
    uids = [f"5.{number}" for number in range(count)]
    with store_of(region).database.write() as connection:
        connection.execute(insert(t.study), [{"study_instance_uid": uid, **what} for uid in uids])
        rows = [{"id": f"r{uid}", "study_instance_uid": uid, "state": "READY", **at, **what, **routed} for uid in uids]
        connection.execute(insert(t.read), rows)


def test_a_round_over_a_backlog_that_is_shown_already_costs_little(region: Region) -> None:
    unassignable_and_late(region, READS)
    store, settings = store_of(region), region.settings.router
    region.plan()
    assert len(region.queue("past_due")) == len(region.queue("overdue")) == READS
    statements: list[str] = []
    event.listen(store.database.engine, "before_cursor_execute", lambda _c, _u, text, *_: statements.append(text))
    region.clock.pass_s(60)
    region.plan()
    assert len(statements) < 40, statements[:60]
    assert overdue.tick(store, settings, region.clock(), print) == 0


def test_a_read_that_can_be_given_goes_out_before_the_backlog_is_asked_about(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    unassignable_and_late(region, 20)
    region.rxn.say(settled())

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(overdue, "tick", interrupted)
    with pytest.raises(KeyboardInterrupt):
        region.plan()
    assert len(region.get("/reads", state="ASSIGNED")) == 1


def test_a_lease_that_ran_out_is_given_on_in_the_same_round(region: Region) -> None:
    read = region.assign()
    region.clock.pass_s(1801)
    region.plan()
    assert region.get(f"/reads/{read['id']}")["lease"]["epoch"] == 2


def test_one_read_whose_timeout_fails_keeps_no_other_back(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    unassignable_and_late(region, 3)
    ask = overdue.ask_again
    failures: list[Exception] = []

    def breaks_for_one(tx: object, kind: str, reason: str, key: str, *rest: object) -> None:
        if kind == "past_due" and key.startswith("r5.1"):
            raise ZeroDivisionError
        ask(tx, kind, reason, key, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(overdue, "ask_again", breaks_for_one)
    overdue.tick(store_of(region), region.settings.router, region.clock(), failures.append)
    assert [type(failure) for failure in failures] == [ZeroDivisionError]
    assert sorted(str(item["read_id"]) for item in region.queue("past_due")) == ["r5.0", "r5.2"]
    (item,) = region.queue("timeout_failed")
    assert item["read_id"] == "r5.1"


def test_an_item_of_an_earlier_state_hides_no_later_timeout(region: Region) -> None:
    region.rxn.say(settled(exam_code={"value": "Q", "scheme": "Z"}))
    region.clock.pass_s(901)
    region.plan()
    assert len(region.queue("overdue")) == 1
    read = region.read()
    body = {"subspecialty": "neuro", "expected_minutes": 7, "priority": "routine"}
    region.client.post(f"/reads/{read['id']}/route", json=body, headers=region.staff).raise_for_status()
    for number in (1, 2):
        (session,) = region.get("/sessions", reader_id=f"reader-{number}")
        region.client.delete(f"/sessions/{session['id']}", headers=region.staff).raise_for_status()
    region.clock.pass_s(3601)
    region.plan()
    reasons = [item["reason"].split()[0] for item in region.queue("overdue")]
    assert reasons == ["RECEIVED", "READY"]


def test_what_was_explained_is_explained_again_only_when_it_changed(region: Region) -> None:
    unassignable_and_late(region, 5)
    outcome = assign_ready_reads(store_of(region), region.clock(), 60.0, print)
    assert (outcome.assigned, outcome.waiting) == (0, 5)
    before = region.get("/reads/r5.0/why")["waiting"]
    region.clock.pass_s(60)
    assign_ready_reads(store_of(region), region.clock(), 60.0, print)
    assert region.get("/reads/r5.0/why")["waiting"] == before
