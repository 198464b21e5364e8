"""Hazard 22: a reader who is not entitled; credentials are checked at assignment, at the claim and at signing.

Between any two of the steps the entitlement ends, in each way it can: it expires, it is revoked, the reader is made
inactive, or only another trust's credential is left. The next step is refused with the reason.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from router.app import open_store
from router.flows import assign_reads
from router.rules.planning import Decision, Snapshot, plan
from tests.fakes.fhir_samples import diagnostic_report, form
from tests.integration.router.region import Region, received, settled

NO_CREDENTIAL = "no valid credential for trust RXN"
NOT_ACTIVE = "the reader is not active"


@dataclass
class Reader:
    """Reader 1, the only one who could read for RXN, with the API as its systems and the staff call it."""

    region: Region

    @property
    def path(self) -> str:
        return "/readers/reader-1"

    def staff(self, method: str, path: str, **body: Any) -> Any:
        answer = self.region.client.request(method, path, json=body or None, headers=self.region.staff)
        assert answer.status_code in {200, 201, 204}, answer.text
        return answer

    def post(self, read: dict[str, Any], what: str, **body: Any) -> Any:
        path = f"/reads/{read['id']}/{what}"
        return self.region.client.post(path, json=body, headers=self.region.reader(1))

    def entitle(self, trust: str, hours: float) -> None:
        """Exactly one credential: from now, for so many hours."""
        self.revoke()
        now = self.region.clock()
        until = now + timedelta(hours=hours)
        body = {"trust": trust, "valid_from": now.isoformat(), "valid_until": until.isoformat()}
        self.staff("POST", f"{self.path}/credentials", **body)

    def revoke(self) -> None:
        for credential in self.region.get(self.path)["credentials"]:
            self.staff("DELETE", f"{self.path}/credentials/{credential['id']}")

    def expire(self) -> None:
        self.entitle("RXN", hours=1 / 60)
        self.region.clock.pass_s(60)

    def leave_another_trusts_only(self) -> None:
        self.entitle("RXL", hours=24)

    def deactivate(self) -> None:
        known = {key: value for key, value in self.region.get(self.path).items() if key not in {"id", "credentials"}}
        self.staff("PUT", self.path, **{**known, "active": False})


Ending = Callable[[Reader], None]
ENDINGS = [
    pytest.param(Reader.expire, NO_CREDENTIAL, id="expired"),
    pytest.param(Reader.revoke, NO_CREDENTIAL, id="revoked"),
    pytest.param(Reader.leave_another_trusts_only, NO_CREDENTIAL, id="another trust's only"),
    pytest.param(Reader.deactivate, NOT_ACTIVE, id="inactive"),
]


def only_reader_of(region: Region) -> Reader:
    """Reader 1 of a region whose reader 2 has left, so that what is refused to reader 1 waits."""
    for credential in region.get("/readers/reader-2")["credentials"]:
        path = f"/readers/reader-2/credentials/{credential['id']}"
        assert region.client.delete(path, headers=region.staff).status_code == 204
    return Reader(region)


@pytest.fixture
def reader(sqlite_region: Region) -> Reader:
    return only_reader_of(sqlite_region)


def by_fhir(region: Region, token: str, status: str) -> Any:
    """Reader 1's own system, under the live fencing token."""
    named = [{"system": "urn:readacross:transaction-uid", "value": token}]
    forms, word = [form(f"by fhir, {status}")], {"P": "preliminary", "F": "final"}[status]
    body = diagnostic_report(identifier=named, status=word, presentedForm=forms)
    headers = {**region.reader(1), "Content-Type": "application/fhir+json"}
    return region.client.post("/fhir/DiagnosticReport", content=json.dumps(body), headers=headers)


def check_that_nothing_was_returned(region: Region) -> None:
    orders = [*region.rxn.orders(after=0).orders, *region.rxl.orders(after=0).orders]
    assert "return" not in [order.body.kind for order in orders]


def check_that_it_waits_with_its_reason(region: Region, text: str, reason: str) -> None:
    kept = [(item, region.get(f"/reports/{item['report_id']}")) for item in region.queue("report_not_accepted")]
    (item,) = [item for item, report in kept if report["text"] == text]
    (report,) = [report for _, report in kept if report["text"] == text]
    assert item["reason"] == f"the author is not entitled to sign now: {reason}"
    assert (report["disposition"], report["version"], report["deliveries"]) == ("WAITING", None, [])


