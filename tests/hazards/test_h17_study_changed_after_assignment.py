"""Hazard 17: a study changes after it was assigned; a new revision interrupts whoever reads the old one.

A series is added at every stage of the reading. The reader is told at the next heartbeat, nothing written of the old
images becomes the report of the new, and the whole study is read.
"""

from typing import Any

import pytest

from dicom_nodes.contract import DeliverStudy, FetchStudy, ReturnReport
from tests.integration.router.region import Region, received, settled

OLD, NEW = "ab", "abc"


def add_a_series(region: Region) -> None:
    region.rxn.say(settled(revision=2, contents=NEW))


def read_of(region: Region, revision: int) -> dict[str, Any]:
    (read,) = [read for read in region.get("/reads") if read["revision"] == revision]
    assert isinstance(read, dict)
    return read


def post(region: Region, read: dict[str, Any], what: str, body: dict[str, Any]) -> Any:
    return region.client.post(f"/reads/{read['id']}/{what}", json=body, headers=region.reader())


@pytest.fixture
def region(sqlite_region: Region) -> Region:
    """Only reader-1 works, so that the fresh read comes to the same reader."""
    sqlite_region.change_reader("reader-2", active=False)
    return sqlite_region


@pytest.mark.parametrize("state", ["READING", "ON_HOLD", "PRELIMINARY"])
def test_a_reader_in_the_middle_is_interrupted_and_the_whole_study_is_read(region: Region, state: str) -> None:
    read = region.offer()
    token = region.claim(read)
    if state == "ON_HOLD":
        post(region, read, "hold", {"transaction_uid": token, "reason": "a question"})
    if state == "PRELIMINARY":
        post(region, read, "report", {"transaction_uid": token, "status": "P", "text": "So far nothing"})
    assert region.read()["state"] == state
    add_a_series(region)
    told = post(region, read, "heartbeat", {"transaction_uid": token})
    assert (told.status_code, told.json()["error"]) == (409, "stale_lease")
    assert read_of(region, 1)["state"] == "SUPERSEDED"
    late = post(region, read, "report", {"transaction_uid": token, "status": "F", "text": "Nothing at all"})
    assert (late.status_code, late.json()["error"]) == (409, "report_held")
    assert region.rxn.new_orders() == ()

    region.plan()
    region.bring_images()
    fresh = read_of(region, 2)
    assert (fresh["state"], fresh["replaces"]) == ("ASSIGNED", read["id"])
    again = region.claim(fresh)
    assert again != token
    done = post(
        region, fresh, "report", {"transaction_uid": again, "status": "F", "text": "A fracture in the new series"}
    )
    assert done.status_code == 201
    (order,) = region.rxn.new_orders()
    assert isinstance(order.body, ReturnReport)
    assert order.body.text == "A fracture in the new series"


def test_an_offer_gets_the_new_images_and_a_report_written_before_them_waits(region: Region) -> None:
    region.offer()
    region.clock.pass_s(60)
    add_a_series(region)
    region.clock.pass_s(60)
    region.rxl.say(received(authored_at=region.clock()))
    assert "revision 2 of the images has not been delivered" in region.queue("report_not_accepted")[0]["reason"]
    (fetch,) = region.rxl.new_orders()
    assert isinstance(fetch.body, FetchStudy)
    assert (fetch.body.revision, len(fetch.body.manifest.entries)) == (2, len(NEW))
    region.rxl.complete(fetch)
    (deliver,) = region.rxl.new_orders()
    assert isinstance(deliver.body, DeliverStudy)
    region.rxl.complete(deliver)
    region.clock.pass_s(60)
    region.rxl.say(received(text="With all series"))
    (order,) = region.rxn.new_orders()
    assert isinstance(order.body, ReturnReport)
    assert order.body.text == "With all series"


def test_images_after_the_final_report_make_a_read_of_their_own_and_are_shown(region: Region) -> None:
    region.offer()
    region.rxl.say(received())
    (order,) = region.rxn.new_orders()
    region.rxn.return_report(order)
    add_a_series(region)
    (item,) = region.queue("late_images")
    assert "a final report stands for the revision before" in item["reason"]
    assert read_of(region, 1)["state"] == "CLOSED"
    assert read_of(region, 2)["state"] == "READY"
