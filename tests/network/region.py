"""A region on loopback made of processes: a router, nodes of two trusts, their PACS and RIS, and a home workstation.

Everything is the real part; each can be killed, stopped and started again by its handle.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from readacross.demo.images import MadeStudy
from readacross.demo.report_messages import Signed
from router.app import issue_token
from router.config import load_router_settings
from tests.peers import dcmtk
from tests.peers.dcmtk import Target, Workstation, running_workstation
from tests.peers.node import MODALITY, peer, write_trust_file
from tests.peers.orthanc import Orthanc, running_orthanc
from tests.peers.processes import RunningProcess, free_port, wait_until
from tests.peers.ris import MllpRis

ORIGIN, READING = "RXN", "RXL"
ROUTING = Path(__file__).parents[2] / "config" / "routing.toml"
READER, REGISTRATION, READER_NAME = "dr-wyre", "C9990001", "Wyre Rowan"
OTHER_READER, OTHER_REGISTRATION = "dr-hodder", "C9990002"


@dataclass
class Node:
    """One trust's node as a process; `file` is its trust file."""

    ods_code: str
    file: Path
    dicom_port: int
    hl7_port: int
    process: RunningProcess | None = None

    @property
    def target(self) -> Target:
        return Target(f"{self.ods_code}_NODE", self.dicom_port)

    def start(self, die_after: str = "", nth: int = 1) -> None:
        """Start it; with `die_after` it kills itself (-9) after the nth time of that step."""
        arguments = [die_after, str(nth)] if die_after else []
        self.process = RunningProcess([sys.executable, "-m", "tests.peers.crashing_node", self.file, *arguments])
        self.process.wait_for_line(r"listening")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()

    def stop(self) -> int:
        assert self.process is not None
        return self.process.stop()


@dataclass
class Region:
    """The whole; `api` is an administrator's client."""

    folder: Path
    router_port: int
    database_url: str
    nodes: dict[str, Node]
    pacs: dict[str, Orthanc]
    ris: MllpRis
    workstation: Workstation
    plan_every_s: float = 0.2
    timeouts: str = ""
    router: RunningProcess | None = None
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def router_file(self) -> Path:
        return self.folder / "router.toml"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.router_port}"

    def start_router(self) -> None:
        command = [Path(sys.executable).with_name("readacross"), "router", self.router_file]
        self.router = RunningProcess(command).wait_for_port(self.router_port)

    def kill_router(self) -> None:
        assert self.router is not None
        self.router.kill()

    def call(self, method: str, path: str, who: str = "admin", body: Any = None, expect: int = 200) -> Any:
        """One API call as `who`; the JSON of the answer."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        answer = httpx2.request(method, self.url + path, headers=headers, json=body, timeout=10)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def reads(self, study: MadeStudy) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/reads?limit=1000")
        return [read for read in found if read["study_instance_uid"] == study.study_instance_uid]

    def read(self, study: MadeStudy) -> dict[str, Any]:
        """The newest read of the study."""
        return self.reads(study)[-1]

    def ledger(self, study: MadeStudy) -> list[dict[str, Any]]:
        traces = self.call("GET", f"/ledger?study_instance_uid={study.study_instance_uid}")
        return list(traces[0]["entries"]) if traces else []

    def steps(self, study: MadeStudy) -> list[str]:
        return [entry["event"] for entry in self.ledger(study)]

    def queue(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Open items of the human queue."""
        items: list[dict[str, Any]] = self.call("GET", "/human-queue")
        return [item for item in items if kind is None or item["kind"] == kind]

    def wait_for_state(self, study: MadeStudy, state: str, deadline_s: float = 30) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            with contextlib.suppress(httpx2.TransportError, IndexError):
                read = self.read(study)
                if read["state"] == state:
                    return read
            return None

        return self.wait(reached, f"the read is {state}", study, deadline_s)

    def wait_for_images(self, study: MadeStudy, deadline_s: float = 30) -> dict[str, Any]:
        """The read, once its images were proven to be on the workstation."""

        def delivered() -> dict[str, Any] | None:
            with contextlib.suppress(httpx2.TransportError, IndexError):
                read = self.read(study)
                if read["images_delivered_at"]:
                    return read
            return None

        return self.wait(delivered, "images are on the workstation", study, deadline_s)

    def wait(
        self, condition: Callable[[], Any], what: str, study: MadeStudy | None = None, deadline_s: float = 30
    ) -> Any:
        """Wait; on failure say what the ledger, the queue and the processes say."""
        try:
            return wait_until(condition, what, deadline_s)
        except TimeoutError as error:
            lines = [str(error)]
            with contextlib.suppress(httpx2.TransportError, AssertionError):
                lines += [str(entry) for entry in self.ledger(study)] if study else []
                lines += [f"queue: {item}" for item in self.queue()]
            for node in self.nodes.values():
                lines += [f"--- node {node.ods_code}", (node.process.output if node.process else "")[-3000:]]
            lines += ["--- router", (self.router.output if self.router else "")[-3000:]]
            raise AssertionError("\n".join(lines)) from None

    def acquire(self, study: MadeStudy) -> dcmtk.Answer:
        """The origin's modality sends the study."""
        return dcmtk.send([file.path for file in study.files], self.nodes[ORIGIN].target)

    def signed(self, study: MadeStudy, text: str, registration: str = REGISTRATION) -> Signed:
        return Signed(study, ORIGIN, text, registration, READER_NAME, datetime.now(UTC).replace(microsecond=0))


