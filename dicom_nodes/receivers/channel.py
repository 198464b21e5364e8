"""One conversation between a receiver's thread and the main process: objects over a socket pair, one at a time.

They are pickled: both ends are processes of this node, made by one another, and nobody else has the socket (it has no
name). A receiver that is no longer itself could do nothing by a pickle that it could not do to the spool and the
database, which it has open as the main process has.
"""

import os
import pickle
import socket
import struct
from typing import Any

_LENGTH = struct.Struct(">I")


class ChannelClosed(OSError):
    """The other end is gone."""


class Channel:
    """Used by one thread at a time."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def send(self, message: object, descriptor: int | None = None) -> None:
        """Send it, and a descriptor beside it where one is given; raises ChannelClosed."""
        content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        frame = _LENGTH.pack(len(content)) + content
        try:
            if descriptor is None:
                self._socket.sendall(frame)
            else:
                sent = socket.send_fds(self._socket, [frame], [descriptor])
                self._socket.sendall(frame[sent:])
        except OSError as error:
            raise ChannelClosed(str(error)) from None

    def receive(self, within_s: float | None = None) -> Any:
        """The next message; raises ChannelClosed, also where nothing comes for `within_s`."""
        self._socket.settimeout(within_s)
        try:
            return self._read(self._exactly(_LENGTH.size))
        finally:
            self._socket.settimeout(None)

    def receive_with_descriptor(self) -> tuple[Any, int | None]:
        """The next message, and the descriptor that came with it, which is the caller's to close."""
        try:
            head, descriptors, _, _ = socket.recv_fds(self._socket, _LENGTH.size, 1)
        except OSError as error:
            raise ChannelClosed(str(error)) from None
        if not head:
            raise ChannelClosed("the other end is gone")
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        message = self._read(head + self._exactly(_LENGTH.size - len(head)))
        return message, descriptors[0] if descriptors else None

    def close(self) -> None:
        self._socket.close()

    def _read(self, head: bytes | bytearray) -> Any:
        (size,) = _LENGTH.unpack(head)
        return pickle.loads(self._exactly(size))

    def _exactly(self, size: int) -> bytes | bytearray:
        """So many bytes; nearly always in one piece."""
        if not size:
            return b""
        first = self._part(size)
        if len(first) == size:
            return first
        content = bytearray(first)
        while len(content) < size:
            content += self._part(size - len(content))
        return content

    def _part(self, size: int) -> bytes:
        try:
            part = self._socket.recv(size)
        except OSError as error:
            raise ChannelClosed(str(error)) from None
        if not part:
            raise ChannelClosed("the other end is gone")
        return part
