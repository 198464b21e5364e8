"""A node's poll: what is wrong with one order keeps no other one back, and a person is told."""

from typing import Any

import pytest
from sqlalchemy import insert, select

from router.store import tables as t
from tests.integration.router.region import START, Region

NOT_A_RETURN = {"kind": "return", "report_id": "nobody"}
OF_NO_KIND = {"study": {"study_instance_uid": "1.2.3.4"}}


def put_in_the_log(region: Region, body: dict[str, Any], order_id: str = "broken", read_id: str | None = None) -> None:
    """As the next order of the log of RXL's node, which no flow would write so."""
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    with store.write() as tx:
        values = {"order_id": order_id, "node": "RXL", "seq": tx.orders._next_seq("RXL"), "issued_at": START}
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