@contextmanager
def running_region(
    folder: Path,
    database_url: str | None = None,
    *,
    timeouts: str = "",
    attempts: int = 40,
    second_reader: bool = False,
    returns: str = "",
    reports: str = "",
) -> Iterator[Region]:
    """Run a region with Orthanc as both PACS; `timeouts` are lines for the router's file.

    `returns` are lines of the origin's `[trusts.returns]` in network.toml, `reports` tables of its own file.
    """
    with ExitStack() as stack:
        pacs = {ods: stack.enter_context(running_orthanc(f"{ods}_PACS")) for ods in (ORIGIN, READING)}
        workstation = stack.enter_context(running_workstation("HOME_WS"))
        ris = stack.enter_context(MllpRis())
        region = Region(
            folder,
            free_port(),
            database_url or "sqlite:///router.db",
            {ods: Node(ods, folder / ods / f"{ods}.toml", free_port(), free_port()) for ods in (ORIGIN, READING)},
            pacs,
            ris,
            workstation,
            timeouts=timeouts,
        )
        _write_router_files(region, second_reader, returns)
        _issue_tokens(region, second_reader)
        _write_trust_files(region, attempts, reports)
        try:
            region.start_router()
            for node in region.nodes.values():
                node.start()
            yield region
        finally:
            for process in (*(node.process for node in region.nodes.values()), region.router):
                if process is not None:
                    process.stop()


def _write_router_files(region: Region, second_reader: bool, returns: str) -> None:
    nodes = "\n".join(
        f'[[nodes]]\nods_code = "{ods}"\nae_title = "{ods}_NODE"\nhost = "127.0.0.1"\nport = {node.dicom_port}'
        for ods, node in region.nodes.items()
    )
    wishes = {ORIGIN: f"\n[trusts.returns]\n{returns}"} if returns else {}
    trusts = "\n".join(
        f'[[trusts]]\nods_code = "{ods}"\nname = "Trust {ods}"{wishes.get(ods, "")}' for ods in region.nodes
    )
    readers = [(READER, REGISTRATION, 1000)] + ([(OTHER_READER, OTHER_REGISTRATION, 500)] if second_reader else [])
    region.folder.mkdir(parents=True, exist_ok=True)
    (region.folder / "network.toml").write_text(f"{trusts}\n{nodes}\n")
    (region.folder / "readers.toml").write_text("\n".join(_reader(*reader) for reader in readers))
    (region.folder / "routing.toml").write_text(ROUTING.read_text())
    region.router_file.write_text(
        f"""
[router]
listen = "127.0.0.1:{region.router_port}"
database_url = "{region.database_url}"
seeds = {{ network = "network.toml", readers = "readers.toml", routing = "routing.toml" }}
plan_every_s = {region.plan_every_s}
list_length = 1000
{region.timeouts}
"""
    )


def _reader(reader_id: str, registration: str, capacity: int) -> str:
    start = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    end = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"""
[[readers]]
id = "{reader_id}"
name = "{READER_NAME}"
registration = "{registration}"
employer = "{READING}"
modalities = ["CT", "MR", "CR"]
subspecialties = ["neuro", "chest"]
workstation = {{ node = "{READING}", ae_title = "HOME_WS" }}
credentials = [{{ trust = "{ORIGIN}", valid_from = {start}, valid_until = {end} }}]
sessions = [{{ start = {start}, end = {end}, capacity_reads = {capacity} }}]
"""


def _issue_tokens(region: Region, second_reader: bool) -> None:
    settings = load_router_settings(region.router_file)
    region.tokens["admin"] = issue_token(settings, "admin", "test")
    for ods in region.nodes:
        region.tokens[ods] = issue_token(settings, "node", ods)
    for reader in [READER, *([OTHER_READER] if second_reader else [])]:
        region.tokens[reader] = issue_token(settings, "reader", reader)


def _write_trust_files(region: Region, attempts: int, reports: str) -> None:
    peers = {
        ORIGIN: [reports, MODALITY, peer(f"{READING}_NODE", "node", ("echo", "get"))],
        READING: [
            peer(f"{ORIGIN}_NODE", "node", ("echo", "get")),
            peer("HOME_WS", "workstation", ("echo", "store", "find", "get"), region.workstation.address),
        ],
    }
    archives = {
        ORIGIN: f'kind = "orthanc"\nurl = "{region.pacs[ORIGIN].url}"',
        READING: f'kind = "dimse"\nae_title = "{READING}_PACS"\naddress = "{region.pacs[READING].dicom_address}"',
    }
    for ods, node in region.nodes.items():
        write_trust_file(
            node.file.parent,
            ods_code=ods,
            port=node.dicom_port,
            hl7_port=node.hl7_port,
            router_url=region.url,
            token=region.tokens[ods],
            archive=archives[ods],
            ris=region.ris.address,
            peers=peers[ods],
            settle_quiet_s=0.5,
            attempts=attempts,
        )
