"""What goes in and what comes out in `bench reports`: reporting systems that send, and a RIS that notes what comes.

Both run in the bench's own process: each waits for an answer nearly all of its time.
"""

import re
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Self

from readacross.demo.ris import END, START, MllpRis

_SILENCE_S = 60.0
_MARK = re.compile(rb"Report number (\d{6})\.")


def mark(number: int) -> str:
    """The words by which the RIS tells the report again."""
    return f"Report number {number:06d}."


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message at the RIS; `at_s` is of CLOCK_MONOTONIC, taken when it was complete."""

    at_s: float
    message: bytes

    @property
    def number(self) -> int | None:
        """Which report it is; None where it is none of ours."""
        found = _MARK.search(self.message)
        return int(found[1]) if found else None


class NotingRis(MllpRis):
    """Answers AA at once."""

    def __init__(self) -> None:
        super().__init__()
        self.arrivals: list[Arrival] = []

    def _answer(self, connection: socket.socket, message: bytes) -> None:
        self.arrivals.append(Arrival(time.monotonic(), message))
        super()._answer(connection, message)


@dataclass
class Sending:
    """How the reports went in: report's number → when its first byte left, and when its AA was read."""

    sent_s: dict[int, float] = field(default_factory=dict)
    acknowledged_s: dict[int, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


class ReportSenders:
    """`connections` threads, each with one MLLP connection that sends its next report when the last is answered."""

    def __init__(self, messages: Sequence[bytes], port: int, connections: int) -> None:
        self._port = port
        self._waiting: SimpleQueue[tuple[int, bytes]] = SimpleQueue()
        for numbered in enumerate(messages):
            self._waiting.put(numbered)
        self.sending = Sending()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(connections)]

    def start(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def wait(self) -> Sending:
        """Until everything is answered, or every connection has failed."""
        for thread in self._threads:
            thread.join()
        return self.sending

    def _send(self) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=_SILENCE_S) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while True:
                    number, message = self._waiting.get_nowait()
                    self._send_one(connection, number, message)
        except Empty:
            return
        except OSError as error:
            self.sending.failures.append(f"a connection broke: {error}")

    def _send_one(self, connection: socket.socket, number: int, message: bytes) -> None:
        self.sending.sent_s[number] = time.monotonic()
        connection.sendall(START + message + END)
        answer = b""
        while not answer.endswith(END):
            chunk = connection.recv(65_536)
            if not chunk:
                raise ConnectionError("the node hung up without an acknowledgement")
            answer += chunk
        if b"\rMSA|AA|" not in answer:
            self.sending.failures.append(f"report {number} was not answered AA")
            return
        self.sending.acknowledged_s[number] = time.monotonic()
