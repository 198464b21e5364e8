"""DCMTK's storescp and dcmqrscp as contestants. Neither syncs anything before it answers."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from readacross.bench.contestants import CALLING, RECEIVER, Stored, Surroundings, program
from readacross.bench.folder_contents import stored_in
from readacross.bench.synthetic import Study
from readacross.demo.children import Child, free_ports

DCMTK = "/usr/bin"


def version_of(name: str) -> str:
    """The first line that `NAME --version` prints.

    Raises:
        NotInstalled: it is not there.
    """
    done = subprocess.run([program(name, DCMTK), "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0].strip("$ ")


@dataclass
class Storescp:
    """`storescp --fork +B`: a process for each association, data sets written as they arrive."""

    name: str = "storescp --fork +B"
    keeps_running: bool = False
    ae_title: str = "STORESCP"
    port: int = 0
    _child: Child | None = field(default=None, init=False)
    _folder: Path = field(default=Path(), init=False)

    @property
    def session(self) -> int:
        assert self._child is not None
        return self._child.pid

    def version(self) -> str:
        return version_of("storescp")

    def start(self, surroundings: Surroundings) -> None:
        self._folder = surroundings.folder / "files"
        self._folder.mkdir(parents=True)
        (self.port,) = free_ports(1)
        command = [program("storescp", DCMTK), "--fork", "+B", "-od", str(self._folder), str(self.port)]
        self._child = Child(self.name, command, surroundings.folder / "storescp.log")
        self._child.wait_for_port(self.port)

    def stored(self, studies: Sequence[Study], sample: Sequence[str]) -> Stored:
        return stored_in(self._folder, set(sample))

    def rest(self) -> None:
        """Nothing: it begins anew."""

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None


@dataclass
class Dcmqrscp:
    """`dcmqrscp` with one storage area; its index is a file that it rewrites."""

    name: str = "dcmqrscp"
    keeps_running: bool = False
    ae_title: str = "QRSCP"
    port: int = 0
    _child: Child | None = field(default=None, init=False)
    _folder: Path = field(default=Path(), init=False)

    @property
    def session(self) -> int:
        assert self._child is not None
        return self._child.pid

    def version(self) -> str:
        return version_of("dcmqrscp")

    def start(self, surroundings: Surroundings) -> None:
        self._folder = surroundings.folder / "files"
        self._folder.mkdir(parents=True)
        (self.port,) = free_ports(1)
        settings = surroundings.folder / "dcmqrscp.cfg"
        settings.write_text(
            _SETTINGS.format(port=self.port, receiver=surroundings.receiver_port, folder=self._folder,
                             calling=CALLING, move=RECEIVER, most=surroundings.maximum_associations)
        )  # fmt: skip
        self._child = Child(
            self.name, [program("dcmqrscp", DCMTK), "-c", str(settings)], surroundings.folder / "dcmqrscp.log"
        )
        self._child.wait_for_port(self.port)

    def stored(self, studies: Sequence[Study], sample: Sequence[str]) -> Stored:
        return stored_in(self._folder, set(sample))

    def rest(self) -> None:
        """Nothing: it begins anew."""

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None


_SETTINGS = """
NetworkTCPPort  = {port}
MaxPDUSize      = 16384
MaxAssociations = {most}
HostTable BEGIN
receiver = ({move}, 127.0.0.1, {receiver})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
QRSCP {folder} RW (1000, 1024mb) ANY
AETable END
"""
