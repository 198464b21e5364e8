"""A small region for the router's tests: settings on disk, facts as a node would send them, a clock that tests own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi.testclient import TestClient

from dicom_nodes.contract import (
    ExamCode,
    Fact,
    FactBatch,
    FactBody,
    Manifest,
    ManifestEntry,
    NodeHealth,
    Order,
    OrderBatch,
    OrderCompleted,
    PatientIdentity,
    ReportAcknowledged,
    ReportAuthor,
    ReportReceived,
    ReturnReport,
    StudyIdentity,
    StudySettled,
)
from router.app import create_app
from router.config import RouterSettings, load_router_settings
from router.web.network import issue_checked
from tests.integration.router.laid_out import lay_out

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
HEALTH = NodeHealth(
    state="ok", reasons=(), free_bytes=10**9, parked_jobs=0, quarantined=0, outbox_depth=0, outbox_oldest_s=0.0
)
PATIENT = PatientIdentity(issuer="RXN", patient_id="H100200", nhs_number="9990000018", birth_date=date(1950, 2, 3))

_NETWORK = """
trusts = [{ ods_code = "RXN", name = "N" }, { ods_code = "RXL", name = "L" }, { ods_code = "RTX", name = "X" }]
nodes = [
  { ods_code = "RXN", ae_title = "RXN_NODE", host = "127.0.0.1", port = 11112 },
  { ods_code = "RXL", ae_title = "RXL_NODE", host = "127.0.0.1", port = 11113 },
]
"""
_READER = """
[[readers]]
id = "{id}"
name = "Dr {id}"
registration = "{registration}"
employer = "RXL"
modalities = ["CT", "MR"]
subspecialties = ["neuro"]
workstation = {{ node = "{node}", ae_title = "WS_{number}" }}
credentials = [{{ trust = "RXN", valid_from = 2026-01-01T00:00:00Z, valid_until = 2027-01-01T00:00:00Z }}]
sessions = [{{ start = 2026-11-02T08:00:00Z, end = 2026-11-02T18:00:00Z, capacity_reads = {capacity} }}]
"""
_ROUTING = """
readable_modalities = ["CT", "MR"]
priorities = { urgent = 24.0, routine = 672.0 }
exams = [
  { code = "CSKUH", subspecialty = "neuro", minutes = 7.0, priority = "urgent" },
  { modalities = ["CT"], subspecialty = "neuro", minutes = 7.0, priority = "routine" },
]
"""
_ROUTER = """
[router]
listen = "127.0.0.1:0"
database_url = "{url}"
plan_every_s = {plan_every_s}
claim_timeout_s = 1800.0
heartbeat_timeout_s = 120.0
seeds = {{ network = "network.toml", readers = "readers.toml", routing = "routing.toml" }}
"""


@dataclass
class TestClock:
    """Time that moves only when a test says so."""

    __test__ = False
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def write_region(
    folder: Path, database_url: str, readers: int = 2, capacity: int = 50, plan_every_s: float = 3600.0
) -> RouterSettings:
    """Settings files of a region: RXN makes images; RXL employs all; reader-2 sits at RXN, the others at RXL."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network.toml").write_text(_NETWORK)
    (folder / "routing.toml").write_text(_ROUTING)
    (folder / "readers.toml").write_text(
        "".join(
            _READER.format(
                id=f"reader-{n}",
                number=n,
                registration=f"C{1000000 + n}",
                node="RXN" if n == 2 else "RXL",
                capacity=capacity + (10 if n == 1 else 0),
            )
            for n in range(1, readers + 1)
        )
    )
    file = folder / "router.toml"
    file.write_text(_ROUTER.format(url=database_url, plan_every_s=plan_every_s))
    return load_router_settings(file)


def manifest(*contents: str) -> Manifest:
    """A manifest with an instance a content."""
    entries = [
        ManifestEntry(
            sop_instance_uid=f"1.2.3.{number}",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            series_instance_uid="1.2.3",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            digest=content * 64,
            size_bytes=100,
        )
        for number, content in enumerate(contents)
    ]
    return Manifest(entries=tuple(entries))


