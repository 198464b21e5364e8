"""Hazard 9: a claim held by a dead workstation; the heartbeat stops, the lease ends, the read goes to another reader.

The fencing token separates the two: what the old reader still sends is kept and shown to a person, never returned.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from dicom_nodes.contract import ReturnReport
from tests.integration.router.region import NodeSide, Region, received, settled

HEARTBEAT_TIMEOUT_S = 120


@dataclass
class Cut:
    """A read whose workstation fell silent; `old_token` is what that workstation still holds."""

    region: Region
    read_id: str
    old_token: str

    def post(self, what: str, reader: int, **body: Any) -> Any:
        return self.region.client.post(f"/reads/{self.read_id}/{what}", json=body, headers=self.region.reader(reader))

    def read(self) -> dict[str, Any]:
        read: dict[str, Any] = self.region.get(f"/reads/{self.read_id}")
        return read

    def returned(self, node: NodeSide) -> list[str]:
        """Texts of the reports that this node was ordered to return."""
        return [order.body.text for order in node.orders(after=0).orders if isinstance(order.body, ReturnReport)]


def cut_mid_read(region: Region) -> Cut:
    """Reader 1 claims, keeps the lease by heartbeats for longer than one timeout, then nothing more is heard."""
    read = region.assign()
    cut = Cut(region, read["id"], region.claim(read))
    for _ in range(3):
        region.clock.pass_s(HEARTBEAT_TIMEOUT_S - 1)
        assert cut.post("heartbeat", 1, transaction_uid=cut.old_token).status_code == 200
        region.plan()
    assert (cut.read()["state"], cut.read()["lease"]["epoch"]) == ("READING", 1)
    region.clock.pass_s(HEARTBEAT_TIMEOUT_S + 1)
    return cut


@pytest.fixture
def cut(region: Region) -> Cut:
    """The lease has ended and the read was offered to reader 2, who did not have it before."""
    cut = cut_mid_read(region)
    region.plan()
    offered = cut.read()
    assert (offered["state"], offered["lease"]["reader_id"], offered["lease"]["epoch"]) == ("ASSIGNED", "reader-2", 2)
    return cut


def take_over(cut: Cut) -> str:
    """Reader 2 claims; returns the new fencing token."""
    token = cut.region.claim(cut.read(), reader=2)
    assert token != cut.old_token
    return token


def check_that_it_is_kept_for_a_person(cut: Cut, text: str, reason: str) -> None:
    """Exactly one report with this text waits, with the reason; the read and both order logs know nothing of it."""
    kept = [cut.region.get(f"/reports/{item['report_id']}") for item in cut.region.queue("report_not_accepted")]
    (report,) = [report for report in kept if report["text"] == text]
    (item,) = [item for item in cut.region.queue() if item["report_id"] == report["id"]]
    assert (report["disposition"], item["read_id"]) == ("WAITING", cut.read_id)
    assert reason in item["reason"]
    assert text not in cut.returned(cut.region.rxn) + cut.returned(cut.region.rxl)


def test_the_ledger_says_that_the_lease_was_lost_and_to_whom_it_went(cut: Cut) -> None:
    history = cut.region.get(f"/reads/{cut.read_id}/why")["assignments"]
    assert [(entry["reader_id"], entry["outcome"]) for entry in history] == [("reader-1", "lose"), ("reader-2", None)]
    assert history[0]["reason"] == "no heartbeat in time"
    events = cut.region.events()
    assert events.index("read.claimed") < events.index("read.lease_lost") < len(events) - 1
    assert events.count("read.assigned") == 2


def test_the_workstation_that_comes_back_is_told_to_stop(cut: Cut) -> None:
    token = take_over(cut)
    before = cut.read()
    for what, words in (("heartbeat", {}), ("hold", {"reason": "x"}), ("resume", {}), ("decline", {"reason": "x"})):
        answer = cut.post(what, 1, transaction_uid=cut.old_token, **words)
        assert (answer.status_code, answer.json()["error"]) in {(409, "stale_lease"), (403, "not_allowed")}, what
    assert cut.read() == before
    assert cut.post("heartbeat", 2, transaction_uid=token).status_code == 200


@pytest.mark.parametrize("taken_over", [False, True], ids=["offered", "taken over"])
def test_the_old_readers_reports_are_kept_and_not_returned(cut: Cut, taken_over: bool) -> None:
    if taken_over:
        take_over(cut)
    before = cut.read()
    filed = {"transaction_uid": cut.old_token, "status": "F", "text": "cut off, by api", "report_id": "old-report"}
    for _ in range(2):
        answer = cut.post("report", 1, **filed)
        assert (answer.status_code, answer.json()["error"]) == (409, "report_held")
        assert "another reader holds the read" in answer.json()["message"]
    cut.region.rxl.say(received(author="C1000001", text="cut off, by oru"))
    for text in ("cut off, by api", "cut off, by oru"):
        check_that_it_is_kept_for_a_person(cut, text, "another reader holds the read")
    assert cut.read() == before


def test_the_new_readers_report_is_returned_and_the_late_one_of_the_old_reader_is_not(cut: Cut) -> None:
    token = take_over(cut)
    filed = {"status": "F", "text": "read to the end", "report_id": "new-report"}
    stale = cut.post("report", 2, transaction_uid=cut.old_token, **{**filed, "report_id": "by-mistake"})
    assert (stale.status_code, "fencing token is stale" in stale.json()["message"]) == (409, True)
    assert cut.post("report", 2, transaction_uid=token, **filed).status_code == 201
    assert cut.post("report", 1, transaction_uid=cut.old_token, status="F", text="late by api").status_code == 409
    cut.region.rxl.say(received(author="C1000001", text="late by oru"))
    for text in ("late by api", "late by oru"):
        check_that_it_is_kept_for_a_person(cut, text, "a final report already stands")
    assert cut.returned(cut.region.rxn) == ["read to the end"]
    assert cut.returned(cut.region.rxl) == []
    (order,) = [o for o in cut.region.rxn.orders(after=0).orders if isinstance(o.body, ReturnReport)]
    cut.region.rxn.return_report(order)
    assert cut.read()["state"] == "CLOSED"


def test_the_same_reader_with_a_new_lease_cannot_report_under_the_old_token(sqlite_region: Region) -> None:
    region = sqlite_region
    cut = cut_mid_read(region)
    for credential in region.get("/readers/reader-2")["credentials"]:
        path = f"/readers/reader-2/credentials/{credential['id']}"
        assert region.client.delete(path, headers=region.staff).status_code == 204
    region.plan()
    assert (cut.read()["lease"]["reader_id"], cut.read()["lease"]["epoch"]) == ("reader-1", 2)
    token = region.claim(cut.read())
    answer = cut.post("report", 1, transaction_uid=cut.old_token, status="F", text="from the dead window")
    assert (answer.status_code, answer.json()["error"]) == (409, "report_held")
    check_that_it_is_kept_for_a_person(cut, "from the dead window", "the fencing token is stale")
    assert cut.post("report", 1, transaction_uid=token, status="F", text="read again").status_code == 201
    assert cut.returned(region.rxn) == ["read again"]


def test_while_nobody_has_the_read_a_late_report_waits_for_a_person(sqlite_region: Region) -> None:
    region = sqlite_region
    cut = cut_mid_read(region)
    region.clock.pass_s(12 * 3600)
    region.plan()
    assert (cut.read()["state"], cut.read()["lease"]) == ("READY", None)
    region.rxl.say(received(author="C1000001", text="nobody's"))
    answer = cut.post("report", 1, transaction_uid=cut.old_token, status="F", text="nobody's by api")
    assert answer.status_code == 409
    for text in ("nobody's", "nobody's by api"):
        check_that_it_is_kept_for_a_person(cut, text, "nobody holds the read")


def test_only_the_silent_reader_loses_its_read(sqlite_region: Region) -> None:
    region = sqlite_region
    cut = cut_mid_read(region)
    region.rxn.say(settled("1.2.3.5"))
    region.plan()
    other = next(read for read in region.get("/reads") if read["study_instance_uid"] == "1.2.3.5")
    token = region.claim(other)
    region.clock.pass_s(HEARTBEAT_TIMEOUT_S - 1)
    region.plan()
    assert region.get(f"/reads/{other['id']}")["state"] == "READING"
    body = {"transaction_uid": token}
    beat = region.client.post(f"/reads/{other['id']}/heartbeat", json=body, headers=region.reader(1))
    assert beat.status_code == 200
    assert "read.lease_lost" not in region.events("1.2.3.5")
    assert "read.lease_lost" in region.events()
    assert cut.read()["lease"]["epoch"] == 2
