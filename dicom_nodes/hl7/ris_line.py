"""One connection to a RIS by MLLP: a message goes out when the last one is answered, and nothing is guessed.

Each message has its own time limit. Whatever is doubtful about an answer ends the connection: a late one can then
never be taken for the next message's.
"""

import contextlib
import select
import socket
import time
from collections.abc import Sequence

from dicom_nodes.foundation.settings_file import split_host_port
from dicom_nodes.hl7.mllp import Deframer, Event, Message, frame
from dicom_nodes.model.errors import NothingSent, PeerUnavailable

_LONGEST_ANSWER = 262_144


class RisLine:
    """Open from its making until `close`; for one thread."""

    def __init__(self, address: str, timeout_s: float) -> None:
        """Connect.

        Raises:
            NothingSent: no connection.
        """
        self._where, self._timeout_s = f"the RIS at {address}", timeout_s
        self._until_s = time.monotonic() + timeout_s
        self._socket = self._connection(address)
        self._deframer = Deframer(_LONGEST_ANSWER)
        self.opened_s = time.monotonic()
        self.carried = 0
        """How many messages were answered."""
        self._has_more = False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

    @property
    def is_quiet(self) -> bool:
        """Whether the RIS has neither hung up nor said anything that nobody asked for."""
        if self._has_more or self._deframer.buffered_bytes or self._deframer.in_message:
            return False
        try:
            waiting = select.poll()
            waiting.register(self._socket, select.POLLIN)
            return not waiting.poll(0)
        except (OSError, ValueError):
            return False

    def exchange(self, message: bytes) -> bytes:
        """Send the message and return what is answered; the first one's time limit began with the connecting.

        Raises:
            PeerUnavailable: no answer in time, or none that is one message; the line must be closed.
        """
        if self.carried:
            self._until_s = time.monotonic() + self._timeout_s
        try:
            self._socket.settimeout(max(0.001, self._until_s - time.monotonic()))
            self._socket.sendall(frame(message))
            answer = self._answer()
        except TimeoutError:
            raise PeerUnavailable(f"{self._where} gave no answer within {self._timeout_s:g} s") from None
        except OSError as error:
            raise PeerUnavailable(f"the connection to {self._where} failed: {error.strerror or error}") from None
        self.carried += 1
        return answer

    def _connection(self, address: str) -> socket.socket:
        try:
            connection = socket.create_connection(split_host_port(address), self._timeout_s)
        except TimeoutError:
            raise NothingSent(f"{self._where} takes no connection within {self._timeout_s:g} s") from None
        except ConnectionRefusedError:
            raise NothingSent(f"{self._where} refuses the connection: nothing listens there") from None
        except OSError as error:
            raise NothingSent(f"there is no connection to {self._where}: {error.strerror or error}") from None
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _answer(self) -> bytes:
        """The first message that comes; more than one in the same breath is left in doubt with the line."""
        while True:
            left_s = self._until_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._socket.settimeout(left_s)
            received = self._socket.recv(65536)
            events = list(self._deframer.receive(received))
            if events:
                return self._only(events)
            if not received:
                half = "in the middle of its answer" if self._deframer.in_message else "without an answer"
                raise PeerUnavailable(f"{self._where} closed the connection {half}")

    def _only(self, events: Sequence[Event]) -> bytes:
        first = events[0]
        if not isinstance(first, Message):
            raise PeerUnavailable(f"{self._where} answered with bytes that are no MLLP message")
        self._has_more = len(events) > 1
        return first.data
