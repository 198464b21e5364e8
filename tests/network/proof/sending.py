"""Readers' systems that send their letters and send each again until it is acknowledged, as their queues do."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from readacross.demo.ris import END, START

_SILENCE_S = 15.0
_GIVE_UP_S = 180.0


@dataclass(frozen=True, slots=True)
class Posted:
    """A letter's bytes and where they go; letters of one case keep their order."""

    case: int
    control_id: str
    message: bytes
    hl7_port: int


class Senders:
    """A few connections at once. `acknowledged` and `resent` count; a failure is kept in `failures`."""

    def __init__(self, posted: Sequence[Posted], connections: int, may_go_on: Callable[[int], bool]) -> None:
        """`may_go_on` is asked with how many were acknowledged before each letter, for half a second at most."""
        self._may_go_on = may_go_on
        self._lock = threading.Lock()
        self.acknowledged, self.resent = 0, 0
        self.failures: list[str] = []
        shares = [[one for one in posted if one.case % connections == turn] for turn in range(connections)]
        self._threads = [threading.Thread(target=self._send, args=(share,), daemon=True) for share in shares]
        for thread in self._threads:
            thread.start()

    def is_done(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _send(self, share: Sequence[Posted]) -> None:
        connections: dict[int, socket.socket] = {}
        try:
            for one in share:
                patience = time.monotonic() + 0.5
                while not self._may_go_on(self.acknowledged) and time.monotonic() < patience:
                    time.sleep(0.02)
                self._until_acknowledged(one, connections)
        except TimeoutError as error:
            self.failures.append(str(error))
        finally:
            for connection in connections.values():
                connection.close()

    def _until_acknowledged(self, one: Posted, connections: dict[int, socket.socket]) -> None:
        give_up = time.monotonic() + _GIVE_UP_S
        while time.monotonic() < give_up:
            try:
                code = self._exchange(one, connections)
            except OSError:
                if (connection := connections.pop(one.hl7_port, None)) is not None:
                    connection.close()
                time.sleep(0.1)
            else:
                if code == b"AA":
                    with self._lock:
                        self.acknowledged += 1
                    return
                if code == b"AE":
                    raise TimeoutError(f"letter {one.control_id} was answered AE")
            with self._lock:
                self.resent += 1
        raise TimeoutError(f"letter {one.control_id} was not acknowledged within {_GIVE_UP_S:g} s")

    @staticmethod
    def _exchange(one: Posted, connections: dict[int, socket.socket]) -> bytes:
        connection = connections.get(one.hl7_port)
        if connection is None:
            connection = connections[one.hl7_port] = socket.create_connection(("127.0.0.1", one.hl7_port), _SILENCE_S)
        connection.sendall(START + one.message + END)
        answer = b""
        while not answer.endswith(END):
            chunk = connection.recv(65_536)
            if not chunk:
                raise ConnectionError("hung up")
            answer += chunk
        msa = next(row.split(b"|") for row in answer.split(b"\r") if row.startswith(b"MSA|"))
        if msa[2] != one.control_id.encode():
            raise ConnectionError("another message was acknowledged")
        return msa[1]
