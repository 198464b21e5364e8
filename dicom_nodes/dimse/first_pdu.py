"""Whether a connection has sent its whole association request, found out by looking: nothing is read, no thread waits.

The kernel is told to say so only once there is enough (SO_RCVLOWAT), so a caller that drips its request costs what one
costs that says nothing.
"""

import fcntl
import socket
import struct
import termios

from dicom_nodes.upper_layer.pdu_decoder import LARGEST_ASSOCIATION_PDU
from dicom_nodes.upper_layer.pdu_types import PDU_HEADER, PduType


def has_arrived(connected: socket.socket) -> bool | None:
    """Whether there is something to serve: the whole first PDU, or what will never be one, or is longer than the kernel
    holds. None: the caller is gone.

    To be asked each time the connection becomes readable; False makes it readable only once there is more.
    """
    try:
        header = connected.recv(PDU_HEADER.size, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        if not header:
            return None
        needed = _needed(header)
        if needed is None or _waiting(connected) >= needed:
            return True
        if connected.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == needed:
            return True  # told though there is less: the caller has finished sending, and whoever serves it will see
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, needed)
        is_more_than_fits = connected.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) < needed
    except BlockingIOError:
        return False
    except OSError:
        return None
    return is_more_than_fits


def serve_from_now_on(connected: socket.socket) -> None:
    """Have every byte reported again; raises OSError."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


def _needed(header: bytes) -> int | None:
    """How many bytes make the request whole, as far as is known; None where it is no request."""
    if header[0] != PduType.ASSOCIATE_RQ:
        return None
    if len(header) < PDU_HEADER.size:
        return PDU_HEADER.size
    _, length = PDU_HEADER.unpack(header)
    return PDU_HEADER.size + int(length) if length <= LARGEST_ASSOCIATION_PDU else None


def _waiting(connected: socket.socket) -> int:
    """How many bytes can be read at once."""
    answer = fcntl.ioctl(connected.fileno(), termios.FIONREAD, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])
