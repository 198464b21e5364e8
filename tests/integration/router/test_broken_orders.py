"""A node's poll: what is wrong with one order keeps no other one back, and a person is told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from router.flows import tell_ris
from router.store import tables as t
from tests.integration.router.alert_region import CRITICAL, AlertRegion, running_alert_region
from tests.integration.router.region import START, Region, received

NOT_A_RETURN = {"kind": "return", "report_id": "nobody"}
OF_NO_KIND = {"study": {"study_instance_uid": "1.2.3.4"}}


def put_in_the_log(
    region: Region, body: dict[str, Any], order_id: str = "broken", read_id: str | None = None, node: str = "RXL"
) -> None:
    """As the next order of the log of a node, which no flow would write so."""
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    with store.write() as tx:
        values = {"order_id": order_id, "node": node, "seq": tx.orders._next_seq(node), "issued_at": START}
        tx.connection.execute(insert(t.node_order).values(**values, read_id=read_id, body=body))


def body_of_the_fetch(region: Region) -> dict[str, Any]:
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    with store.read() as tx:
        (row,) = tx.connection.execute(select(t.node_order)).all()
        return dict(row.body)


@pytest.mark.parametrize("body", [NOT_A_RETURN, OF_NO_KIND], ids=["a return without its report", "of no kind"])
def test_a_broken_order_keeps_no_other_one_from_the_node_and_a_person_is_told_once(
    region: Region, body: dict[str, Any]
) -> None:
    put_in_the_log(region, body)
    region.assign()
    for _ in range(2):
        assert [order.seq for order in region.rxl.orders(after=0).orders] == [2]
    (item,) = region.queue("broken_order")
    assert item["order_id"] == "broken"
    assert item["node"] == "RXL"


def test_a_fetch_whose_revision_is_gone_keeps_no_other_order_from_the_node(region: Region) -> None:
    read_id, body = region.assign()["id"], body_of_the_fetch(region)
    gone = body | {"study": body["study"] | {"study_instance_uid": "9.9.9"}, "revision": 7}
    put_in_the_log(region, gone, "gone", read_id)
    put_in_the_log(region, body, "whole", read_id)
    assert [order.seq for order in region.rxl.orders(after=0).orders] == [1, 3]
    assert [item["order_id"] for item in region.queue("broken_order")] == ["gone"]


def test_whole_orders_come_behind_more_broken_ones_than_a_batch_has(sqlite_region: Region) -> None:
    for number in range(60):
        put_in_the_log(sqlite_region, NOT_A_RETURN, f"broken-{number}")
    sqlite_region.assign()
    assert [order.seq for order in sqlite_region.rxl.orders(after=0).orders] == [61]
    assert len(sqlite_region.queue("broken_order")) == 60


OF_A_NEW_KIND = {"kind": "of next release", "study": {"study_instance_uid": "1.2.3.4"}}


@pytest.mark.parametrize("newer", ["a new field", "a new kind"])
def test_a_router_of_an_older_release_hands_over_nothing_from_an_order_on_that_it_does_not_know(
    sqlite_region: Region, newer: str
) -> None:
    region = sqlite_region
    read_id, body = region.assign()["id"], body_of_the_fetch(region)
    put_in_the_log(region, body | {"of_next_release": 1} if newer == "a new field" else OF_A_NEW_KIND, "new", read_id)
    put_in_the_log(region, body, "behind", read_id)
    for _ in range(2):
        assert [order.seq for order in region.rxl.orders(after=0).orders] == [1]
    assert region.rxl.orders(after=1).orders == ()
    (item,) = region.queue("broken_order")
    assert (item["order_id"], "newer release" in item["reason"]) == ("new", True)


@pytest.fixture
def alerted(tmp_path: Path) -> Iterator[AlertRegion]:
    """The origin's node has an order to tell its RIS of an alert, and a return behind it."""
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite", ris=True) as region:
        region.claim(region.offer())
        region.rxn.new_orders()
        body = {"read_id": region.read()["id"], "code": CRITICAL.model_dump()}
        assert region.client.post("/alerts", json=body, headers=region.reader()).is_success
        region.work()
        region.rxl.say(received())
        yield region


def kinds(region: Region) -> list[str]:
    return [order.body.kind for order in region.rxn.new_orders()]


def test_what_passes_at_an_alerts_link_fails_the_poll_and_the_next_one_has_it(
    alerted: AlertRegion, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(tell_ris, "make_link", _raising(MemoryError()))
        answer = alerted.client.get("/node/v1/orders", params={"after": alerted.rxn.after}, headers=alerted.rxn.headers)
    assert answer.status_code == 500
    assert alerted.queue("broken_order") == []
    assert kinds(alerted) == ["tell_ris", "return"]


def test_an_alert_whose_order_can_never_be_handed_over_goes_on_at_once(
    alerted: AlertRegion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell_ris, "make_link", _raising(LookupError()))
    assert kinds(alerted) == ["return"]
    alerted.work()
    assert len(alerted.queue("broken_order")) == 1
    assert alerted.mail.to() == ["results@rxn.test"]


def test_so_does_one_whose_order_the_contract_refuses(alerted: AlertRegion) -> None:
    told = alerted.rxn.new_orders()[0].body.model_dump(mode="json")
    put_in_the_log(alerted, told | {"level": "first"}, node="RXN")
    assert kinds(alerted) == []
    alerted.work()
    assert alerted.mail.to() == ["results@rxn.test"]


def _raising(error: Exception) -> Any:
    def fail(*_: object) -> None:
        raise error

    return fail
