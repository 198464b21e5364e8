"""Starts the receivers, starts again what ends, and ends them all: the node's DICOM ports where several processes serve
them.
"""

import errno
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from dicom_nodes.config import NodeSettings
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.receivers.channel import Channel, ChannelClosed
from dicom_nodes.receivers.desk import Desk, MainParts
from dicom_nodes.receivers.link import LISTENING
from dicom_nodes.receivers.port import HeldAddresses, addresses_of, with_ports

COMMAND = (sys.executable, "-m", "dicom_nodes.receiver")
_START_S = 60.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_LIVED_WELL_S = 60.0
_ENDS_WITHIN_S = 5.0
"""After its last word, and after it was killed."""
_MARGIN_S = 10.0


class Receivers:
    """The node's DICOM ports; `start` returns when all of them listen."""

    def __init__(
        self,
        settings: NodeSettings,
        parts: MainParts,
        inherited: int,
        command: Sequence[str] = COMMAND,
    ) -> None:
        """`inherited` is a descriptor that every receiver holds open as long as it lives: the data directory's lock."""
        self._settings, self._parts = settings, parts
        self._inherited, self._command = inherited, list(command)
        self._addresses: HeldAddresses | None = None
        self._seats: list[_Seat] = []
        self._ports: tuple[int, ...] = ()

    @property
    def port(self) -> int:
        """The port listened on; 0 while stopped."""
        return self._ports[0] if self._ports else 0

    @property
    def tls_port(self) -> int:
        """The port listened on for TLS; 0 while stopped, and where there is none."""
        return self._ports[1] if len(self._ports) > 1 else 0

    @property
    def away(self) -> int:
        """How many do not listen."""
        return sum(not seat.listens for seat in self._seats)

    def start(self) -> None:
        """Hold the addresses, start the receivers and wait until they listen.

        Raises:
            OSError: an address cannot be bound, or a receiver does not come to listen.
        """
        self._addresses = HeldAddresses(addresses_of(self._settings))
        self._ports = self._addresses.ports
        settings = with_ports(self._settings, self._ports).model_dump_json()
        start = partial(Receiver, self._command, settings, self._parts, self._inherited)
        self._seats = [_Seat(number, start) for number in range(1, self._settings.node.receivers + 1)]
        for seat in self._seats:
            seat.begin()
        until = time.monotonic() + _START_S
        if not all(seat.is_up(max(0.0, until - time.monotonic())) for seat in self._seats):
            raise OSError(errno.ECHILD, "a receiver process does not start")

    def stop(self, drain_s: float = 10.0) -> None:
        """Have associations end by themselves for `drain_s`, then aborted; idempotent."""
        for seat in self._seats:
            seat.ask_to_end()
        until = time.monotonic() + drain_s + _MARGIN_S
        for seat in self._seats:
            seat.end_by(until)
        self._seats, self._ports = [], ()
        if self._addresses is not None:
            self._addresses.close()


class Receiver:
    """One process of them, from its start to the end of what it leaves behind."""

    def __init__(self, command: Sequence[str], settings: str, parts: MainParts, inherited: int) -> None:
        """Start it; raises OSError."""
        self._control, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(command, stdin=theirs.fileno(), pass_fds=(inherited,))
        except OSError:
            self._control.close()
            raise
        self.pid = self._process.pid
        self._settings = settings
        self._desk = Desk(parts, self._process.kill)

    def run(self, listens: Callable[[], None]) -> int:
        """Serve it until it has ended; returns its exit code."""
        try:
            Channel(self._control).send(self._settings)
            self._serve(listens)
        except ChannelClosed:
            pass
        try:
            return self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def settle(self, is_stopping: Callable[[], bool], pause: Callable[[float], object]) -> None:
        """See `Desk.settle`."""
        self._control.close()
        self._desk.settle(is_stopping, pause)

    def ask_to_end(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self._process.kill()

    def _serve(self, listens: Callable[[], None]) -> None:
        """Take its words, a byte each: it listens, or it hands over one end of a new conversation."""
        while True:
            try:
                word, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
            except OSError:
                return
            if not word:
                return
            for descriptor in descriptors:
                channel = Channel(socket.socket(fileno=descriptor))
                threading.Thread(target=self._desk.serve, args=(channel,), name="receiver-desk", daemon=True).start()
            if word == LISTENING:
                listens()


class _Seat:
    """The place of one receiver, whose processes follow each other."""

    def __init__(self, number: int, start: Callable[[], Receiver]) -> None:
        self._number, self._start = number, start
        self._receiver: Receiver | None = None
        self._settling: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listens, self._has_begun = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep_running, name=f"receiver-{number}", daemon=True)

    @property
    def listens(self) -> bool:
        return self._listens.is_set()

    @property
    def pid(self) -> int:
        receiver = self._receiver
        return 0 if receiver is None else receiver.pid

    def begin(self) -> None:
        self._thread.start()

    def is_up(self, deadline_s: float) -> bool:
        """Whether the first process came to listen, having waited for it."""
        return self._has_begun.wait(deadline_s) and self.listens

    def ask_to_end(self) -> None:
        with self._lock:
            self._stopping.set()
            if self._receiver is not None:
                self._receiver.ask_to_end()

    def end_by(self, until: float) -> None:
        """Wait for its end, and insist then."""
        self._thread.join(max(0.0, until - time.monotonic()))
        with self._lock:
            if self._receiver is not None:
                self._receiver.kill()
        self._thread.join()
        for settling in self._settling:
            settling.join()

    def _keep_running(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            self._one_life()
            failures = 1 if time.monotonic() - began > _LIVED_WELL_S else failures + 1
            self._stopping.wait(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (failures - 1)))

    def _one_life(self) -> None:
        try:
            with self._lock:
                if self._stopping.is_set():
                    return
                receiver = self._receiver = self._start()
            code = receiver.run(self._say_listening)
            self._listens.clear()
            with self._lock:
                self._receiver = None
            tell = event_log().info if self._stopping.is_set() and code == 0 else event_log().error
            tell("receiver.ended", receiver=self._number, exit_code=code)
            self._settle(receiver)
        except Exception as error:  # noqa: BLE001 - the thread's boundary: recorded, shown in health, and tried again
            self._listens.clear()
            event_log().error("receiver.failed", receiver=self._number, exc_info=error)
        finally:
            self._has_begun.set()

    def _settle(self, receiver: Receiver) -> None:
        """Beside the next life: that one does not wait for a segment that cannot be walked."""
        self._settling = [thread for thread in self._settling if thread.is_alive()]
        arguments = (self._stopping.is_set, self._stopping.wait)
        settling = threading.Thread(target=receiver.settle, args=arguments, name="receiver-settle", daemon=True)
        self._settling.append(settling)
        settling.start()

    def _say_listening(self) -> None:
        self._listens.set()
        self._has_begun.set()
        event_log().info("receiver.listening", receiver=self._number, pid=self.pid)
