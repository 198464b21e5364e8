"""What calls the router in `bench region`: nodes that hand over facts and carry orders out, and readers who read.

The load is open: a fact or a visit is due at its time whether or not the router has answered what came before, and
every delay counts from then.
"""

import hashlib
import http.client
import json
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from readacross.bench.region_studies import InventedStudy, StudySource, wall_clock

_TICK_S = 0.05
_FACTS_A_BATCH = 50
_POLL_S = 2
_HEALTH = {"state": "ok", "reasons": [], "free_bytes": 10**9, "parked_jobs": 0, "quarantined": 0, "outbox_depth": 0,
           "outbox_oldest_s": 0.0}  # fmt: skip


class CallFailed(Exception):
    """The router did not answer as it should."""


@dataclass
class Caller:
    """One connection that is kept open, with a bearer token."""

    address: str
    token: str
    _connection: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON of the answer; connects again once where the connection was closed meanwhile."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        for again in (True, False):
            try:
                if self._connection is None:
                    self._connection = http.client.HTTPConnection(self.address, timeout=120)
                self._connection.request(method, path, content, headers)
                answer = self._connection.getresponse()
                return answer.status, json.loads(answer.read() or b"null")
            except (http.client.HTTPException, OSError):
                self.close()
                if not again:
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Seen:
    """What the callers saw, in seconds of `time.monotonic`; filled by many threads."""

    due: dict[str, float] = field(default_factory=dict)
    """Study Instance UID → when its fact was due."""
    taken: dict[str, float] = field(default_factory=dict)
    ordered: dict[str, float] = field(default_factory=dict)
    """Study Instance UID → when the first order for its images came."""
    ordered_reads: list[tuple[str, float]] = field(default_factory=list)
    """(read id, when) of every first order of an assignment."""
    freed: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Reader id → when a report of its was taken."""
    acute: set[str] = field(default_factory=set)
    requests_s: list[float] = field(default_factory=list)
    orders: int = 0
    visits: int = 0
    empty_visits: int = 0
    failures: list[str] = field(default_factory=list)


class NodeClient:
    """One node: an outbox in order, and a long poll whose orders are carried out at once."""

    def __init__(self, address: str, ods_code: str, token: str, seen: Seen, stopping: threading.Event) -> None:
        self.ods_code, self._seen, self._stopping = ods_code, seen, stopping
        self._posts, self._polls = Caller(address, token), Caller(address, token)
        self._outbox: queue.SimpleQueue[tuple[dict[str, Any], str | None]] = queue.SimpleQueue()
        self._outbox_id, self._seq, self._after = str(uuid4()), 0, 0

    def settle(self, study: InventedStudy, due_s: float, study_time: Any) -> None:
        """The node finds the study settled."""
        self._seen.due[study.uid] = due_s
        if study.exam.pathway == "emergency":
            self._seen.acute.add(study.uid)
        self._outbox.put((study.settled(study_time), study.uid))

    def close(self) -> None:
        """Hang up, once nobody sends or polls any more."""
        self._posts.close()
        self._polls.close()

    @property
    def waiting(self) -> int:
        return self._outbox.qsize()

    def send(self) -> None:
        """Hand over what is in the outbox until stopped."""
        while not self._stopping.is_set() or self.waiting:
            batch = self._batch()
            if batch:
                self._hand_over(batch)
            else:
                time.sleep(_TICK_S)

    def _batch(self) -> list[tuple[dict[str, Any], str | None]]:
        batch: list[tuple[dict[str, Any], str | None]] = []
        while len(batch) < _FACTS_A_BATCH and not self._outbox.empty():
            batch.append(self._outbox.get())
        return batch

    def _hand_over(self, batch: list[tuple[dict[str, Any], str | None]]) -> None:
        now, facts = wall_clock().isoformat(), []
        for body, _ in batch:
            self._seq += 1
            facts.append({"seq": self._seq, "occurred_at": now, "body": body})
        message = {"version": 1, "outbox_id": self._outbox_id, "facts": facts, "health": _HEALTH}
        began = time.monotonic()
        status, answer = self._posts.call("POST", "/node/v1/facts", message)
        ended = time.monotonic()
        if status != 200:
            raise CallFailed(f"facts of {self.ods_code}: {status} {answer}")
        self._seen.requests_s.append(ended - began)
        self._seen.taken.update({uid: ended for _, uid in batch if uid is not None})

    def poll(self) -> None:
        """Carry out orders until stopped."""
        while not self._stopping.is_set():
            status, answer = self._polls.call("GET", f"/node/v1/orders?after={self._after}&wait={_POLL_S}")
            if status != 200:
                raise CallFailed(f"orders of {self.ods_code}: {status} {answer}")
            for order in answer["orders"]:
                self._after = order["seq"]
                self._carry_out(order, time.monotonic())

    def _carry_out(self, order: Mapping[str, Any], at_s: float) -> None:
        body, order_id = order["body"], order["order_id"]
        self._seen.orders += 1
        done: dict[str, Any] = {"kind": "order.completed", "order_id": order_id}
        if body["kind"] == "return":
            for channel, code in (("ris", "AA"), ("archive", "0000")):
                self._outbox.put(
                    (
                        {
                            "kind": "report.acknowledged",
                            "order_id": order_id,
                            "channel": channel,
                            "code": code,
                            "reference": "r",
                        },
                        None,
                    )
                )
        else:
            uid = body["study"]["study_instance_uid"]
            if self._seen.ordered.setdefault(uid, at_s) == at_s:
                self._seen.ordered_reads.append((body["read_id"], at_s))
            done |= _proof(body["manifest"])
        self._outbox.put((done, None))


def _proof(manifest: Mapping[str, Any]) -> dict[str, Any]:
    lines = "".join(f"{entry['sop_instance_uid']} {entry['digest']}\n" for entry in manifest["entries"])
    return {
        "instance_count": len(manifest["entries"]),
        "manifest_digest": hashlib.sha256(lines.encode()).hexdigest(),
    }


class Readers:
    """All readers in turn: each visit takes the first read of the reader's list and reports it."""

    def __init__(self, address: str, tokens: Mapping[str, str], rate: float, seen: Seen, stopping: threading.Event):
        self._ids, self._callers = list(tokens), {name: Caller(address, token) for name, token in tokens.items()}
        self._rate, self._seen, self._stopping = rate, seen, stopping
        self._next, self._lock = 0, threading.Lock()
        self._began_s = time.monotonic()

    def close(self) -> None:
        """Hang up, once nobody reads any more."""
        for caller in self._callers.values():
            caller.close()

    def read(self) -> None:
        """One of several threads: visits readers at the rate, until stopped."""
        while not self._stopping.is_set():
            with self._lock:
                number, self._next = self._next, self._next + 1
            wait_s = self._began_s + number / self._rate - time.monotonic()
            if wait_s > 0 and self._stopping.wait(wait_s):
                return
            self._visit(self._ids[number % len(self._ids)])

    def _visit(self, reader_id: str) -> None:
        caller = self._callers[reader_id]
        began = time.monotonic()
        status, listed = caller.call("GET", f"/reads?state=ASSIGNED&reader={reader_id}&limit=3")
        self._seen.visits += 1
        if status != 200:
            raise CallFailed(f"list of {reader_id}: {status} {listed}")
        if not listed:
            self._seen.empty_visits += 1
            return
        status, claim = caller.call("POST", f"/reads/{listed[0]['id']}/claim", {})
        if status != 200:
            return  # taken back or moved meanwhile
        report = {"transaction_uid": claim["transaction_uid"], "status": "F", "text": "No abnormality. " * 40}
        status, answer = caller.call("POST", f"/reads/{listed[0]['id']}/report", report)
        ended = time.monotonic()
        if status != 201:
            raise CallFailed(f"report of {reader_id}: {status} {answer}")
        self._seen.requests_s.append((ended - began) / 3)
        self._seen.freed[reader_id].append(ended)


class Arrivals:
    """Studies settle at the rate, each at its own node."""

    def __init__(self, nodes: list[NodeClient], source: StudySource, rate: float, stopping: threading.Event) -> None:
        self._nodes = {node.ods_code: node for node in nodes}
        self._source, self._rate, self._stopping = source, rate, stopping
        self.sent = 0

    def run(self) -> None:
        began_s = time.monotonic()
        while True:
            due_s = began_s + self.sent / self._rate
            if self._stopping.wait(max(0.0, due_s - time.monotonic())):
                return
            study = self._source.next()
            self._nodes[study.origin].settle(study, due_s, wall_clock() - timedelta(minutes=5))
            self.sent += 1


@contextmanager
def in_threads(work: list[Any], seen: Seen, stopping: threading.Event) -> Iterator[None]:
    """Run each in a thread of its own; on leaving, all are stopped and joined. A failure is kept, and ends the rest."""

    def guarded(job: Any) -> None:
        try:
            job()
        except (CallFailed, OSError, http.client.HTTPException) as error:
            if not stopping.is_set():
                seen.failures.append(f"{type(error).__name__}: {error}")
                stopping.set()

    threads = [threading.Thread(target=guarded, args=(job,), daemon=True) for job in work]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join(30)
