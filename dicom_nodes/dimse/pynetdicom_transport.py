"""pynetdicom's socket, made quick and bounded: whole-buffer reads, acknowledged at once, never stuck for ever.

DCMTK leaves Nagle's algorithm on and answers in two writes: unless each read re-arms TCP_QUICKACK, every C-STORE
costs a delayed acknowledgement of 40 ms. `poll` replaces `select`, which fails for descriptors above 1023.
"""

import select
import socket
import threading
import time
from contextlib import suppress

from pynetdicom import _config
from pynetdicom.association import Association
from pynetdicom.transport import T_CONNECT, AssociationSocket

_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)
_LARGEST_PDU_BYTES = 4 << 20
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


class BoundedSocket(AssociationSocket):
    """A connected socket that gives up on a peer which does not bring a PDU to its end, however it drips."""

    _stall_s: float
    _deadline: float | None = None
    """When the PDU that is being read must be there; None between two PDUs."""
    _in_body = False

    def __init__(
        self, association: Association, connected: socket.socket, stall_s: float, first_pdu_s: float | None = None
    ) -> None:
        """A PDU must be whole `stall_s` after its first byte, the first one `first_pdu_s` after the connection."""
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(stall_s)
        self._stall_s = stall_s
        if first_pdu_s is not None:
            self._deadline = time.monotonic() + first_pdu_s
        super().__init__(association, client_socket=connected)

    @property
    def ready(self) -> bool:
        """Whether there is something to read, or the connection ended."""
        if self.socket is None or not self._is_connected:
            return False
        poll = select.poll()
        try:
            poll.register(self.socket, _READABLE)
            return bool(poll.poll(0))
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False

    def recv(self, nr_bytes: int) -> bytearray:
        """Read `nr_bytes`, or less where the connection ends: a PDU's header first, its body by the next call.

        Raises:
            OSError: the peer stalled, or announces a PDU that nobody sends.
        """
        connection = self.socket
        if connection is None:
            raise ConnectionError("the connection is closed")
        if nr_bytes > _LARGEST_PDU_BYTES:
            raise ConnectionError("the announced PDU length is not credible")
        if self._deadline is None:
            self._deadline = time.monotonic() + self._stall_s
        try:
            received = _read(connection, nr_bytes, self._deadline)
        finally:
            connection.settimeout(self._stall_s)
        if self._in_body:
            self._deadline = None
        self._in_body = not self._in_body
        return received

    def _shutdown_socket(self) -> None:
        """Close for good; the library forgets to where the peer was faster."""
        connection = self.socket
        if connection is None:
            return
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def _read(connection: socket.socket, nr_bytes: int, deadline: float) -> bytearray:
    buffer = bytearray(nr_bytes)
    view = memoryview(buffer)
    received = 0
    while received < nr_bytes:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the PDU is not whole in time")
        connection.settimeout(left_s)
        count = connection.recv_into(view[received:])
        if not count:
            break
        received += count
        if _QUICKACK is not None:
            connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
    view.release()
    del buffer[received:]
    return buffer


class DiallingSocket(BoundedSocket):
    """A socket that dials, and keeps the reason when that fails: in `failure`."""

    def __init__(self, association: Association, address: tuple[str, int], connect_s: float, stall_s: float) -> None:
        self._assoc = association
        self._ready = threading.Event()
        self._is_connected = False
        self._tls_args = None
        self.socket = None
        self._address = address
        self._connect_s = connect_s
        self._stall_s = stall_s
        self.failure: OSError | None = None

    def connect(self, primitive: T_CONNECT) -> None:
        """Dial; the outcome goes to the state machine as Evt2 or Evt17 (DICOM PS3.8 9.2.1)."""
        try:
            connected = socket.create_connection(self._address, timeout=self._connect_s)
        except OSError as error:
            self.failure = error
            primitive.result = "Evt17"
        else:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.settimeout(self._stall_s)
            self.socket = connected
            self._is_connected = True
            primitive.result = "Evt2"
        self.provider_queue.put(primitive)
        self._ready.set()
