"""A TCP connection made quick and bounded: large reads into one buffer, acknowledged at once, never stuck for ever.

DCMTK's senders leave Nagle's algorithm on and write a message in two pieces: unless each read re-arms TCP_QUICKACK,
every C-STORE costs a delayed acknowledgement of 40 ms. The time-outs are the kernel's (SO_RCVTIMEO), which saves the
`poll` that Python's own put before every read. The buffer is anonymous memory that only exists once it is written to,
and is given back when nothing comes for a while.
"""

import mmap
import select
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from dicom_nodes.foundation.buffers import let_go
from dicom_nodes.foundation.certificate import PresentedCertificate
from dicom_nodes.upper_layer.pdu_types import Buffer

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)
_BUFFER_BYTES = 1 << 20
_KEPT_WHILE_IDLE = 1 << 14
_BUFFERS_AT_ONCE = 128
"""Even, so that a message's data and not a PDU's header ends a batch; of PDUs of 256 KiB it holds 16 MiB."""
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR
_NOTHING = memoryview(b"")


class Transport(Protocol):
    """What an association needs of the bytes' way: `Connection`, or `TlsConnection` on it."""

    @property
    def certificate(self) -> PresentedCertificate | None:
        """Who the other side has proved to be; None without TLS."""

    @property
    def failure(self) -> str | None:
        """Why the way itself came to nothing, in words; None without TLS."""

    def read_at_most(self, size_bytes: int) -> None: ...

    def receive(self) -> memoryview | None: ...

    def is_readable(self) -> bool: ...

    def send(self, buffers: Sequence[Buffer]) -> None: ...

    def finish_sending(self) -> None: ...

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


class Connection:
    """A connected socket; used by one thread, but for `interrupt`."""

    certificate: None = None
    failure: None = None

    def __init__(
        self, connected: socket.socket, *, tick_s: float, send_s: float, buffer_bytes: int = _BUFFER_BYTES
    ) -> None:
        """`receive` returns after `tick_s` without bytes; a peer that takes nothing for `send_s` is lost."""
        self._socket = connected
        self._buffer = mmap.mmap(-1, buffer_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._view = memoryview(self._buffer)
        self._filled_bytes = 0
        self._poll = select.poll()
        self._poll.register(connected, _READABLE)
        connected.settimeout(None)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(tick_s))
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(send_s))

    def read_at_most(self, size_bytes: int) -> None:
        """Take in no more than that at a time."""
        self._view = memoryview(self._buffer)[:size_bytes]

    def receive(self) -> memoryview | None:
        """What arrived, as a view that the next call overwrites; empty at the connection's end, None after a tick."""
        try:
            count = self._socket.recv_into(self._view)
            if count and _QUICKACK is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        except BlockingIOError:
            self._give_memory_back()
            return None
        except OSError:
            return _NOTHING
        if count > self._filled_bytes:
            self._filled_bytes = count
        return self._view[:count]

    def _give_memory_back(self) -> None:
        """A peer that pauses has nothing in the buffer that is still wanted: hundreds of idle ones cost little."""
        if self._filled_bytes > _KEPT_WHILE_IDLE:
            self._buffer.madvise(mmap.MADV_DONTNEED)
            self._filled_bytes = 0

    def is_readable(self) -> bool:
        """Whether `receive` would return at once."""
        try:
            return bool(self._poll.poll(0))
        except OSError:
            return True

    def send(self, buffers: Sequence[Buffer]) -> None:
        """Write all of them.

        Raises:
            OSError: the connection is lost, or the peer takes nothing.
        """
        for start in range(0, len(buffers), _BUFFERS_AT_ONCE):
            batch = buffers[start : start + _BUFFERS_AT_ONCE]
            sent = self._socket.sendmsg(batch)
            if sent != sum(map(len, batch)):
                self._send_rest(batch, sent)
            let_go(batch[-1])

    def _send_rest(self, batch: Sequence[Buffer], sent: int) -> None:
        """What the kernel did not take in one go, after the time for sending ran out once."""
        for buffer in batch:
            if sent < len(buffer):
                self._socket.sendall(memoryview(buffer)[sent:])
            sent = max(0, sent - len(buffer))

    def finish_sending(self) -> None:
        """Tell the peer that nothing more comes."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def interrupt(self) -> None:
        """End what the connection's thread waits for, from another thread."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """Let go of it; idempotent."""
        self._socket.close()


def tick_for(*limits_s: float) -> float:
    """How often to look at the clock so that these limits are kept within a quarter."""
    return min(5.0, max(0.02, min(limits_s) / 4))


def _timeval(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("@ll", whole, int((seconds - whole) * 1_000_000))