def settled(uid: str = "1.2.3.4", revision: int = 1, contents: str = "ab", **changes: Any) -> StudySettled:
    """A settled CT head of RXN."""
    identity = {
        "study_instance_uid": uid,
        "origin": changes.pop("origin", "RXN"),
        "accession_number": changes.pop("accession_number", f"A-{uid}"),
        "accession_issuer": changes.pop("accession_issuer", "RXN"),
        "patient": changes.pop("patient", PATIENT),
    }
    values: dict[str, Any] = {
        "study": StudyIdentity(**identity),
        "revision": revision,
        "study_time": START - timedelta(hours=1),
        "modalities": ("CT",),
        "description": "CT HEAD",
        "exam_code": ExamCode(value="CSKUH", scheme="NICIP"),
        "body_part": "HEAD",
        "sending_ae_title": "CT1",
        "manifest": manifest(*contents),
    }
    return StudySettled(**{**values, **changes})


def received(
    uid: str | None = "1.2.3.4", status: str = "F", author: str = "C1000001", **changes: Any
) -> ReportReceived:
    """A report of the settled study, by reader-1 unless said otherwise."""
    values: dict[str, Any] = {
        "report_id": str(uuid4()),
        "channel": "hl7_oru",
        "study_instance_uid": uid,
        "accession_number": None,
        "accession_issuer": None,
        "patient": PATIENT,
        "status": status,
        "text": "No acute <5 mm abnormality | A & B ^ C ~ D \\ E",
        "author": ReportAuthor(registration=author, name="Dr Reader"),
        "authored_at": None,
        "original_reference": "original",
        "original_digest": "0" * 64,
    }
    return ReportReceived(**{**values, **changes})


