"""A RIS's receiving end: takes HL7 v2 messages by MLLP and answers each as it was told to.

Its framing is its own, so that a mistake in the node's cannot hide itself (HL7 v2.5.1 ch. 2.9.2, MLLP release 1).
"""

import contextlib
import socket
import threading
from typing import Literal, Self

START, END = b"\x0b", b"\x1c\r"
Behaviour = Literal["AA", "AE", "AR", "silent", "hang up"]


class MllpRis:
    """Listens on loopback; `behaviour` may be changed at any time, `messages` holds every body received.

    With `stop()` and `start()` it goes off and comes back on the same port.
    """

    def __init__(self, behaviour: Behaviour = "AA", port: int = 0) -> None:
        self.behaviour: Behaviour = behaviour
        self.messages: list[bytes] = []
        self.port = port
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """HOST:PORT as a trust file wants it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen; the port is known afterwards."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=16)
        self.port = int(listener.getsockname()[1])
        self._listener = listener
        self._run(self._accept, listener)
        return self

    def stop(self) -> None:
        """Close everything, also what is connected; what was received stays."""
        if self._listener is not None:
            self._hang_up(self._listener)
            self._listener = None
        with self._lock:
            connections, threads = list(self._connections), list(self._threads)
            self._threads.clear()
        for connection in connections:
            self._hang_up(connection)
        for thread in threads:
            thread.join(5)

    def control_ids(self) -> list[str]:
        """MSH-10 of every message received, in order of arrival."""
        return [_header(message)[9].decode("ascii", "replace") for message in list(self.messages)]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, target: object, *arguments: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=arguments, daemon=True, name="ris")
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        buffer = b""
        try:
            while chunk := connection.recv(65_536):
                buffer += chunk
                while END in buffer:
                    frame, buffer = buffer.split(END, 1)
                    self._answer(connection, frame[frame.find(START) + 1 :])
        except OSError:
            return
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _answer(self, connection: socket.socket, message: bytes) -> None:
        self.messages.append(message)
        behaviour = self.behaviour
        if behaviour == "hang up":
            self._hang_up(connection)
        elif behaviour != "silent":
            connection.sendall(START + acknowledgement(message, behaviour) + END)

    @staticmethod
    def _hang_up(end: socket.socket) -> None:
        with contextlib.suppress(OSError):  # not connected, or the other side went first
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def acknowledgement(message: bytes, code: Literal["AA", "AE", "AR"]) -> bytes:
    """An ACK in original mode for a message: its sender becomes the receiver, MSA-2 is its MSH-10."""
    header = _header(message)
    words = {"AA": b"", "AE": b"content cannot be filed", "AR": b"message type not accepted here"}[code]
    msh = [b"MSH", b"^~\\&", *header[4:6], *header[2:4], header[6], b"", b"ACK^R01", b"A" + header[9], *header[10:12]]
    return b"|".join(msh) + b"\rMSA|" + b"|".join([code.encode(), header[9], words]) + b"\r"


def _header(message: bytes) -> list[bytes]:
    """The fields of MSH with at least 12 entries; entry n is MSH-(n+1), entry 0 the segment's name."""
    fields = message.split(b"\r", 1)[0].split(b"|")
    return fields + [b""] * (12 - len(fields))
