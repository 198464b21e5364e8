"""Our node as a contestant: the real process, started from a trust file like any other.

It forwards what it took to its archive meanwhile, which would cost CPU and disk of the receiving path. `Forwarding`
says what happens to that.
"""

import sys
import time
from collections.abc import Mapping
from importlib.metadata import version

from readacross.bench.child_server import ChildServer
from readacross.bench.contestants import CALLING, Sample, Stored, Surroundings
from readacross.bench.getter import Retrieval, retrieve
from readacross.bench.receiver import Receiver
from readacross.bench.trust_file import Forwarding, write_trust_file
from readacross.demo.children import Child, free_ports

_DRAIN_LOOKS = 600
_LOOK_S = 0.1


class OurNode(ChildServer):
    """`settings` are more lines of the trust file: "section.key" → TOML value."""

    def __init__(
        self, forwarding: Forwarding, settings: Mapping[str, str], *, keeps_running: bool = False, receivers: int = 0
    ) -> None:
        name = "node, steady" if keeps_running else "node, fresh"
        more = "" if forwarding is Forwarding.PAUSED else f", archive {forwarding}"
        super().__init__(name + more + (f", {receivers} receivers" if receivers else ""), "BENCH_NODE")
        self.keeps_running = keeps_running
        self._forwarding, self._settings = forwarding, settings
        self._receivers = receivers
        self._archive: Receiver | None = None
        self._archive_port = 0
        self._taken = 0

    def version(self) -> str:
        return f"readacross {version('readacross')}"

    def start(self, surroundings: Surroundings) -> None:
        self.port, self._archive_port = free_ports(2)
        if self._forwarding is Forwarding.OPEN:
            self._archive = Receiver(self._archive_port)
        settings = dict(self._settings) | ({"node.receivers": str(self._receivers)} if self._receivers else {})
        file = write_trust_file(surroundings, self.port, self._archive_port, self._forwarding, settings)
        command = [sys.executable, "-c", "from readacross.cli import main; main()", "node", str(file)]
        log = surroundings.folder / "node.log"
        self._child = Child(self.name, command, log)
        self._child.wait_for_port(self.port)
        while "node.started" not in log.read_text(encoding="utf-8"):  # the first receiver listens before the others
            time.sleep(_LOOK_S)

    def stored(self, sample: Sample) -> Stored:
        """Asked by C-GET: all of it, since a node's files are its own affair."""
        instances, digests = 0, dict[str, str]()
        for study in sample.studies:
            task = Retrieval("127.0.0.1", self.port, self.ae_title, CALLING, study.study_instance_uid,
                             study.kind.sop_class_uid, with_digests=True)  # fmt: skip
            got = retrieve(task)
            instances += got.received.instances
            digests |= got.received.digests
        self._taken += instances
        return Stored(instances, digests)

    def rest(self) -> None:
        """Let the archive take what waits for it, so that the spool may use its room again.

        Raises:
            TimeoutError: it does not get there within a minute.
        """
        if self._forwarding is Forwarding.PAUSED:
            archive = Receiver(self._archive_port)
            try:
                _wait_until_received(archive, self._taken)
            finally:
                archive.stop()
            self._taken = 0

    def stop(self) -> None:
        super().stop()
        if self._archive is not None:
            self._archive.stop()
            self._archive = None


def _wait_until_received(archive: Receiver, instances: int) -> None:
    for _ in range(_DRAIN_LOOKS):
        if archive.report().instances >= instances:
            return
        time.sleep(_LOOK_S)
    raise TimeoutError("the node does not forward what it took")
