"""Rows of a transaction wait to be written with others, and nobody who asks the database can tell."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from dicom_nodes.contract import FactBody, OrderCompleted, ReportAcknowledged, ReturnReport
from router.model.errors import Conflict
from router.model.read import Read
from router.store import tables as t
from router.store.transaction import SqlStore, SqlTransaction
from tests.integration.router.region import Region, received, running_region, settled

UID = "1.2.3.4"


def store_of(region: Region) -> SqlStore:
    store: SqlStore = region.client.app.state.services.store  # type: ignore[attr-defined]
    return store


def read_in(tx: SqlTransaction) -> Read:
    return tx.reads.of_study(UID)[-1]


def test_who_asks_in_another_way_sees_what_waits_to_be_written(region: Region) -> None:
    region.assign()
    with store_of(region).write() as tx:
        read = read_in(tx)
        assert tx.reads.replace(read, replace(read, priority="stat"))
        assert [one.priority for one in tx.reads.listing()] == ["stat"]


def test_two_changes_of_a_read_are_both_written_and_are_of_what_it_was_before(region: Region) -> None:
    region.assign()
    with store_of(region).write() as tx:
        before = read_in(tx)
        assert tx.reads.replace(before, replace(before, priority="stat"))
        between = tx.reads.get(before.id)
        assert between is not None
        assert tx.reads.replace(between, replace(between, epoch=between.epoch + 1))
        assert not tx.reads.replace(replace(between, epoch=77), replace(between, pathway="none"))
        last = tx.reads.get(before.id)
    with store_of(region).read() as tx:
        assert read_in(tx) == last == replace(before, priority="stat", epoch=before.epoch + 1)


def test_a_row_written_in_a_way_that_nobody_noted_is_read_again(region: Region) -> None:
    region.assign()
    with store_of(region).write() as tx:
        read = read_in(tx)
        tx.reads.replace(read, replace(read, priority="stat"))
        tx.connection.execute(update(t.read).values(pathway="raw"))
        seen = tx.reads.get(read.id)
    assert seen == replace(read, priority="stat", pathway="raw")


def test_a_failure_undoes_what_waited_since_its_beginning_and_nothing_before(region: Region) -> None:
    region.assign()
    with store_of(region).write() as tx:
        read = read_in(tx)
        tx.reads.replace(read, replace(read, priority="stat"))

        def fail() -> None:
            now = read_in(tx)
            tx.reads.replace(now, replace(now, pathway="lost"))
            raise ZeroDivisionError

        assert isinstance(tx.attempt(fail), ZeroDivisionError)
        assert read_in(tx) == replace(read, priority="stat")
    with store_of(region).read() as tx:
        assert read_in(tx) == replace(read, priority="stat")


def test_a_read_that_is_not_as_it_was_seen_stops_the_transaction(sqlite_region: Region) -> None:
    sqlite_region.assign()
    store = store_of(sqlite_region)

    def change() -> None:
        with store.write() as tx:
            read = read_in(tx)
            beneath = tx.connection._connection  # type: ignore[attr-defined] # as if somebody else could write
            beneath.execute(update(t.read).values(state="CLOSED"))
            tx.reads.replace(read, replace(read, priority="stat"))

    with store.read() as tx:
        read = read_in(tx)
    with pytest.raises(Conflict):
        change()
    with store.read() as tx:
        assert read_in(tx) == read


def sent_home(region: Region, together: bool) -> list[Any]:
    """Reports of three studies with versions and strangers between, and their answers; what came of it, without ids."""

    def say(node: Any, bodies: Sequence[FactBody]) -> None:
        for some in [bodies] if together else [[body] for body in bodies]:
            node.say(*some)

    uids = ("1.2.3.4", "1.2.3.5", "1.2.3.6")
    region.rxn.say(*(settled(uid) for uid in uids))
    region.plan()
    region.bring_images()
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"status": "C", "text": "changed"},
        {"addendum": True, "text": "and more"},
        {"author": "C9999999"},
    )
    signed = [received(uid, **change) for change in changes for uid in uids]
    say(region.rxl, [*signed, signed[0], received("9.9.9")])
    for _ in range(4):
        answers: list[FactBody] = []
        for order in region.rxn.new_orders():
            assert isinstance(order.body, ReturnReport)
            is_refused = order.body.addendum and order.body.study.study_instance_uid == uids[-1]
            said = {"order_id": order.order_id, "reference": "r"}
            answers += [
                ReportAcknowledged(channel="ris", code="AA", **said),
                ReportAcknowledged(channel="archive", code="A700" if is_refused else "0000", **said),
                OrderCompleted(order_id=order.order_id, channels=("ris", "archive")),
            ]
        say(region.rxn, answers)
    kept = ("study_instance_uid", "status", "version", "disposition", "reasons", "addendum")
    reports = sorted(repr([report[name] for name in kept]) for report in region.get("/reports"))
    deliveries = sorted(
        repr([one[name] for name in ("version", "channel", "state")]) for one in region.get("/deliveries")
    )
    queue = sorted((item["kind"], item["reason"].split(" (")[0]) for item in region.queue())
    states = sorted((read["study_instance_uid"], read["state"]) for read in region.get("/reads"))
    return [reports, deliveries, queue, states, *(region.events(uid) for uid in uids)]


def test_facts_taken_together_come_to_the_same_as_one_by_one(tmp_path: Path) -> None:
    came_of = []
    for together in (True, False):
        folder = tmp_path / str(together)
        with running_region(folder, f"sqlite:///{folder}/router.sqlite", readers=1) as region:
            came_of.append(sent_home(region, together))
    assert came_of[0] == came_of[1]
    *_, second, last = came_of[0]
    assert "read.closed" in second
    assert "report.rejected" in last
