"""A RIS made of one socket: reads one message a connection and answers with whatever bytes the test says."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType

from dicom_nodes.hl7.mllp import Deframer, Message


class MllpPeer:
    """Listens on a free loopback port while the `with` block runs.

    `answer` gets the message and returns the raw bytes to send back, or None to keep silent until the test ends.
    """

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self._answer = answer
        self.received: list[bytes] = []
        self._over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "MllpPeer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        deframer = Deframer(1_000_000)
        while received := connection.recv(65536):
            for event in deframer.receive(received):
                assert isinstance(event, Message)
                self.received.append(event.data)
                answer = self._answer(event.data)
                if answer is None:
                    self._over.wait(30)
                    return
                connection.sendall(answer)
                return


def exchange(port: int, *portions: bytes, answers: int = 1, timeout_s: float = 5.0) -> list[bytes]:
    """Send the portions over one connection and return that many answers (fewer when the other side closes)."""
    deframer, found = Deframer(1_000_000), []
    with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
        for portion in portions:
            connection.sendall(portion)
        while len(found) < answers and (received := connection.recv(65536)):
            found += [event.data for event in deframer.receive(received) if isinstance(event, Message)]
    return found
