"""Listens for HL7 messages by MLLP: a thread a connection, and one connection's bad input is its own affair.

Only allowed hosts are talked to. A connection on which no message is completed for `idle_s` is closed, whether it is
silent or drips bytes for ever; memory per connection is bounded by the longest message allowed.
"""

import socket
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Protocol

from dicom_nodes.config import Hl7Listener
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.foundation.settings_file import split_host_port
from dicom_nodes.hl7.mllp import Deframer, Event, Garbage, Message, frame

_MAXIMUM_CONNECTIONS = 64
_STOP_S = 10.0


class MessageHandler(Protocol):
    """Answers messages; what it returns is sent back."""

    def __call__(self, raw: bytes, /) -> bytes: ...

    def refuse_too_long(self, head: bytes, size_bytes: int, limit_bytes: int) -> bytes: ...


class MllpListener:
    """Start it, read `port`, stop it; messages in hand are answered before it stops."""

    def __init__(self, settings: Hl7Listener, handle: MessageHandler) -> None:
        self._settings = settings
        self._handle = handle
        self._ranges = [ip_network(entry, strict=False) for entry in settings.allowed_hosts]
        self._listening: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        if self._listening is None:
            raise RuntimeError("the listener is not started")
        return int(self._listening.getsockname()[1])

    def start(self) -> None:
        """Bind and accept connections.

        Raises:
            OSError: the address cannot be bound.
        """
        host, port = split_host_port(self._settings.listen)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, port), family=family, backlog=128)
        self._acceptor = threading.Thread(target=self._accept, name="mllp-listener", daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        """Accept nothing more, let messages in hand be answered, and close."""
        self._stopping.set()
        if self._listening is None or self._acceptor is None:
            return
        _shut(self._listening, socket.SHUT_RDWR)
        self._acceptor.join(_STOP_S)
        self._listening.close()
        with self._lock:
            open_connections = list(self._connections.items())
        for connection, _ in open_connections:
            _shut(connection, socket.SHUT_RD)
        deadline = time.monotonic() + _STOP_S
        for _, thread in open_connections:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _accept(self) -> None:
        assert self._listening is not None
        while not self._stopping.is_set():
            try:
                connection, address = self._listening.accept()
            except OSError as error:
                if not self._stopping.is_set():
                    event_log().error("hl7.accept_failed", exc_info=error)
                    self._stopping.wait(0.1)
                continue
            self._admit(connection, str(address[0]))

    def _admit(self, connection: socket.socket, host: str) -> None:
        reason = None if self._is_allowed(host) else "host not allowed"
        with self._lock:
            if reason is None and len(self._connections) >= _MAXIMUM_CONNECTIONS:
                reason = "too many connections"
            if reason is None:
                thread = threading.Thread(target=self._serve, args=(connection, host), name="mllp", daemon=True)
                self._connections[connection] = thread
                thread.start()
        if reason is not None:
            event_log().warning("hl7.connection_refused", host=host, reason=reason)
            connection.close()

    def _is_allowed(self, host: str) -> bool:
        address = ip_address(host)
        if address.version == 6 and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in allowed for allowed in self._ranges)

    def _serve(self, connection: socket.socket, host: str) -> None:
        """One connection from its first byte to its last."""
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for answer in self._answers(connection, host):
                connection.settimeout(self._settings.idle_s)
                connection.sendall(frame(answer))
        except TimeoutError:
            event_log().info("hl7.connection_idle", host=host)
        except OSError as error:
            event_log().info("hl7.connection_lost", host=host, exc_info=error)
        except Exception as error:  # noqa: BLE001 (a worker's boundary: recorded; the sender gets no answer and repeats)
            event_log().error("hl7.handler_failed", host=host, exc_info=error)
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            connection.close()

    def _answers(self, connection: socket.socket, host: str) -> Iterator[bytes]:
        deframer = Deframer(self._settings.max_message_bytes)
        deadline = time.monotonic() + self._settings.idle_s
        while not self._stopping.is_set():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            connection.settimeout(left_s)
            received = connection.recv(65536)
            for event in deframer.receive(received) if received else deframer.finish():
                answer = self._answer(event, host)
                if answer is not None:
                    yield answer
                    deadline = time.monotonic() + self._settings.idle_s
            if not received:
                return

    def _answer(self, event: Event, host: str) -> bytes | None:
        match event:
            case Message(data):
                return self._handle(data)
            case Garbage(size_bytes):
                event_log().warning("hl7.garbage", host=host, size_bytes=size_bytes)
                return None
            case too_long:
                return self._handle.refuse_too_long(
                    too_long.head, too_long.size_bytes, self._settings.max_message_bytes
                )


def _shut(connection: socket.socket, how: int) -> None:
    try:
        connection.shutdown(how)
    except OSError:
        return
