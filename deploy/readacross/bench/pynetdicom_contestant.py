"""pynetdicom as a contestant, at its fastest: no PDU limit, data sets written undecoded, nothing synced or indexed."""

import sys

import pynetdicom

from readacross.bench.child_server import FolderServer
from readacross.bench.contestants import Surroundings
from readacross.demo.children import Child, free_ports


class Pynetdicom(FolderServer):
    """`pynetdicom_acceptor` as a process."""

    def __init__(self, *, chunked: bool = False) -> None:
        """`chunked`: the library writes to disk while it receives, instead of keeping a data set in memory."""
        super().__init__("pynetdicom, chunked" if chunked else "pynetdicom", "PYNETDICOM")
        self._options = ["chunked"] if chunked else []

    def version(self) -> str:
        return f"pynetdicom {pynetdicom.__version__}"

    def start(self, surroundings: Surroundings) -> None:
        self._new_folder(surroundings.folder)
        (self.port,) = free_ports(1)
        module = "readacross.bench.pynetdicom_acceptor"
        command = [sys.executable, "-m", module, str(self.port), str(self._folder), self.ae_title, *self._options]
        self._child = Child(self.name, command, surroundings.folder / "pynetdicom.log")
        self._child.wait_for_port(self.port)
