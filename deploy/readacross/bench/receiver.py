"""A receiver that acknowledges at once and keeps nothing: what a retrieve is measured with, and a sender's ceiling.

Run as `python -m readacross.bench.receiver`: it says its port in the first line of standard output. Each line on
standard input (`report`, `reset`, `reset digests`) is answered by one line of JSON.
"""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from dicom_nodes.upper_layer.command_set import RESPONSE, Command, CommandField
from readacross.bench.synthetic import Digest
from readacross.bench.wire import AssociationEnded, Message, ReleaseAsked, Wire

_SILENCE_S = 300.0


@dataclass
class Received:
    """What came; times are of CLOCK_MONOTONIC. `digests` by SOP Instance UID, only where asked for."""

    with_digests: bool = False
    instances: int = 0
    size_bytes: int = 0
    first_complete_s: float = 0.0
    last_complete_s: float = 0.0
    digests: dict[str, str] = field(default_factory=dict)

    def sink(self, command: Command) -> Callable[[memoryview], None]:
        """What takes the data set of a C-STORE-RQ."""
        if not self.with_digests:
            return _discard
        digest = Digest()
        uid = command.affected_sop_instance_uid or ""

        def take(fragment: memoryview) -> None:
            digest.update(fragment)
            self.digests[uid] = digest.hexdigest()

        return take

    def note(self, message: Message) -> None:
        """A data set is complete."""
        self.last_complete_s = time.monotonic()
        self.first_complete_s = self.first_complete_s or self.last_complete_s
        self.instances += 1
        self.size_bytes += message.size_bytes


def success(message: Message) -> Command:
    """The answer that everything is well."""
    asked = message.command
    return Command(
        asked.command_field | RESPONSE,
        message_id_being_responded_to=asked.message_id,
        affected_sop_class_uid=asked.affected_sop_class_uid,
        affected_sop_instance_uid=asked.affected_sop_instance_uid,
        status=0,
    )


class Receiver:
    """The process, as seen by whoever started it."""

    def __init__(self, port: int = 0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "readacross.bench.receiver", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._answer())

    @property
    def pid(self) -> int:
        return self._process.pid

    def report(self) -> Received:
        """What came since the last reset."""
        return Received(**json.loads(self._asked("report")))

    def reset(self, *, digests: bool = False) -> None:
        """Count from zero."""
        self._asked("reset digests" if digests else "reset")

    def stop(self) -> None:
        """End it; associations that are open break."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def _asked(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _discard(_fragment: memoryview) -> None:
    return


class _Server:
    def __init__(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port = int(self._listening.getsockname()[1])
        self._lock = threading.Lock()
        self.received = Received()

    def serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            connection.settimeout(_SILENCE_S)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        wire = Wire(connection)
        try:
            wire.accept()
            while True:
                message = wire.receive(self._sink)
                if message.command.command_field == CommandField.C_STORE_RQ:
                    with self._lock:
                        self.received.note(message)
                wire.send_message(message.context_id, success(message))
        except (OSError, AssociationEnded, ReleaseAsked):
            wire.close()

    def _sink(self, command: Command) -> Callable[[memoryview], None]:
        return self.received.sink(command)


def _main() -> None:
    server = _Server(int(sys.argv[1]))
    threading.Thread(target=server.serve, daemon=True).start()
    print(server.port, flush=True)
    for line in sys.stdin:
        if line.startswith("reset"):
            server.received = Received(with_digests="digests" in line)
        print(json.dumps(asdict(server.received)), flush=True)


if __name__ == "__main__":
    _main()
