"""The network of the proof: a router and a node for each trust, every one a process, and a RIS for each trust."""

import random
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from router.app import issue_token
from router.config import RouterSettings, load_router_settings
from tests.network.proof.failing_ris import TIMEOUT_S, FailingRis
from tests.peers.dcmtk import running_workstation
from tests.peers.node import MODALITY, peer, write_trust_file
from tests.peers.processes import RunningProcess, free_port, wait_until

_READACROSS = Path(sys.executable).with_name("readacross")
_ROUTER = """
[router]
listen = "127.0.0.1:{port}"
database_url = "sqlite:///router.sqlite"
plan_every_s = {plan_every_s}
claim_timeout_s = 360000.0
list_length = 1000
seeds = {{ network = "network.toml", readers = "readers.toml", routing = "routing.toml" }}
"""
_ROUTING = """
readable_modalities = ["CT"]
priorities = { routine = 672.0 }
exams = [{ code = "CSKUH", subspecialty = "neuro", minutes = 7.0, priority = "routine" }]
"""
_READER = """
[[readers]]
id = "{id}"
name = "Wyre Rowan"
registration = "{registration}"
employer = "{node}"
modalities = ["CT"]
subspecialties = ["neuro"]
workstation = {{ node = "{node}", ae_title = "WS_{node}" }}
sessions = [{{ start = {start}, end = {end}, capacity_reads = 100000 }}]
credentials = [
{credentials}
]
"""
_REPORTS_HOME = """
[ris]
address = "{ris}"
timeout_s = {timeout_s}
[reports]
channels = ["ris"]
"""


def reader_of(ods_code: str) -> str:
    """Id of the reader who sits at this trust."""
    return f"reader-{ods_code.lower()}"


@dataclass
class Trust:
    """A trust's node and RIS."""

    ods_code: str
    file: Path
    dicom_port: int
    hl7_port: int
    ris: FailingRis
    process: RunningProcess | None = None

    def start(self) -> None:
        command: list[str | Path] = [_READACROSS, "node", self.file]
        self.process = RunningProcess(command).wait_for_port(self.hl7_port, 120)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()


@dataclass
class Network:
    """The whole. Every third trust wants preliminary reports; `failing` are those whose RIS fails in turns."""

    folder: Path
    port: int
    readers: dict[str, str]
    """ODS code of a reading trust → its reader's registration."""
    failing: tuple[str, ...]
    trusts: dict[str, Trust] = field(default_factory=dict)
    admin: str = ""
    router: RunningProcess | None = None

    def __post_init__(self) -> None:
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)

    def start(self) -> None:
        command: list[str | Path] = [_READACROSS, "router", self.folder / "router.toml"]
        self.router = RunningProcess(command).wait_for_port(self.port, 120)

    def kill(self) -> None:
        assert self.router is not None
        self.router.kill()

    def wants_preliminary(self, origin: str) -> bool:
        return list(self.trusts).index(origin) % 3 != 2

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """One call of the administrator's, again while the router is dead; the JSON of the answer."""

        def answered() -> httpx2.Response | None:
            with suppress(httpx2.TransportError):
                headers = {"Authorization": f"Bearer {self.admin}"}
                return self.client.request(method, path, params=params, json=body, headers=headers)
            return None

        answer = wait_until(answered, f"{method} {path} is answered", 60)
        assert answer is not None
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def all(self, path: str, page: int = 200, **params: Any) -> list[dict[str, Any]]:
        """Every page of a listing that is paged by id."""
        found: list[dict[str, Any]] = []
        while part := self.call("GET", path, limit=page, **params, **({"after": found[-1]["id"]} if found else {})):
            found += part
        return found

    def outputs(self) -> str:
        """The last words of every process."""
        said = [f"--- router\n{self.router.output[-3000:] if self.router else ''}"]
        said += [
            f"--- {one.ods_code}\n{one.process.output[-1500:] if one.process else ''}" for one in self.trusts.values()
        ]
        return "\n".join(said)


@contextmanager
def running_network(
    folder: Path,
    trusts: Sequence[str],
    readers: dict[str, str],
    failing: tuple[str, ...],
    chance: random.Random,
    phone_after_s: float,
    plan_every_s: float,
) -> Iterator[Network]:
    """Start everything, the nodes beside one another."""
    network = Network(folder, free_port(), readers, failing)
    with ExitStack() as stack:
        for ods_code in trusts:
            ris = stack.enter_context(FailingRis(random.Random(chance.random())))
            file = folder / ods_code / f"{ods_code}.toml"
            network.trusts[ods_code] = Trust(ods_code, file, free_port(), free_port(), ris)
        workstations = {code: stack.enter_context(running_workstation(f"WS_{code}")).address for code in readers}
        settings = _write_router(network, phone_after_s, plan_every_s)
        network.admin = issue_token(settings, "admin", "test")
        _write_trusts(network, settings, workstations)
        stack.callback(network.client.close)
        stack.callback(_stop, network)
        network.start()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(Trust.start, network.trusts.values()))
        yield network


def _stop(network: Network) -> None:
    for process in (network.router, *(trust.process for trust in network.trusts.values())):
        if process is not None:
            process.kill()


def _write_router(network: Network, phone_after_s: float, plan_every_s: float) -> RouterSettings:
    folder, codes = network.folder, list(network.trusts)
    now = datetime.now(UTC)
    start, end = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (now - timedelta(hours=1), now + timedelta(days=2)))
    returns = 'channels = ["ris"], closed_by = ["ris"]'
    lines = []
    for code in codes:
        wishes = f"{returns}, preliminary = {str(network.wants_preliminary(code)).lower()}"
        wishes += f", phone_after_s = {phone_after_s}" if code in network.failing else ""
        lines.append(f'  {{ ods_code = "{code}", name = "Trust {code}", returns = {{ {wishes} }} }},')
    nodes = "\n".join(
        f'  {{ ods_code = "{code}", ae_title = "{code}_NODE", host = "127.0.0.1", port = {trust.dicom_port} }},'
        for code, trust in network.trusts.items()
    )
    credentials = "\n".join(f'  {{ trust = "{code}", valid_from = {start}, valid_until = {end} }},' for code in codes)
    readers = [
        _READER.format(
            id=reader_of(code), node=code, registration=registration, start=start, end=end, credentials=credentials
        )
        for code, registration in network.readers.items()
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network.toml").write_text(f"trusts = [\n{chr(10).join(lines)}\n]\nnodes = [\n{nodes}\n]\n")
    (folder / "readers.toml").write_text("".join(readers))
    (folder / "routing.toml").write_text(_ROUTING)
    file = folder / "router.toml"
    file.write_text(_ROUTER.format(port=network.port, plan_every_s=plan_every_s))
    return load_router_settings(file)


def _write_trusts(network: Network, settings: RouterSettings, workstations: dict[str, str]) -> None:
    for code, trust in network.trusts.items():
        others = [peer(f"{other}_NODE", "node", ("echo", "get")) for other in network.trusts if other != code]
        tables = [_REPORTS_HOME.format(ris=trust.ris.address, timeout_s=TIMEOUT_S), MODALITY, *others]
        if code in workstations:
            tables.append(peer(f"WS_{code}", "workstation", ("echo",), workstations[code]))
        write_trust_file(
            trust.file.parent,
            ods_code=code,
            port=trust.dicom_port,
            hl7_port=trust.hl7_port,
            router_url=f"http://127.0.0.1:{network.port}",
            token=issue_token(settings, "node", code),
            peers=tables,
            settle_quiet_s=0.2,
            attempts=8 if code in network.failing else 40,
        )