@dataclass
class NodeSide:
    """A node as the router sees it: an outbox, and a position in the order log."""

    client: TestClient
    token: str
    clock: TestClock
    outbox_id: str = field(default_factory=lambda: str(uuid4()))
    seq: int = 0
    after: int = 0

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def fact(self, body: FactBody) -> Fact:
        self.seq += 1
        return Fact(seq=self.seq, occurred_at=self.clock(), body=body)

    def post(self, *facts: Fact, outbox_id: str | None = None) -> Any:
        batch = FactBatch(outbox_id=outbox_id or self.outbox_id, facts=facts, health=HEALTH)
        return self.client.post(
            "/node/v1/facts",
            content=batch.model_dump_json(),
            headers={**self.headers, "Content-Type": "application/json"},
        )

    def say(self, *bodies: FactBody) -> None:
        """Hand facts over, which must be taken."""
        answer = self.post(*[self.fact(body) for body in bodies])
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"accepted_through": self.seq}

    def orders(self, wait: float = 0, after: int | None = None, log_id: str | None = None) -> OrderBatch:
        params: dict[str, Any] = {"after": self.after if after is None else after, "wait": wait}
        if log_id is not None:
            params["log_id"] = log_id
        answer = self.client.get("/node/v1/orders", params=params, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return OrderBatch.model_validate(answer.json())

    def new_orders(self) -> tuple[Order, ...]:
        """Orders since the last call."""
        batch = self.orders()
        if batch.orders:
            self.after = batch.orders[-1].seq
        return batch.orders

    def complete(self, order: Order) -> None:
        body = order.body
        digest = getattr(body, "manifest", None)
        self.say(
            OrderCompleted(
                order_id=order.order_id,
                instance_count=None if digest is None else len(digest.entries),
                manifest_digest=None if digest is None else digest.digest,
            )
        )

    def return_report(self, order: Order) -> None:
        """Acknowledge on both channels, then complete."""
        assert isinstance(order.body, ReturnReport)
        acknowledged = {"order_id": order.order_id, "reference": "r"}
        self.say(ReportAcknowledged(channel="ris", code="AA", **acknowledged))  # type: ignore[arg-type]
        self.say(ReportAcknowledged(channel="archive", code="0000", **acknowledged))  # type: ignore[arg-type]
        self.complete(order)


@dataclass
class Region:
    """A running router with its two nodes, planned only when a test says so."""

    settings: RouterSettings
    clock: TestClock
    client: TestClient
    rxn: NodeSide
    rxl: NodeSide

    def plan(self) -> None:
        """One round of the planner, at the test's time."""
        self.client.app.state.planner.run_once()  # type: ignore[attr-defined]

    def token(self, role: str, subject: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {issue(self.client, role, subject)}"}

    def get(self, path: str, **params: Any) -> Any:
        answer = self.client.get(path, params=params, headers=self.staff)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @property
    def staff(self) -> dict[str, str]:
        if not hasattr(self, "_staff"):
            self._staff = self.token("admin", "test")
        return self._staff

    def change_reader(self, reader_id: str, **changes: Any) -> None:
        """Change these of what is known of the reader, such as `employer`, from now on."""
        reader = self.get(f"/readers/{reader_id}")
        body = {key: value for key, value in reader.items() if key not in {"id", "credentials"}} | changes
        answer = self.client.put(f"/readers/{reader_id}", json=body, headers=self.staff)
        assert answer.status_code == 200, answer.text

    def know_msk(self) -> None:
        """RXL has an exam of another subspecialty and group than those of the exam table, which has no group."""
        row = {"local_code": "K1", "standard_code": "XKNEE", "standard_scheme": "NICIP", "group": "xr_knee"}
        rest = {"modality": "CT", "subspecialty": "msk", "minutes": 3.0, "pathway": "routine"}
        answer = self.client.put("/trusts/RXL/exam-codes", json={"codes": [row | rest]}, headers=self.staff)
        assert answer.status_code == 200, answer.text

    def reader(self, number: int = 1) -> dict[str, str]:
        return self.token("reader", f"reader-{number}")

    def read(self, index: int = -1, **params: Any) -> dict[str, Any]:
        found = self.get("/reads", **params)[index]
        assert isinstance(found, dict)
        return found

    def queue(self, kind: str | None = None) -> list[dict[str, Any]]:
        found = self.get("/human-queue", **({} if kind is None else {"kind": kind}))
        assert isinstance(found, list)
        return found

    def events(self, uid: str = "1.2.3.4") -> list[str]:
        """Names of the study's ledger entries, in order."""
        return [entry["event"] for entry in self.get("/ledger", study_instance_uid=uid)[0]["entries"]]

    def assign(self, uid: str = "1.2.3.4", **changes: Any) -> dict[str, Any]:
        """Settle a study at RXN and plan it to reader-1."""
        self.rxn.say(settled(uid, **changes))
        self.plan()
        read = self.read()
        assert read["state"] == "ASSIGNED", read
        return read

    def offer(self, uid: str = "1.2.3.4", **changes: Any) -> dict[str, Any]:
        """Settle a study at RXN, plan it to reader-1, and bring its images to the workstation."""
        self.assign(uid, **changes)
        self.bring_images()
        return self.read()

    def bring_images(self) -> None:
        """Both nodes carry out every fetch and delivery that is ordered."""
        while orders := [(node, order) for node in (self.rxl, self.rxn) for order in node.new_orders()]:
            for node, order in orders:
                assert order.body.kind in {"fetch", "deliver"}
                node.complete(order)

    def claim(self, read: dict[str, Any], reader: int = 1) -> str:
        """Claim and return the fencing token."""
        answer = self.client.post(f"/reads/{read['id']}/claim", headers=self.reader(reader))
        assert answer.status_code == 200, answer.text
        token = answer.json()["transaction_uid"]
        assert isinstance(token, str)
        return token


def issue(client: TestClient, role: str, subject: str) -> str:
    """A token, made without the API."""
    services = client.app.state.services  # type: ignore[attr-defined]
    with services.store.write() as tx:
        return issue_checked(tx, role, subject, services.now())[1]  # type: ignore[arg-type]


@contextmanager
def running_region(folder: Path, database_url: str, **options: Any) -> Iterator[Region]:
    """A router over this database that plans only when the test calls `Region.plan`."""
    settings = write_region(folder, database_url, **options)
    clock = TestClock()
    lay_out(database_url)
    app = create_app(settings, clock, plan_in_background=False)
    with TestClient(app) as client:
        nodes = [NodeSide(client, issue(client, "node", ods_code), clock) for ods_code in ("RXN", "RXL")]
        yield Region(settings, clock, client, *nodes)
