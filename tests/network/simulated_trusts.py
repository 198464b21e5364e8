"""Trusts as the router sees them over HTTP: a node that keeps what it owes, and a RIS and archive that can be down.

The node's part follows the real node's rules (it repeats what was not taken, remembers what was acknowledged, refuses
what goes backwards), so that a proof over many trusts needs no process for each.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import httpx2

from dicom_nodes.contract import (
    DeliverStudy,
    Fact,
    FactBatch,
    FactBody,
    FetchStudy,
    Order,
    OrderBatch,
    OrderCompleted,
    OrderParked,
    RecallReport,
    ReportAcknowledged,
    ReturnReport,
)
from dicom_nodes.rules.report_order import Filed, goes_backwards
from tests.integration.router.region import HEALTH

_FACTS_A_BATCH = 25


@dataclass
class Systems:
    """The trust's RIS and archive: what each took, in order."""

    down: bool = False
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(channel, report id) → how often it came."""
    shown: dict[tuple[str, str], ReturnReport] = field(default_factory=dict)
    """(channel, Study Instance UID) → what it holds now."""
    backwards: list[str] = field(default_factory=list)
    filed: dict[tuple[str, str], Filed] = field(default_factory=dict)

    def take(self, channel: str, body: ReturnReport) -> str | None:
        """Why the node must not send it; None where it was taken."""
        key = (channel, body.study.study_instance_uid)
        why = goes_backwards(body.version, body.status, self.filed.get(key))
        if why is not None:
            return why
        self.taken[channel, body.report_id] += 1
        if key in self.shown and self.shown[key].version > body.version:
            self.backwards.append(body.report_id)
        before = self.filed.get(key)
        now = Filed(body.version, body.status)
        self.filed[key] = now if before is None else before.and_also(body.version, body.status)
        self.shown[key] = body
        return None


@dataclass
class SimulatedTrust:
    """One trust's node, reached by nobody: it calls the router."""

    ods_code: str
    token: str
    systems: Systems = field(default_factory=Systems)
    outbox_id: str = field(default_factory=lambda: str(uuid4()))
    outbox: list[Fact] = field(default_factory=list)
    said: int = 0
    log_id: str | None = None
    after: int = 0
    owed: dict[str, tuple[ReturnReport, list[str]]] = field(default_factory=dict)
    """Order id → report and the channels that have not acknowledged it."""

    def say(self, bodies: Iterable[FactBody]) -> None:
        """Put facts into the outbox."""
        for body in bodies:
            self.said += 1
            self.outbox.append(Fact(seq=self.said, occurred_at=datetime.now(UTC), body=body))

    def step(self, client: httpx2.Client) -> bool:
        """Hand facts over, fetch orders, carry out what can be; whether anything is left. A dead router is no loss."""
        try:
            self._hand_over(client)
            self._fetch(client)
        except httpx2.TransportError:
            return True
        self._carry_out()
        return bool(self.outbox or self.owed)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

    def _hand_over(self, client: httpx2.Client) -> None:
        while self.outbox:
            facts = tuple(self.outbox[:_FACTS_A_BATCH])
            batch = FactBatch(outbox_id=self.outbox_id, facts=facts, health=HEALTH)
            answer = client.post("/node/v1/facts", content=batch.model_dump_json(), headers=self._headers())
            assert answer.status_code == 200, answer.text
            through = answer.json()["accepted_through"]
            self.outbox = [fact for fact in self.outbox if fact.seq > through]

    def _fetch(self, client: httpx2.Client) -> None:
        params: dict[str, str | int] = {"after": self.after, "wait": 0}
        if self.log_id is not None:
            params["log_id"] = self.log_id
        answer = client.get("/node/v1/orders", params=params, headers=self._headers())
        assert answer.status_code == 200, answer.text
        batch = OrderBatch.model_validate(answer.json())
        self.log_id = batch.log_id
        for order in batch.orders:
            self.after = max(self.after, order.seq)
            self._take(order)

    def _take(self, order: Order) -> None:
        match order.body:
            case FetchStudy() | DeliverStudy():
                manifest = order.body.manifest
                count = len(manifest.entries)
                done = OrderCompleted(order_id=order.order_id, instance_count=count, manifest_digest=manifest.digest)
                self.say([done])
            case ReturnReport():
                assert order.body.study.origin == self.ods_code, "a report of another trust"
                self.owed[order.order_id] = (order.body, list(order.body.channels or ("ris", "archive")))
            case RecallReport():
                body, channels = self.owed.pop(order.body.order_id, (None, []))
                left = [channel for channel in channels if channel not in order.body.channels]
                if body is not None and left:
                    self.owed[order.body.order_id] = (body, left)
                self.say([OrderCompleted(order_id=order.order_id)])

    def _carry_out(self) -> None:
        if self.systems.down:
            return
        for order_id, (body, channels) in list(self.owed.items()):
            del self.owed[order_id]
            refusals = [why for why in (self._send(order_id, channel, body) for channel in channels) if why is not None]
            if refusals:
                self.say([OrderParked(order_id=order_id, reason=refusals[0], attempts=1)])
            else:
                self.say([OrderCompleted(order_id=order_id)])

    def _send(self, order_id: str, channel: str, body: ReturnReport) -> str | None:
        why = self.systems.take(channel, body)
        if why is None:
            code = "AA" if channel == "ris" else "0000"
            said = {"order_id": order_id, "channel": channel, "code": code, "reference": body.report_id}
            self.say([ReportAcknowledged.model_validate(said)])
        return why
