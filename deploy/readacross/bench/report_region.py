"""The region of `bench reports`: routers, an origin's node and a reading trust's node, each a process of its own.

The demonstration's files, with readers enough for everything at once, lists long enough to hold it, and reports that
go home to the RIS alone: what is measured is ORU in to ORU out.
"""

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from readacross.bench.receiver import Receiver
from readacross.demo.children import Child, free_ports
from readacross.demo.region import ORIGIN, READING, WORKSTATION, Node, Region, lay_out, write_files
from readacross.router_client import RouterClient
from router.app import issue_token
from router.config import load_router_settings

READER_NAME = "Wyre Rowan"
_READS_OF_A_READER = 500
_LIST_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class ReportReader:
    """Somebody on duty for the whole measurement."""

    id: str
    registration: str


def readers_for(reports: int) -> list[ReportReader]:
    """As many readers as have room on their lists for so many reads."""
    count = -(-reports // _READS_OF_A_READER)
    return [ReportReader(f"dr-bench-{number}", f"C99{number:05}") for number in range(1, count + 1)]


class ReportRegion:
    """Runs while it is entered; `sessions` are the processes that are measured, by name."""

    def __init__(
        self, folder: Path, readers: list[ReportReader], ris_address: str, database_url: str | None, replicas: int
    ) -> None:
        """`database_url` is an empty PostgreSQL database; None: SQLite, which one router only can use."""
        self._readers, self._ris_address = readers, ris_address
        self._database_url, self._replicas = database_url, replicas
        self._stack = ExitStack()
        self.region: Region = lay_out(folder / "region")
        self._ports = [self.region.router_port, *free_ports(replicas - 1)]
        self.sessions: dict[str, int] = {}
        self.children: list[Child] = []

    def __enter__(self) -> Self:
        with self._stack:
            self._start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def origin(self) -> Node:
        return self.region.nodes[ORIGIN]

    @property
    def reading(self) -> Node:
        return self.region.nodes[READING]

    def check(self) -> None:
        """Raises ChildDied when one has ended by itself."""
        for child in self.children:
            child.check()

    def _start(self) -> None:
        for name in ("NO_PROXY", "no_proxy"):
            os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1,localhost"]))
        workstation = Receiver()
        self._stack.callback(workstation.stop)
        self._write_files(f"127.0.0.1:{workstation.port}")
        settings = load_router_settings(self._router_file(0))
        admin = issue_token(settings, "admin", "measurement")
        for node in self.region.nodes.values():
            node.token_file.touch(mode=0o600)
            node.token_file.write_text(issue_token(settings, "node", node.ods_code) + "\n", encoding="ascii")
        for number, port in enumerate(self._ports):
            name = "router" if self._replicas == 1 else f"router {number + 1}"
            self._run(name, ["router", str(self._router_file(number))], port)
        for node, name in ((self.origin, "origin's node"), (self.reading, "reading node")):
            self._run(name, ["node", str(node.file)], node.dicom_port)
        self.admin = self._stack.enter_context(RouterClient(self.region.router_url, admin))

    def _run(self, name: str, arguments: list[str], port: int) -> None:
        command = [sys.executable, "-c", "from readacross.cli import main; main()", *arguments]
        child = Child(name, command, self.region.folder / f"{name.replace(' ', '-')}.log")
        self._stack.callback(child.stop)
        self.children.append(child.wait_for_port(port))
        self.sessions[name] = child.pid

    def _router_file(self, number: int) -> Path:
        return self.region.folder / f"router{number}.toml"

    def _write_files(self, workstation: str) -> None:
        write_files(self.region, workstation, dict.fromkeys(self.region.nodes, self._ris_address))
        url = self._database_url or "sqlite:///router.db"
        for number, port in enumerate(self._ports):
            text = _ROUTER.format(port=port, database_url=url, list_length=_LIST_LENGTH)
            self._router_file(number).write_text(text, encoding="utf-8")
        network = self.region.folder / "network.toml"
        plain = f'ods_code = "{ORIGIN}", name ='
        returns = 'returns = { channels = ["ris"], closed_by = ["ris"] }'
        text = network.read_text(encoding="utf-8")
        network.write_text(text.replace(plain, f'ods_code = "{ORIGIN}", {returns}, name ='), encoding="utf-8")
        (self.region.folder / "readers.toml").write_text("".join(map(_reader, self._readers)), encoding="utf-8")
        origin = self.origin.file.read_text(encoding="utf-8")
        self.origin.file.write_text(f'{origin}\n[reports]\nchannels = ["ris"]\n', encoding="utf-8")
        if self._replicas > 1:  # the reading node tells another replica than the one that orders the origin's node
            trust, last = self.reading.file, f"http://127.0.0.1:{self._ports[-1]}"
            text = trust.read_text(encoding="utf-8")
            trust.write_text(text.replace(self.region.router_url, last), encoding="utf-8")


def _reader(reader: ReportReader) -> str:
    now = datetime.now(UTC)
    since, until = (f"{now + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (-1, 30))
    return _READER.format(reader=reader, name=READER_NAME, workstation=WORKSTATION, since=since, until=until)


_ROUTER = """
[router]
listen = "127.0.0.1:{port}"
database_url = "{database_url}"
seeds = {{ network = "network.toml", readers = "readers.toml", routing = "routing.toml" }}
claim_timeout_s = 36000.0
list_length = {list_length}
"""

_READER = """
[[readers]]
id = "{reader.id}"
name = "{name}"
registration = "{reader.registration}"
employer = "RXL"
modalities = ["CT", "MR", "CR"]
subspecialties = ["neuro", "chest"]
workstation = {{ node = "RXL", ae_title = "{workstation}" }}
credentials = [{{ trust = "RXN", valid_from = {since}, valid_until = {until} }}]
sessions = [{{ start = {since}, end = {until}, capacity_reads = 10000 }}]
"""
