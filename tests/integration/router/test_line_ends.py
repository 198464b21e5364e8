"""A report goes home with one line end, and is kept as it came."""

from hashlib import sha256

from dicom_nodes.contract import ReportSection, ReturnReport
from tests.integration.router.region import Region, received


def test_a_report_of_cr_lf_goes_home_with_lf_and_is_kept_as_it_came(sqlite_region: Region) -> None:
    text = "FINDINGS\r\nNo bleed.\r\r\nOld: none.\rNormal.\n"
    sqlite_region.offer()
    sqlite_region.rxl.say(received(text=text, sections=(ReportSection(title="FINDINGS", text="No bleed.\r\n"),)))
    (order,) = sqlite_region.rxn.new_orders()
    assert isinstance(order.body, ReturnReport)
    assert order.body.text == "FINDINGS\nNo bleed.\n\nOld: none.\nNormal.\n"
    assert order.body.sections[0].text == "No bleed.\n"
    (kept,) = sqlite_region.get(f"/reads/{sqlite_region.read()['id']}/reports")
    assert kept["text_sha256"] == sha256(text.encode()).hexdigest()


def test_an_addendum_goes_home_with_lf_in_what_it_is_added_to(sqlite_region: Region) -> None:
    sqlite_region.offer()
    sqlite_region.rxl.say(received(text="No bleed.\r\nNormal."))
    (first,) = sqlite_region.rxn.new_orders()
    sqlite_region.rxn.return_report(first)
    sqlite_region.clock.pass_s(60)
    at = sqlite_region.clock()
    sqlite_region.rxl.say(received(text="And\r\nthe neck.", status="C", addendum=True, authored_at=at))
    (added,) = sqlite_region.rxn.new_orders()
    assert isinstance(added.body, ReturnReport)
    assert (added.body.standing_text, added.body.text) == ("No bleed.\nNormal.", "And\nthe neck.")
