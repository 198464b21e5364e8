"""A sender that is never what is measured: every byte it sends is ready before the clock starts.

A process of its own with a thread for each association. Run as `python -m readacross.bench.fast_sender`: one line
of JSON (`Task`) on standard input, `ready` on standard output, a line on standard input starts it, and one line of
JSON (`Sent`) ends it.
"""

import json
import resource
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

from dicom_nodes.upper_layer.command_set import DATA_SET_PRESENT, Command, CommandField, encode_command
from dicom_nodes.upper_layer.p_data import LARGEST_SENT, p_data_pdus
from dicom_nodes.upper_layer.pdu_types import Buffer
from dicom_nodes.upper_layer.presentation_contexts import ProposedContext
from readacross.bench.synthetic import KINDS, TRANSFER_SYNTAX, Instance, Kind, Study, studies
from readacross.bench.wire import AssociationEnded, connected

_CONTEXT_ID = 1
_SILENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Task:
    """What to send to whom; with `window` above 1 that many requests are sent ahead where the peer grants it.

    `idle` more associations are opened and say nothing. With `every_s` each association sends no more often than
    that, its beginning shifted against the others'.
    """

    host: str
    port: int
    called: str
    calling: str
    kind: str
    seed: str
    associations: int
    instances: int
    window: int = 1
    idle: int = 0
    every_s: float = 0.0

    @property
    def studies(self) -> list[Study]:
        return studies(KINDS[self.kind], self.seed, self.associations, self.instances)


@dataclass(frozen=True, slots=True)
class Sent:
    """How it went. Times are of CLOCK_MONOTONIC, which all processes of a machine share."""

    started_s: float
    ended_s: float
    latencies_s: list[float]
    statuses: dict[str, int]
    """C-STORE status in hexadecimal → how often it was answered."""
    failures: list[str]
    """Associations that were refused or broke."""
    user_s: float
    system_s: float
    window: int
    """What the peer granted, where it was asked for more than one."""


class FastSender:
    """The process, as seen by whoever started it."""

    def __init__(self, task: Task) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "readacross.bench.fast_sender"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say(json.dumps(asdict(task)))

    def wait_until_ready(self) -> Self:
        """Wait until every association stands and every byte is prepared."""
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise AssociationEnded("the sender ended before it was ready")
        return self

    def send(self) -> Sent:
        """Let it send, and wait for its end."""
        self._say("go")
        return self.result()

    def result(self) -> Sent:
        """Wait for its end."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.close()
        if not line:
            raise AssociationEnded("the sender ended without saying how it went")
        return Sent(**json.loads(line))

    def close(self) -> None:
        """End it, wherever it is; idempotent."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


class Association:
    """One association with everything it will send."""

    def __init__(self, task: Task, study: Study | None) -> None:
        """Associate and prepare; without a study it will say nothing.

        Raises:
            AssociationEnded: refused.
        """
        kind = KINDS[task.kind]
        self._wire = connected(task.host, task.port, _SILENCE_S)
        context = ProposedContext(_CONTEXT_ID, kind.sop_class_uid, (TRANSFER_SYNTAX,))
        window = task.window if task.window > 1 else None
        accept = self._wire.request(task.called, task.calling, [context], window=window)
        granted = accept.user_information.window
        self.window = min(task.window, granted.invoked or task.window) if granted and window else 1
        self._requests = [
            store_request(number, instance, kind, self._wire.peer_maximum)
            for number, instance in enumerate(study.instances() if study else (), start=1)
        ]
        self._every_s = task.every_s
        self._shift_s = task.every_s * study.number / task.associations if study else 0.0
        self.latencies_s: list[float] = []
        self.statuses: dict[str, int] = {}

    def send(self) -> None:
        """Send everything, with never more than `window` requests unanswered."""
        outstanding: deque[float] = deque()
        due_s = time.monotonic() + self._shift_s
        for request in self._requests:
            if self._every_s:
                time.sleep(max(0.0, due_s - time.monotonic()))
                due_s += self._every_s
            outstanding.append(time.monotonic())
            self._wire.send(request)
            if len(outstanding) >= self.window:
                self._take_answer(outstanding)
        while outstanding:
            self._take_answer(outstanding)

    def release(self) -> None:
        self._wire.release()

    def _take_answer(self, outstanding: deque[float]) -> None:
        status = self._wire.receive().command.status or 0
        self.latencies_s.append(time.monotonic() - outstanding.popleft())
        words = f"{status:04X}"
        self.statuses[words] = self.statuses.get(words, 0) + 1


def store_request(message_id: int, instance: Instance, kind: Kind, peer_maximum: int) -> Sequence[Buffer]:
    """A C-STORE-RQ as buffers to be written one after the other; pixels stay where they are."""
    command = Command(
        CommandField.C_STORE_RQ,
        DATA_SET_PRESENT,
        message_id=message_id & 0xFFFF,
        affected_sop_class_uid=kind.sop_class_uid,
        affected_sop_instance_uid=instance.sop_instance_uid,
        priority=0,
    )
    largest = min(peer_maximum or LARGEST_SENT, LARGEST_SENT)
    command_pdus = p_data_pdus(_CONTEXT_ID, encode_command(command), peer_maximum, is_command=True, is_last=True)
    first = ((largest - 6) & ~1) - len(instance.header)
    if first < 0:
        raise AssociationEnded("the peer's PDUs are too small to measure with")
    alone = first >= len(instance.pixels)
    whole = memoryview(instance.header + bytes(instance.pixels[:first]))
    buffers: list[Buffer] = [b"".join(command_pdus)]
    buffers += p_data_pdus(_CONTEXT_ID, whole, peer_maximum, is_command=False, is_last=alone)
    if not alone:
        buffers += p_data_pdus(_CONTEXT_ID, instance.pixels[first:], peer_maximum, is_command=False, is_last=True)
    return buffers


def _main() -> None:
    task = Task(**json.loads(sys.stdin.readline()))
    failures: list[str] = []
    associations: list[Association] = []
    for study in [*task.studies, *[None] * task.idle]:
        try:
            associations.append(Association(task, study))
        except (OSError, AssociationEnded) as error:
            failures.append(f"{type(error).__name__}: {error}")
    print("ready", flush=True)
    sys.stdin.readline()
    before, started_s = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    threads = [threading.Thread(target=_send, args=(association, failures)) for association in associations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended_s, used = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    for association in associations:
        association.release()
    statuses: dict[str, int] = {}
    for association in associations:
        for status, count in association.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    sent = Sent(
        started_s,
        ended_s,
        [latency for association in associations for latency in association.latencies_s],
        statuses,
        failures,
        used.ru_utime - before.ru_utime,
        used.ru_stime - before.ru_stime,
        min((association.window for association in associations), default=1),
    )
    print(json.dumps(asdict(sent)), flush=True)


def _send(association: Association, failures: list[str]) -> None:
    try:
        association.send()
    except (OSError, AssociationEnded) as error:
        failures.append(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    _main()
