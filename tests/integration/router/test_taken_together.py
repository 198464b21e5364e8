"""Facts that are taken together stand and fall each by itself, and a transaction sees what it has changed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from router.flows import take_facts as flow
from router.flows.ports import Transaction
from router.model.delivery import Delivery, DeliveryState
from router.model.record import Entry
from router.store.transaction import SqlStore
from tests.integration.router.region import START, Region, received


def store_of(region: Region) -> SqlStore:
    store: SqlStore = region.client.app.state.services.store  # type: ignore[attr-defined]
    return store


def test_the_fact_that_fails_leaves_nothing_and_its_neighbours_everything_once(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    region.offer()
    carried_out = flow.take_report

    def take_report(tx: Transaction, report: Any, now: Any) -> Any:
        taken = carried_out(tx, report, now)
        if report.original_reference == "fails":
            tx.ledger.append(Entry("report.lost", now, "test", "1.2.3.4"))
            raise ZeroDivisionError
        return taken

    monkeypatch.setattr(flow, "take_report", take_report)
    region.rxl.say(received(), received(status="C", original_reference="fails"), received(status="C", text="changed"))
    events = region.events()
    assert [events.count(event) for event in ("report.received", "report.lost", "order.return")] == [2, 0, 2]
    listed = [(report["status"], report["version"]) for report in region.get("/reports")]
    assert sorted(listed, key=lambda one: one[1]) == [("F", 1), ("C", 2)]
    assert len(region.queue("fact_failed")) == 1


def test_lines_of_the_ledger_stand_in_the_order_of_what_they_tell(region: Region) -> None:
    region.offer()
    with store_of(region).write() as tx:
        tx.ledger.append(Entry("one", START, "test", "1.2.3.4"))
        assert [entry.event for entry in tx.ledger.of_study("1.2.3.4")][-1] == "one"
        failure = tx.attempt(lambda: (tx.ledger.append(Entry("two", START, "test", "1.2.3.4")), 1 / 0)[0])
        assert isinstance(failure, ZeroDivisionError)
        tx.ledger.append(Entry("three", START, "test", "1.2.3.4"))
    assert region.events()[-2:] == ["one", "three"]


def test_a_transaction_sees_its_own_changes_of_deliveries_and_reports(region: Region) -> None:
    region.offer()
    region.rxl.say(received())
    store = store_of(region)
    with store.write() as tx:
        (report,) = tx.reports.of_study("1.2.3.4")
        listed = tx.deliveries.of_study("1.2.3.4")
        channels = [one.delivery.channel for one in listed]
        assert [one.channel for one in tx.deliveries.of_report(report.id)] == sorted(channels)
        later = START + timedelta(hours=1)
        changed = replace(
            listed[0].delivery, state=DeliveryState.ACKED, code="AA", updated_at=later, queued_at=later
        )  # comes last of its version by that
        tx.deliveries.put(changed)
        new = Delivery(report.id, "fhir", None, DeliveryState.QUEUED, later)
        tx.deliveries.put(new)
        seen = tx.reports.get(report.id), tx.deliveries.of_study("1.2.3.4"), tx.deliveries.of_report(report.id)
    with store.read() as tx:
        kept = tx.reports.get(report.id), tx.deliveries.of_study("1.2.3.4"), tx.deliveries.of_report(report.id)
    assert seen[0] == kept[0]
    assert list(seen[1]) == list(kept[1])
    assert list(seen[2]) == list(kept[2])
    assert {one.channel: one.state for one in kept[2]} == {
        **dict.fromkeys(channels, DeliveryState.QUEUED),
        changed.channel: DeliveryState.ACKED,
        "fhir": DeliveryState.QUEUED,
    }


def test_what_was_read_before_a_failure_is_read_again_after_it(region: Region) -> None:
    region.offer()
    region.rxl.say(received(author="C9999999"))  # nobody's: it waits for a person
    with store_of(region).write() as tx:
        (report,) = tx.reports.of_study("1.2.3.4")

        def fail() -> None:
            tx.reports.settle(replace(report, reasons=("never",)))
            assert [one.reasons for one in tx.reports.of_study("1.2.3.4")] == [("never",)]
            raise ZeroDivisionError

        assert isinstance(tx.attempt(fail), ZeroDivisionError)
        assert tx.reports.of_study("1.2.3.4")[0].reasons == report.reasons
