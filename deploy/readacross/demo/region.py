"""The files of the demonstration's region: two trusts, a router, three readers. Written fresh for every run."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from readacross.demo.children import free_ports

ORIGIN, READING = "RXN", "RXL"
NAMES = {ORIGIN: "Lancashire Teaching Hospitals", READING: "Blackpool Teaching Hospitals"}
MODALITY, WORKSTATION = "DEMO_MODALITY", "DEMO_HOME_WS"
READER_ID, READER_NAME, REGISTRATION = "dr-wyre", "Wyre Rowan", "C9990001"


@dataclass(frozen=True, slots=True)
class Node:
    """Where a demonstration node listens and keeps things."""

    ods_code: str
    dicom_port: int
    hl7_port: int
    folder: Path

    @property
    def ae_title(self) -> str:
        return f"{self.ods_code}_NODE"

    @property
    def file(self) -> Path:
        return self.folder / f"{self.ods_code}.toml"

    @property
    def token_file(self) -> Path:
        return self.folder / f"{self.ods_code}.token"

    @property
    def archive(self) -> Path:
        return self.folder / f"pacs-{self.ods_code}"


@dataclass(frozen=True, slots=True)
class Region:
    """Everything's place. `folder` holds all state of this run."""

    folder: Path
    router_port: int
    nodes: dict[str, Node]

    @property
    def router_file(self) -> Path:
        return self.folder / "router.toml"

    @property
    def router_url(self) -> str:
        return f"http://127.0.0.1:{self.router_port}"


def lay_out(folder: Path) -> Region:
    """Empty `folder` and choose ports; nothing is written yet."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    router, *ports = free_ports(5)
    nodes = {
        ods_code: Node(ods_code, ports[2 * number], ports[2 * number + 1], folder)
        for number, ods_code in enumerate((ORIGIN, READING))
    }
    return Region(folder, router, nodes)


def write_files(region: Region, workstation: str, ris: dict[str, str]) -> None:
    """Write every settings file. `workstation` and `ris` (by ODS code) are HOST:PORT."""
    now = datetime.now(UTC)
    times = {"since": _toml_time(now - timedelta(days=1)), "until": _toml_time(now + timedelta(days=30))}
    origin, reading = region.nodes[ORIGIN], region.nodes[READING]
    _write(region.router_file, _ROUTER.format(port=region.router_port))
    _write(region.folder / "network.toml", _NETWORK.format(origin=origin, reading=reading, names=NAMES))
    _write(region.folder / "readers.toml", _READERS.format(**times))
    _write(region.folder / "routing.toml", _ROUTING)
    for node, peers in ((origin, _ORIGIN_PEERS), (reading, _READING_PEERS.format(workstation=workstation))):
        trust = _TRUST.format(node=node, name=NAMES[node.ods_code], url=region.router_url, ris=ris[node.ods_code])
        _write(node.file, trust + peers)


def _write(file: Path, text: str) -> None:
    file.write_text(text.lstrip(), encoding="utf-8")


def _toml_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


_ROUTER = """
[router]
listen = "127.0.0.1:{port}"
database_url = "sqlite:///router.db"
seeds = {{ network = "network.toml", readers = "readers.toml", routing = "routing.toml" }}
plan_every_s = 0.5
"""

_NETWORK = """
trusts = [
  {{ ods_code = "RXN", name = "{names[RXN]}" }},
  {{ ods_code = "RXL", name = "{names[RXL]}" }},
]
nodes = [
  {{ ods_code = "RXN", ae_title = "{origin.ae_title}", host = "127.0.0.1", port = {origin.dicom_port} }},
  {{ ods_code = "RXL", ae_title = "{reading.ae_title}", host = "127.0.0.1", port = {reading.dicom_port} }},
]
"""

_READERS = f"""
[[readers]]                              # at home, reads for RXN through RXL's node
id = "{READER_ID}"
name = "{READER_NAME}"
registration = "{REGISTRATION}"
employer = "RXL"
modalities = ["CT", "MR", "CR"]
subspecialties = ["neuro", "chest"]
workstation = {{{{ node = "RXL", ae_title = "{WORKSTATION}" }}}}
credentials = [{{{{ trust = "RXN", valid_from = {{since}}, valid_until = {{until}} }}}}]
sessions = [{{{{ start = {{since}}, end = {{until}}, capacity_reads = 10000 }}}}]

[[readers]]                              # never chosen: not credentialed for RXN
id = "dr-hodder"
name = "Hodder Sam"
registration = "C9990002"
employer = "RXL"
modalities = ["CT", "MR", "CR"]
subspecialties = ["neuro", "chest"]
workstation = {{{{ node = "RXL", ae_title = "{WORKSTATION}" }}}}
credentials = [{{{{ trust = "RXL", valid_from = {{since}}, valid_until = {{until}} }}}}]
sessions = [{{{{ start = {{since}}, end = {{until}}, capacity_reads = 10000 }}}}]

[[readers]]                              # never chosen: reads ultrasound only
id = "rr-calder"
name = "Calder Jo"
registration = "RA99903"
employer = "RXL"
modalities = ["US"]
subspecialties = ["chest"]
workstation = {{{{ node = "RXL", ae_title = "{WORKSTATION}" }}}}
credentials = [{{{{ trust = "RXN", valid_from = {{since}}, valid_until = {{until}} }}}}]
sessions = [{{{{ start = {{since}}, end = {{until}}, capacity_reads = 10000 }}}}]
"""

_ROUTING = """
readable_modalities = ["CT", "MR", "CR", "US"]
unknown_code = "human_queue"
exams = [                                # illustrative codes
  { code = "CSKUH", scheme = "NICIP", subspecialty = "neuro", minutes = 7.0, priority = "urgent" },
  { code = "MSKUH", scheme = "NICIP", subspecialty = "neuro", minutes = 10.0, priority = "routine" },
  { code = "XCHES", scheme = "NICIP", subspecialty = "chest", minutes = 2.0, priority = "routine" },
]

[priorities]                             # hours from the examination to the verified report
urgent = 4.0
routine = 168.0
"""

_TRUST = """
[trust]
ods_code = "{node.ods_code}"
name = "{name}"

[node]
ae_title = "{node.ae_title}"
listen = "127.0.0.1:{node.dicom_port}"
data_dir = "node-{node.ods_code}"
disk_reserve_mib = 64
settle_quiet_s = 1.0

[router]
url = "{url}"
token_file = "{node.ods_code}.token"

[archive]
kind = "embedded"
directory = "pacs-{node.ods_code}"

[ris]
address = "{ris}"

[hl7]
listen = "127.0.0.1:{node.hl7_port}"
allowed_hosts = ["127.0.0.1"]
"""

_ORIGIN_PEERS = f"""
[[peers]]
ae_title = "{MODALITY}"
role = "modality"
allowed_hosts = ["127.0.0.1"]
may = ["echo", "store"]

[[peers]]
ae_title = "RXL_NODE"
role = "node"
allowed_hosts = ["127.0.0.1"]
may = ["echo", "get"]
"""

_READING_PEERS = f"""
[[peers]]
ae_title = "{WORKSTATION}"
role = "workstation"
allowed_hosts = ["127.0.0.1"]
may = ["echo", "store", "find", "get"]
address = "{{workstation}}"

[[peers]]
ae_title = "RXN_NODE"
role = "node"
allowed_hosts = ["127.0.0.1"]
may = ["echo", "get"]
"""
