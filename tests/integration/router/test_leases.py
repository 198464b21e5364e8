"""A read has at most one live lease: claims race, heartbeats keep, time takes away, stale tokens get nothing."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from router.flows import hold_lease
from router.model.errors import RouterError
from tests.integration.router.region import Region, received, running_region, settled


def post(region: Region, path: str, reader: int = 1, **body: Any) -> Any:
    return region.client.post(path, json=body, headers=region.reader(reader))


def test_of_two_hundred_claims_at_once_one_wins(region: Region) -> None:
    read = region.assign()
    store = region.client.app.state.services.store  # type: ignore[attr-defined]

    def claim(_: int) -> str:
        with store.write() as tx:
            claimed = hold_lease.claim(tx, read["id"], "reader-1", region.clock(), 120.0)
        assert not isinstance(claimed, str)
        assert claimed.lease is not None
        return claimed.lease.transaction_uid

    with ThreadPoolExecutor(40) as pool:
        tokens = set(pool.map(claim, range(200)))
    assert len(tokens) == 1
    assert region.read()["lease"]["epoch"] == 1
    assert region.events().count("read.claimed") == 1


def test_of_many_readers_who_pick_one_ready_read_one_wins(tmp_path: Any, database_url: str) -> None:
    with running_region(tmp_path / "r", database_url, readers=8) as region:
        region.rxn.say(settled())
        read = region.read()
        store = region.client.app.state.services.store  # type: ignore[attr-defined]

        def claim(number: int) -> str:
            try:
                with store.write() as tx:
                    claimed = hold_lease.claim(tx, read["id"], f"reader-{number % 8 + 1}", region.clock(), 120.0)
            except RouterError as error:
                return error.code
            assert not isinstance(claimed, str)
            assert claimed.lease is not None
            return f"won with {claimed.lease.transaction_uid}"

        with ThreadPoolExecutor(32) as pool:
            outcomes = set(pool.map(claim, range(200)))
        assert len({outcome for outcome in outcomes if outcome.startswith("won")}) == 1
        assert len(region.get(f"/reads/{read['id']}/why")["assignments"]) == 1
        orders = region.rxl.new_orders() + region.rxn.new_orders()
        assert len(orders) == 1


def test_a_claim_by_the_api_gives_the_token_to_its_holder_only(region: Region) -> None:
    read = region.assign()
    token = region.claim(read)
    assert token.startswith("2.25.")
    assert len(token) <= 64
    again = post(region, f"/reads/{read['id']}/claim")
    assert (again.status_code, again.json()["transaction_uid"]) == (200, token)
    assert region.events().count("read.claimed") == 1
    assert post(region, f"/reads/{read['id']}/claim", reader=2).status_code == 403
    assert token not in region.client.get(f"/reads/{read['id']}", headers=region.reader()).text


def test_a_holder_that_lost_its_credential_gets_no_token_again(region: Region) -> None:
    read = region.assign()
    region.claim(read)
    (credential,) = region.get("/readers/reader-1")["credentials"]
    path = f"/readers/reader-1/credentials/{credential['id']}"
    assert region.client.delete(path, headers=region.staff).status_code < 300
    assert post(region, f"/reads/{read['id']}/claim").status_code == 403


def test_another_readers_offer_cannot_be_claimed(region: Region) -> None:
    read = region.assign()
    assert post(region, f"/reads/{read['id']}/claim", reader=2).status_code == 403
    assert region.read()["state"] == "ASSIGNED"


def test_an_unclaimed_offer_is_offered_again(region: Region) -> None:
    read = region.assign()
    region.clock.pass_s(1799)
    region.plan()
    assert region.read()["lease"]["epoch"] == 1
    region.clock.pass_s(2)
    region.plan()
    offered = region.read()
    assert (offered["state"], offered["lease"]["epoch"]) == ("ASSIGNED", 2)
    history = region.get(f"/reads/{read['id']}/why")["assignments"]
    assert [entry["outcome"] for entry in history] == ["lapse", None]


def test_delivered_images_give_an_offer_its_full_time(region: Region) -> None:
    region.assign()
    (fetch,) = region.rxl.new_orders()
    region.rxl.complete(fetch)
    region.clock.pass_s(1700)
    (deliver,) = region.rxl.new_orders()
    region.rxl.complete(deliver)
    region.clock.pass_s(1700)
    region.plan()
    assert region.read()["lease"]["epoch"] == 1


def test_a_heartbeat_keeps_the_lease_and_its_absence_loses_it(region: Region) -> None:
    read = region.assign()
    token = region.claim(read)
    for _ in range(3):
        region.clock.pass_s(100)
        answer = post(region, f"/reads/{read['id']}/heartbeat", transaction_uid=token)
        assert answer.status_code == 200, answer.text
        region.plan()
        assert region.read()["state"] == "READING"
    region.clock.pass_s(121)
    region.plan()
    lost = region.read()
    assert (lost["state"], lost["lease"]["epoch"]) == ("ASSIGNED", 2)
    assert "read.lease_lost" in region.events()
    answer = post(region, f"/reads/{read['id']}/heartbeat", transaction_uid=token)
    assert (answer.status_code, answer.json()["error"]) == (409, "stale_lease")


def test_a_report_under_a_stale_token_is_kept_for_a_person(region: Region) -> None:
    read = region.assign()
    token = region.claim(read)
    region.clock.pass_s(121)
    region.plan()
    filed = {"transaction_uid": token, "status": "F", "text": "cut off mid-read", "report_id": "report-1"}
    for _ in range(2):
        answer = post(region, f"/reads/{read['id']}/report", **filed)
        assert (answer.status_code, answer.json()["error"]) == (409, "report_held")
    (item,) = region.queue("report_not_accepted")
    assert "fencing token is stale" in item["reason"]
    kept = region.get(f"/reports/{item['report_id']}")
    assert (kept["text"], kept["disposition"]) == ("cut off mid-read", "WAITING")
    assert region.read()["state"] == "ASSIGNED"
    assert "return" not in [order.body.kind for order in region.rxn.new_orders()]


def test_a_report_by_a_reader_who_lost_the_read_to_another_is_kept_for_a_person(region: Region) -> None:
    read = region.assign()
    token = region.claim(read)
    assert post(region, f"/reads/{read['id']}/decline", reason="unwell", transaction_uid=token).status_code == 200
    region.plan()
    assert region.read()["lease"]["reader_id"] == "reader-2"
    region.bring_images()
    region.rxl.say(received(author="C1000001"))
    assert region.queue("report_not_accepted")[0]["reason"] == "another reader holds the read"
    assert region.read()["state"] == "ASSIGNED"
    region.rxn.say(received(author="C1000002"))
    assert region.read()["state"] == "VERIFIED"


def test_a_report_by_the_api_goes_home(region: Region) -> None:
    read = region.assign()
    filed = {"transaction_uid": region.claim(read), "status": "F", "text": "Normal.", "report_id": "report-1"}
    answers = [post(region, f"/reads/{read['id']}/report", **filed) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert [order.body.kind for order in region.rxn.new_orders()] == ["return"]
    other = post(region, f"/reads/{read['id']}/report", **{**filed, "text": "Abnormal."})
    assert other.status_code == 403
    assert region.read()["state"] == "VERIFIED"


def test_who_declines_is_not_asked_again(region: Region) -> None:
    read = region.assign()
    assert post(region, f"/reads/{read['id']}/decline", reason="").status_code == 422
    assert post(region, f"/reads/{read['id']}/decline", reader=2, reason="not mine").status_code == 403
    assert post(region, f"/reads/{read['id']}/decline", reason="paediatric").json()["state"] == "READY"
    region.plan()
    assert region.read()["lease"]["reader_id"] == "reader-2"
    assert post(region, f"/reads/{read['id']}/decline", reader=2, reason="so do I").status_code == 200
    region.plan()
    assert region.read()["state"] == "READY"
    waiting = region.get(f"/reads/{read['id']}/why")["waiting"]
    assert [e["reasons"] for e in waiting["exclusions"]] == [["declined this read"], ["declined this read"]]


def test_a_claimed_read_is_declined_only_with_its_token(region: Region) -> None:
    read = region.assign()
    token = region.claim(read)
    assert post(region, f"/reads/{read['id']}/decline", reason="x", transaction_uid="2.25.1").status_code == 409
    assert post(region, f"/reads/{read['id']}/decline", reason="x", transaction_uid=token).status_code == 200


def test_a_read_is_put_aside_and_taken_up_again(region: Region) -> None:
    read = region.assign()
    token = region.claim(read)
    assert (
        post(region, f"/reads/{read['id']}/hold", transaction_uid=token, reason="priors?").json()["state"] == "ON_HOLD"
    )
    region.clock.pass_s(3000)
    region.plan()
    assert region.read()["state"] == "ON_HOLD"
    assert post(region, f"/reads/{read['id']}/resume", transaction_uid=token).json()["state"] == "READING"


def test_a_coordinator_takes_a_read_back(region: Region) -> None:
    read = region.assign()
    token = region.claim(read)
    answer = region.client.post(f"/reads/{read['id']}/take-back", json={"reason": "rota"}, headers=region.staff)
    assert answer.json()["state"] == "READY"
    assert post(region, f"/reads/{read['id']}/heartbeat", transaction_uid=token).status_code == 409


@pytest.mark.parametrize(("path", "state"), [("cancel", "CANCELLED"), ("fail", "FAILED")])
def test_a_coordinator_ends_a_read(region: Region, path: str, state: str) -> None:
    read = region.assign()
    answer = region.client.post(f"/reads/{read['id']}/{path}", json={"reason": "duplicate"}, headers=region.staff)
    assert answer.json()["state"] == state
    again = region.client.post(f"/reads/{read['id']}/{path}", json={"reason": "again"}, headers=region.staff)
    assert again.status_code == 409
    region.rxl.say(received())
    assert "nobody holds the read" in region.queue("report_not_accepted")[0]["reason"]


class TestEntitlementIsCheckedAtEveryStep:
    def revoke(self, region: Region, number: int = 1) -> None:
        (credential,) = region.get(f"/readers/reader-{number}")["credentials"]
        path = f"/readers/reader-{number}/credentials/{credential['id']}"
        assert region.client.delete(path, headers=region.staff).status_code == 204

    def test_at_assignment(self, region: Region) -> None:
        self.revoke(region)
        region.rxn.say(settled())
        region.plan()
        assert region.read()["lease"]["reader_id"] == "reader-2"

    def test_at_claim(self, region: Region) -> None:
        read = region.assign()
        self.revoke(region)
        answer = post(region, f"/reads/{read['id']}/claim")
        assert (answer.status_code, answer.json()["message"]) == (403, "no valid credential for trust RXN")
        assert region.read()["state"] == "READY"
        assert "read.lease_withdrawn" in region.events()
        region.plan()
        assert region.read()["lease"]["reader_id"] == "reader-2"

    def test_at_signing_by_a_fact(self, region: Region) -> None:
        read = region.assign()
        region.claim(read)
        self.revoke(region)
        region.rxl.say(received())
        assert "not entitled to sign now" in region.queue("report_not_accepted")[0]["reason"]
        assert region.read()["state"] == "READING"
        assert region.rxn.new_orders() == ()

    def test_at_signing_by_the_api(self, region: Region) -> None:
        read = region.assign()
        token = region.claim(read)
        self.revoke(region)
        answer = post(region, f"/reads/{read['id']}/report", transaction_uid=token, status="F", text="Normal.")
        assert (answer.status_code, answer.json()["error"]) == (409, "report_held")
        assert region.rxn.new_orders() == ()

    def test_when_it_expires_by_itself(self, region: Region) -> None:
        read = region.assign()
        region.clock.pass_s(60 * 24 * 3600)
        assert post(region, f"/reads/{read['id']}/claim").status_code == 403


def test_capacity_is_respected_and_given_back(tmp_path: Any, database_url: str) -> None:
    with running_region(tmp_path / "r", database_url, readers=1, capacity=-8) as region:
        for number in range(3):
            region.rxn.say(settled(f"1.2.{number}"))
        region.plan()
        states = [read["state"] for read in region.get("/reads")]
        assert states == ["ASSIGNED", "ASSIGNED", "READY"]
        first = region.get("/reads")[0]
        region.client.post(f"/reads/{first['id']}/cancel", json={"reason": "x"}, headers=region.staff)
        region.plan()
        assert [read["state"] for read in region.get("/reads")] == ["CANCELLED", "ASSIGNED", "ASSIGNED"]
