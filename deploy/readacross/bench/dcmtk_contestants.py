"""DCMTK's storescp and dcmqrscp as contestants. Neither syncs anything before it answers."""

import subprocess
from collections.abc import Sequence

from readacross.bench.child_server import FolderServer
from readacross.bench.contestants import Surroundings, program
from readacross.demo.children import Child, free_ports

DCMTK = "/usr/bin"


def version_of(name: str) -> str:
    """The first line that `NAME --version` prints.

    Raises:
        NotInstalled: it is not there.
    """
    done = subprocess.run([program(name, DCMTK), "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0].strip("$ ")


class Storescp(FolderServer):
    """`storescp --fork +B`: a process for each association, data sets written as they arrive; or other options."""

    def __init__(self, options: Sequence[str] = ("--fork", "+B")) -> None:
        super().__init__(" ".join(("storescp", *options)), "STORESCP")
        self._options = options

    def version(self) -> str:
        return version_of("storescp")

    def start(self, surroundings: Surroundings) -> None:
        self._new_folder(surroundings.folder)
        (self.port,) = free_ports(1)
        command = [program("storescp", DCMTK), *self._options, "-od", str(self._folder), str(self.port)]
        self._child = Child(self.name, command, surroundings.folder / "storescp.log")
        self._child.wait_for_port(self.port)


class Dcmqrscp(FolderServer):
    """`dcmqrscp` with one storage area; its index is a file that it rewrites."""

    def __init__(self) -> None:
        super().__init__("dcmqrscp", "QRSCP")

    def version(self) -> str:
        return version_of("dcmqrscp")

    def start(self, surroundings: Surroundings) -> None:
        self._new_folder(surroundings.folder)
        (self.port,) = free_ports(1)
        settings = surroundings.folder / "dcmqrscp.cfg"
        hosts = [f"{title} = ({title}, 127.0.0.1, {port})" for title, port in surroundings.destinations.items()]
        settings.write_text(
            _SETTINGS.format(
                port=self.port,
                hosts="\n".join(hosts),
                folder=self._folder,
                most=surroundings.maximum_associations,
            )
        )
        self._child = Child(
            self.name, [program("dcmqrscp", DCMTK), "-c", str(settings)], surroundings.folder / "dcmqrscp.log"
        )
        self._child.wait_for_port(self.port)


_SETTINGS = """
NetworkTCPPort  = {port}
MaxPDUSize      = 16384
MaxAssociations = {most}
HostTable BEGIN
{hosts}
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
QRSCP {folder} RW (1000, 1024mb) ANY
AETable END
"""