def test_all_three_steps_pass_while_the_entitlement_holds(region: Region) -> None:
    """The control: what the other tests see refused is refused for want of entitlement, and nothing else."""
    reader = only_reader_of(region)
    reader.entitle("RXN", hours=1)
    read = region.assign()
    token = region.claim(read)
    region.clock.pass_s(59 * 60)
    answer = reader.post(read, "report", transaction_uid=token, status="F", text="in time")
    assert answer.status_code == 201
    assert [order.body.kind for order in region.rxn.new_orders()] == ["return"]


@pytest.mark.parametrize(("end", "reason"), ENDINGS)
def test_it_is_not_assigned(reader: Reader, end: Ending, reason: str) -> None:
    region = reader.region
    end(reader)
    region.rxn.say(settled())
    region.plan()
    read = region.read()
    assert (read["state"], read["lease"]) == ("READY", None)
    waiting = region.get(f"/reads/{read['id']}/why")["waiting"]
    assert reason in {e["reader_id"]: e["reasons"] for e in waiting["exclusions"]}["reader-1"]
    assert region.rxl.new_orders() == ()
    answer = reader.post(read, "claim")
    assert (answer.status_code, answer.json()["error"]) == (403, "not_allowed")
    assert reason in answer.json()["message"]
    assert region.read()["state"] == "READY"


@pytest.mark.parametrize(("end", "reason"), ENDINGS)
def test_it_cannot_be_claimed_and_is_taken_back(reader: Reader, end: Ending, reason: str) -> None:
    region = reader.region
    read = region.assign()
    end(reader)
    answer = reader.post(read, "claim")
    assert (answer.status_code, answer.json()) == (403, {"error": "not_allowed", "message": reason})
    back = region.read()
    assert (back["state"], back["lease"]) == ("READY", None)
    (ended,) = region.get(f"/reads/{read['id']}/why")["assignments"]
    assert (ended["outcome"], ended["reason"]) == ("withdraw", reason)
    region.plan()
    assert region.read()["state"] == "READY"


@pytest.mark.parametrize(("end", "reason"), ENDINGS)
def test_it_cannot_be_signed_by_any_channel(reader: Reader, end: Ending, reason: str) -> None:
    region = reader.region
    read = region.assign()
    token = region.claim(read)
    end(reader)
    for status in ("P", "F"):
        answer = reader.post(read, "report", transaction_uid=token, status=status, text=f"by api, {status}")
        assert (answer.status_code, answer.json()["error"]) == (409, "report_held")
        assert reason in answer.json()["message"]
        region.rxl.say(received(status=status, text=f"by oru, {status}"))
        answer = by_fhir(region, token, status)
        assert (answer.status_code, reason in answer.text) == (202, True)
        for channel in ("api", "oru", "fhir"):
            check_that_it_waits_with_its_reason(region, f"by {channel}, {status}", reason)
    assert region.read()["state"] == "READING"
    check_that_nothing_was_returned(region)


def test_expiry_is_seen_at_every_step_on_both_databases(region: Region) -> None:
    """One credential that ends at a given instant: valid just before it, at that instant no longer."""
    reader = only_reader_of(region)
    reader.entitle("RXN", hours=1)
    for number in range(3):
        region.rxn.say(settled(f"1.2.{number}"))
    region.plan()
    claimed, offered = region.get("/reads", state="ASSIGNED")[:2]
    token = region.claim(claimed)
    region.clock.pass_s(3600)
    refused = reader.post(offered, "claim")
    assert (refused.status_code, refused.json()["message"]) == (403, NO_CREDENTIAL)
    filed = reader.post(claimed, "report", transaction_uid=token, status="F", text="a moment late")
    assert filed.status_code == 409
    check_that_it_waits_with_its_reason(region, "a moment late", NO_CREDENTIAL)
    region.rxn.say(settled("1.2.9"))
    region.plan()
    new = next(read for read in region.get("/reads") if read["study_instance_uid"] == "1.2.9")
    assert new["state"] == "READY"
    check_that_nothing_was_returned(region)


def test_a_credential_revoked_between_the_plan_and_its_execution_counts(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan_then_revoke(snapshot: Snapshot, **kept: Any) -> tuple[Decision, ...]:
        decisions = plan(snapshot, **kept)
        reader.revoke()
        return decisions

    monkeypatch.setattr(assign_reads, "plan", plan_then_revoke)
    reader.region.rxn.say(settled())
    reader.region.plan()
    assert reader.region.read()["state"] == "READY"
    assert reader.region.rxl.new_orders() == ()


def test_a_restart_does_not_bring_a_revoked_credential_back(reader: Reader) -> None:
    reader.revoke()
    open_store(reader.region.settings).database.dispose()
    reader.region.rxn.say(settled())
    reader.region.plan()
    assert reader.region.read()["state"] == "READY"
