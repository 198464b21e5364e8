"""Hazard 10: a stale preliminary report is shown as the final one; versions only go forward.

Preliminary, final and corrected reports reach the router, and their returns the origin's RIS, in every order: what the
RIS holds at the end is what was said last, and no preliminary text stands where a final one had been.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from dicom_nodes.contract import Order, OrderParked, RecallReport, ReportAcknowledged, ReportReceived, ReturnReport
from dicom_nodes.rules.report_order import Filed, goes_backwards
from tests.integration.router.region import START, Region, received

TEXTS = {"P": "Probably nothing", "F": "Nothing", "C": "A small lump on the left"}


def written(status: str) -> ReportReceived:
    """The report as its author wrote it: P at 10, F at 20, C at 30 minutes after nine."""
    minutes = {"P": 10, "F": 20, "C": 30}[status]
    return received(status=status, text=TEXTS[status], authored_at=START + timedelta(minutes=minutes))


@dataclass
class Ris:
    """RXN's RIS behind its node, which refuses what goes backwards (the node's own rule), and shows what came last."""

    region: Region
    waiting: list[Order] = field(default_factory=list)
    filed: Filed | None = None
    shown: list[tuple[str, str]] = field(default_factory=list)

    def fetch(self) -> None:
        """Take the node's new orders over; a recalled return is not sent any more."""
        for order in self.region.rxn.new_orders():
            if isinstance(order.body, ReturnReport):
                self.waiting.append(order)
            elif isinstance(order.body, RecallReport):
                recalled = order.body.order_id
                self.waiting = [one for one in self.waiting if one.order_id != recalled]

    def send(self, order: Order) -> None:
        """The node sends one return, or parks what must not be sent any more."""
        assert isinstance(order.body, ReturnReport)
        why = goes_backwards(order.body.version, order.body.status, self.filed)
        if why is not None:
            self.region.rxn.say(OrderParked(order_id=order.order_id, reason=why, attempts=1))
            return
        now = Filed(order.body.version, order.body.status)
        self.filed = now if self.filed is None else self.filed.and_also(now.version, now.status)
        self.shown.append((order.body.status, order.body.text))
        self.region.rxn.say(
            ReportAcknowledged(order_id=order.order_id, channel="ris", code="AA", reference="1"),
            ReportAcknowledged(order_id=order.order_id, channel="archive", code="0000", reference="1"),
        )
        self.region.rxn.complete(order)


@pytest.fixture
def ris(sqlite_region: Region) -> Ris:
    body = {"ods_code": "RXN", "name": "N", "returns": {"preliminary": True}}
    assert sqlite_region.client.put("/trusts/RXN", json=body, headers=sqlite_region.staff).status_code == 200
    sqlite_region.offer()
    sqlite_region.clock.pass_s(3600)
    return Ris(sqlite_region)


@pytest.mark.parametrize("order", list(permutations("PFC")), ids="".join)
def test_however_reports_arrive_the_ris_shows_what_was_said_last(ris: Ris, order: Sequence[str]) -> None:
    for status in order:
        ris.region.rxl.say(written(status))
        ris.fetch()
        for one in ris.waiting:
            ris.send(one)
        ris.waiting.clear()
    statuses = [status for status, _ in ris.shown]
    assert statuses == sorted(statuses, key="PFC".index), "never backwards"
    if order.index("F") < order.index("C"):
        assert ris.shown[-1] == ("C", TEXTS["C"])
    else:  # a correction of nothing waits for a person, with its text
        assert ris.shown[-1] == ("F", TEXTS["F"])
        (held,) = ris.region.queue("report_not_accepted")
        assert ris.region.get(f"/reports/{held['report_id']}")["text"] == TEXTS["C"]
    if order.index("P") > order.index("F"):
        assert ris.region.events().count("report.dropped") == 1
        assert all(text != TEXTS["P"] for _, text in ris.shown)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_however_returns_reach_the_ris_it_shows_the_newest(ris: Ris, order: Sequence[int]) -> None:
    for status in "PFC":
        ris.region.rxl.say(written(status))
    ris.fetch()
    sent = ris.waiting[:]
    assert [one.body.status for one in sent if isinstance(one.body, ReturnReport)] == ["F", "C"], "P is recalled"
    for place in order:
        if place < len(sent):
            ris.send(sent[place])
    assert ris.shown[-1] == ("C", TEXTS["C"])
    assert ris.region.read()["state"] == "CLOSED"
    assert ris.region.queue() == []


def deliveries_of(region: Region, report_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = region.get(f"/reports/{report_id}/deliveries")
    return found


def test_a_preliminary_under_way_that_is_answered_after_the_final_does_not_count_as_it(ris: Ris) -> None:
    ris.region.rxl.say(written("P"))
    (order,) = ris.region.rxn.new_orders()
    ris.region.rxl.say(written("F"))
    ris.region.rxn.say(ReportAcknowledged(order_id=order.order_id, channel="ris", code="AA", reference="1"))
    assert isinstance(order.body, ReturnReport)
    told = {one["channel"]: (one["state"], one["note"]) for one in deliveries_of(ris.region, order.body.report_id)}
    assert told["ris"] == ("FILED", None), "it was called off, and arrived all the same"
    assert told["archive"] == ("DROPPED", "version 2 (F) takes its place")
    assert ris.region.read()["state"] == "VERIFIED"
    ris.fetch()
    (final,) = ris.waiting
    ris.send(final)
    assert ris.region.read()["state"] == "CLOSED"


def test_a_preliminary_that_is_sent_again_as_another_message_is_filed_once(ris: Ris) -> None:
    ris.region.rxl.say(written("P"))
    ris.region.rxl.say(written("P"))
    ris.fetch()
    assert len(ris.waiting) == 1
    assert ris.region.events().count("report.dropped") == 1
    ris.region.rxl.say(received(status="P", text="Perhaps a lump after all", authored_at=START + timedelta(minutes=12)))
    ris.region.rxl.say(written("P"))
    ris.fetch()
    assert [order.body.version for order in ris.waiting if isinstance(order.body, ReturnReport)] == [1, 2]
    assert ris.region.events().count("report.dropped") == 2, "the first one once more, which is not the newest any more"
    assert ris.region.queue() == []
