"""pynetdicom as a contestant, at its fastest: no PDU limit, data sets written undecoded, nothing synced or indexed."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pynetdicom

from readacross.bench.contestants import Stored, Surroundings
from readacross.bench.folder_contents import stored_in
from readacross.bench.synthetic import Study
from readacross.demo.children import Child, free_ports


@dataclass
class Pynetdicom:
    """`pynetdicom_acceptor` as a process."""

    name: str = "pynetdicom"
    keeps_running: bool = False
    ae_title: str = "PYNETDICOM"
    port: int = 0
    _child: Child | None = field(default=None, init=False)
    _folder: Path = field(default=Path(), init=False)

    @property
    def session(self) -> int:
        assert self._child is not None
        return self._child.pid

    def version(self) -> str:
        return f"pynetdicom {pynetdicom.__version__}"

    def start(self, surroundings: Surroundings) -> None:
        self._folder = surroundings.folder / "files"
        self._folder.mkdir(parents=True)
        (self.port,) = free_ports(1)
        module = "readacross.bench.pynetdicom_acceptor"
        command = [sys.executable, "-m", module, str(self.port), str(self._folder), self.ae_title]
        self._child = Child(self.name, command, surroundings.folder / "pynetdicom.log")
        self._child.wait_for_port(self.port)

    def stored(self, studies: Sequence[Study], sample: Sequence[str]) -> Stored:
        return stored_in(self._folder, set(sample))

    def rest(self) -> None:
        """Nothing: it begins anew."""

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None
