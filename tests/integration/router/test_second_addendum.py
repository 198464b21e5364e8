"""A second addendum goes home with the report and the first: whoever shows one text a study shows all of it."""

from dicom_nodes.contract import Order, ReturnReport
from tests.integration.router.region import Region, received


def returned(region: Region) -> tuple[Order, ReturnReport]:
    """The one return that was ordered, and what it says; it is acknowledged then."""
    (order,) = region.rxn.new_orders()
    assert isinstance(order.body, ReturnReport)
    region.rxn.return_report(order)
    return order, order.body


def test_what_a_second_addendum_is_added_to_holds_the_first(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    region.rxl.say(received(text="No fracture."))
    returned(region)
    for text in ("Rib 7 is broken.", "Rib 8, too."):
        region.clock.pass_s(60)
        region.rxl.say(received(text=text, status="C", addendum=True, authored_at=region.clock()))
        _, body = returned(region)
    assert body.text == "Rib 8, too."
    standing = body.standing_text or ""
    assert standing.startswith("No fracture.\n\nAddendum by ")
    assert standing.endswith(":\nRib 7 is broken.")
