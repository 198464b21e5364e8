"""Acknowledgements and completions come in any order; the read closes with the last of them."""

from itertools import permutations

import pytest

from dicom_nodes.contract import FactBody, OrderCompleted, ReportAcknowledged
from tests.integration.router.region import Region, received


def returned(region: Region) -> str:
    """A final report of reader-1, whose images were delivered, is on its way home under this order."""
    region.assign()
    for _ in ("fetch", "deliver"):
        region.rxl.complete(region.rxl.new_orders()[0])
    region.rxl.say(received())
    (order,) = region.rxn.new_orders()
    return order.order_id


@pytest.mark.parametrize("order", list(permutations(("ris", "archive", "done"))))
def test_the_read_closes_with_the_last_of_all_answers(region: Region, order: tuple[str, ...]) -> None:
    order_id = returned(region)
    facts: dict[str, FactBody] = {
        "ris": ReportAcknowledged(order_id=order_id, channel="ris", code="AA", reference="1"),
        "archive": ReportAcknowledged(order_id=order_id, channel="archive", code="0000", reference="1"),
        "done": OrderCompleted(order_id=order_id),
    }
    for said in order:
        assert region.read()["state"] != "CLOSED"
        region.rxn.say(facts[said])
    assert region.read()["state"] == "CLOSED"
    assert region.events().count("read.closed") == 1


def test_an_item_about_a_missing_acknowledgement_closes_with_its_arrival(region: Region) -> None:
    order_id = returned(region)
    region.rxn.say(
        ReportAcknowledged(order_id=order_id, channel="ris", code="AA", reference="1"),
        OrderCompleted(order_id=order_id),
    )
    assert len(region.queue("report_unacknowledged")) == 1
    region.rxn.say(ReportAcknowledged(order_id=order_id, channel="archive", code="0000", reference="1"))
    assert region.queue("report_unacknowledged") == []
