"""No state without a timeout: what lasts too long is shown to a person, once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicom_nodes.contract import ReportAcknowledged
from tests.integration.router.region import Region, received, running_region, settled


def later(region: Region, seconds: float) -> list[str]:
    """Kinds of open items after so much time, with two rounds of the planner."""
    region.clock.pass_s(seconds)
    region.plan()
    region.plan()
    return sorted(item["kind"] for item in region.queue() if item["kind"] not in {"node_silent", "past_due"})


def test_a_read_nobody_can_take_is_shown_once_and_again_after_a_resolve_that_changed_nothing(
    sqlite_region: Region,
) -> None:
    region = sqlite_region
    for number in (1, 2):
        body = {k: v for k, v in region.get(f"/readers/reader-{number}").items() if k not in {"id", "credentials"}}
        region.client.put(f"/readers/reader-{number}", json={**body, "active": False}, headers=region.staff)
    region.rxn.say(settled())
    assert later(region, 3500) == []
    assert later(region, 200) == ["overdue"]
    (item,) = region.queue("overdue")
    assert "waits for an eligible reader; owner: planner" in item["reason"]
    region.client.post(f"/human-queue/{item['id']}/resolve", json={"note": "rota asked"}, headers=region.staff)
    assert later(region, 3500) == []
    assert later(region, 200) == ["overdue"]
    (again,) = region.queue("overdue")
    assert again["reason"] == f"{item['reason']} (asked for the 2. time; it still holds)"
    assert later(region, 10_000) == ["overdue"]


def test_an_unmapped_exam_nobody_routes_is_overdue(sqlite_region: Region) -> None:
    sqlite_region.rxn.say(settled(exam_code={"value": "Q", "scheme": "Z"}))
    assert later(sqlite_region, 901) == ["overdue", "unmapped_exam"]


def test_a_report_the_origin_does_not_acknowledge_is_overdue(sqlite_region: Region) -> None:
    sqlite_region.offer()
    sqlite_region.rxl.say(received())
    assert later(sqlite_region, 3599) == []
    assert later(sqlite_region, 2) == ["overdue"]


def test_a_report_that_is_not_filed_everywhere_is_overdue(sqlite_region: Region) -> None:
    sqlite_region.offer()
    sqlite_region.rxl.say(received())
    (order,) = sqlite_region.rxn.new_orders()
    sqlite_region.rxn.say(ReportAcknowledged(order_id=order.order_id, channel="ris", code="AA", reference="1"))
    assert later(sqlite_region, 3601) == ["overdue"]


def test_a_preliminary_without_its_final_is_overdue(sqlite_region: Region) -> None:
    sqlite_region.offer()
    sqlite_region.rxl.say(received(status="P"))
    assert later(sqlite_region, 86_401) == ["overdue"]


def test_a_read_that_is_on_hold_too_long_is_overdue(sqlite_region: Region) -> None:
    read = sqlite_region.assign()
    token = sqlite_region.claim(read)
    body = {"transaction_uid": token, "reason": "question"}
    sqlite_region.client.post(f"/reads/{read['id']}/hold", json=body, headers=sqlite_region.reader())
    assert later(sqlite_region, 14_401) == ["overdue"]


def test_a_read_past_its_due_time_is_shown_once_and_again_after_a_resolve(sqlite_region: Region) -> None:
    sqlite_region.assign()
    sqlite_region.clock.pass_s(23 * 3600 + 1)
    for _ in range(3):
        sqlite_region.plan()
        sqlite_region.clock.pass_s(60)
    (item,) = sqlite_region.queue("past_due")
    sqlite_region.client.post(f"/human-queue/{item['id']}/resolve", json={"note": "x"}, headers=sqlite_region.staff)
    sqlite_region.plan()
    assert sqlite_region.queue("past_due") == []
    sqlite_region.clock.pass_s(14_401)
    sqlite_region.plan()
    assert [again["read_id"] for again in sqlite_region.queue("past_due")] == [item["read_id"]]


def test_a_read_that_lapses_again_and_again_is_shown(sqlite_region: Region) -> None:
    sqlite_region.assign()
    kinds: list[str] = []
    for _ in range(3):
        assert kinds == []
        kinds = later(sqlite_region, 1801)
    assert kinds == ["lapsing_read"]


def test_a_node_that_stops_talking_is_shown_once_for_each_silence(sqlite_region: Region) -> None:
    region = sqlite_region
    region.rxn.say(settled())
    region.rxl.orders()
    region.clock.pass_s(250)
    region.rxl.orders()
    region.clock.pass_s(60)
    region.plan()
    region.plan()
    assert [item["node"] for item in region.queue("node_silent")] == ["RXN"]
    (item,) = region.queue("node_silent")
    region.client.post(f"/human-queue/{item['id']}/resolve", json={"note": "rang"}, headers=region.staff)
    region.rxl.orders()
    region.plan()
    assert region.queue("node_silent") == []
    region.clock.pass_s(299)
    region.rxl.orders()
    region.plan()
    assert region.queue("node_silent") == []
    region.clock.pass_s(1)
    region.plan()
    assert [item["node"] for item in region.queue("node_silent")] == ["RXN"]
    region.rxn.orders()
    region.clock.pass_s(301)
    region.plan()
    assert sorted(item["node"] for item in region.queue("node_silent")) == ["RXL", "RXN", "RXN"]


def test_a_node_that_was_never_heard_is_shown_once(region: Region) -> None:
    region.plan()
    assert region.queue("node_silent") == []
    region.clock.pass_s(301)
    region.plan()
    region.plan()
    items = region.queue("node_silent")
    assert sorted(item["node"] for item in items) == ["RXL", "RXN"]
    assert all("ever" in item["reason"] for item in items)


def test_what_a_silent_node_last_said_is_not_shown_as_present(sqlite_region: Region) -> None:
    region = sqlite_region
    region.rxn.say(settled())

    def shown() -> dict[str, tuple[bool, float | None, int | None]]:
        nodes = region.get("/nodes")
        return {node["ods_code"]: (node["silent"], node["outbox_oldest_s"], node["outbox_depth"]) for node in nodes}

    assert shown() == {"RXN": (False, 0.0, 0), "RXL": (True, None, None)}
    region.clock.pass_s(301)
    assert shown() == {"RXN": (True, None, None), "RXL": (True, None, None)}


@pytest.mark.peers("postgresql")
def test_two_replicas_assign_a_read_once(tmp_path: Path, postgresql_url: str) -> None:
    with running_region(tmp_path / "a", postgresql_url) as one, running_region(tmp_path / "b", postgresql_url) as two:
        for number in range(6):
            one.rxn.say(settled(f"1.2.{number}"))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda region: [region.plan() for _ in range(3)], (one, two)))
        one.plan()
        assert {read["lease"]["epoch"] for read in one.get("/reads")} == {1}
        assert len(one.get("/reads", state="ASSIGNED")) == 6
        orders = one.rxl.orders(after=0).orders + one.rxn.orders(after=0).orders
        assert len(orders) == 6
