"""A connection and the protocol on it, joined: bytes in both directions, the ARTIM timer, silence that is too long."""

import threading
import time

from dicom_nodes.dimse.connection import Transport
from dicom_nodes.dimse.pacing import Pace
from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.upper_layer.command_set import Command
from dicom_nodes.upper_layer.dimse_provider import DimseEvent, DimseProvider
from dicom_nodes.upper_layer.events import NEED_DATA, ArtimTimer, CloseTransport
from dicom_nodes.upper_layer.provider import Side, UpperLayerProvider
from dicom_nodes.upper_layer.state_machine import Artim, State

_PART_BYTES = 16 << 20
_LARGEST_P_DATA = 4 << 20
"""A longer P-DATA-TF than that is no peer's, whatever it was told; nothing is allocated for it in any case."""


class AssociationLink:
    """One association on one connection, used by one thread."""

    def __init__(self, connection: Transport, side: Side, *, stall_s: float, artim_s: float) -> None:
        """`stall_s` is how long a peer may be silent in the middle of a message."""
        self.connection = connection
        self.upper = UpperLayerProvider(side, largest_p_data=_LARGEST_P_DATA)
        self.dimse = DimseProvider(self.upper)
        self._stall_s, self._artim_s = stall_s, artim_s
        self._artim_at: float | None = None
        self._last_traffic = time.monotonic()
        self._pdu_number, self._pdu_since = 0, self._last_traffic
        self._said_all = self.is_closed = self._said_interrupted = False
        self._interrupted = threading.Event()
        self._pace: Pace | None = None

    def keep_to(self, pace: Pace | None) -> None:
        """Read no faster than that from now on; None reads as fast as bytes come."""
        self._pace = pace
        if pace is not None:
            self.connection.read_at_most(pace.largest_read)

    def next_event(self, idle_s: float) -> DimseEvent | None:
        """Wait for what happens next; None once the connection is closed.

        Raises:
            TimeoutError: silence for `idle_s` between messages, or for `stall_s` inside one; or a PDU that takes
                longer than that.
        """
        while not self.is_closed:
            event = self.dimse.next_event()
            if event is NEED_DATA:
                self.wait(idle_s)
            elif not self.keeps_house(event):
                return event
        return None

    def poll(self) -> DimseEvent | None:
        """What has already happened; None when nothing has, or when the connection is closed."""
        while not self.is_closed:
            event = self.dimse.next_event()
            if event is NEED_DATA:
                if not self.connection.is_readable():
                    return None
                self._receive()
            elif not self.keeps_house(event):
                return event
        return None

    def wait(self, idle_s: float) -> None:
        """Send what is to be sent, then take in what comes; at most for a tick of the connection.

        Raises:
            TimeoutError: as for `next_event`.
        """
        self.flush()
        arrived = self._receive()
        now = time.monotonic()
        if self._artim_at is not None:
            if now >= self._artim_at:
                self._artim_at = None
                self.upper.artim_expired()
        elif self._drips(now) or (not arrived and now - self._last_traffic > self._patience_s(idle_s)):
            raise TimeoutError

    def _drips(self, now: float) -> bool:
        """Whether the PDU under way has been so for longer than any needs, however often a byte of it comes."""
        if self.upper.is_between_pdus or self.upper.pdus_ended != self._pdu_number:
            self._pdu_number, self._pdu_since = self.upper.pdus_ended, now
        return now - self._pdu_since > self._stall_s

    def _pause(self, seconds: float) -> None:
        """Read nothing for so long, which is not the peer's silence."""
        if seconds > 0:
            self._interrupted.wait(seconds)
            self._last_traffic += seconds
            self._pdu_since += seconds

    def _patience_s(self, idle_s: float) -> float:
        return idle_s if self.dimse.is_between_messages else self._stall_s

    def send(self, context_id: int, command: Command, data_set: Buffer | None = None) -> None:
        """Send a message at once; a connection that fails shows as an event. Nothing of the data set is copied."""
        self.queue(context_id, command)
        if data_set is not None:
            self._send_data_set(context_id, memoryview(data_set))
        self.flush()

    def queue(self, context_id: int, command: Command) -> None:
        """Send a message without data set with whatever is written next, at the latest before we wait."""
        self.dimse.send_command(context_id, command)

    def _send_data_set(self, context_id: int, data_set: memoryview) -> None:
        """Part by part, so that gigabytes do not become a hundred thousand buffers at once."""
        end = len(data_set)
        for start in range(0, end or 1, _PART_BYTES):
            part = data_set[start : start + _PART_BYTES]
            is_last = start + _PART_BYTES >= end
            self.dimse.send_data_set(context_id, part, is_last=is_last)
            if not is_last:
                self.flush()
                if not self.upper.is_established:
                    return

    def flush(self) -> None:
        """Write what the protocol wants written; in Sta13, where nothing follows, say so to the peer."""
        outgoing = self.upper.data_to_send()
        if outgoing:
            try:
                self.connection.send(outgoing)
            except OSError:
                self.upper.receive_eof()
            self._last_traffic = time.monotonic()
        if self.upper.state is State.AWAITING_CLOSE and not self._said_all:
            self._said_all = True
            self.connection.finish_sending()

    @property
    def is_interrupted(self) -> bool:
        return self._interrupted.is_set()

    def interrupt(self) -> None:
        """Have the association aborted by its own thread; the one thing another thread may ask for."""
        self._interrupted.set()
        self.connection.interrupt()

    def close(self) -> None:
        """Write what is left and close the connection; idempotent."""
        self.is_closed = True
        self.flush()
        self.connection.close()

    def keeps_house(self, event: DimseEvent) -> bool:
        """Do what concerns the connection alone; False for what concerns whoever uses it."""
        if isinstance(event, ArtimTimer):
            starts = event.action is Artim.START
            self._artim_at = time.monotonic() + self._artim_s if starts else None
            return True
        if isinstance(event, CloseTransport):
            self.close()
            return True
        return False

    def _receive(self) -> bool:
        received = self.connection.receive()
        if received is None:
            return False
        if len(received):
            self._last_traffic = time.monotonic()
            self.upper.receive_data(received)
            if self._pace is not None:
                self._pause(self._pace.take(len(received)))
        elif self.is_interrupted and not self._said_interrupted:
            self._said_interrupted = True
            self.upper.abort()
        else:
            self.upper.receive_eof()
        return True
