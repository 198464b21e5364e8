"""TLS on a `Connection`: the same calls with the same meaning, so that the protocol above does not know the difference.

An acceptor's handshake is part of `receive`: it happens in the association's own thread, under that association's
timers, and a caller that never finishes it costs what one costs that never asks. OpenSSL reads and writes memory, and
the bytes go through the connection's own large reads and writes: measured against `SSLSocket`, which makes two system
calls for a record of 16 KiB, this is as quick or quicker, and the kernel's time-outs keep working (ADR 047).
"""

import mmap
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress

from dicom_nodes.dimse.connection import Connection
from dicom_nodes.dimse.tls_words import tls_words
from dicom_nodes.foundation.buffers import let_go
from dicom_nodes.foundation.certificate import PresentedCertificate, presented
from dicom_nodes.upper_layer.pdu_types import Buffer

CIPHERTEXT_BYTES = 1 << 18
"""How much is read, and how much written, at once; more of it falls out of the processor's cache."""
_RECORD_BYTES = 16_384
_PLAINTEXT_BYTES = CIPHERTEXT_BYTES + 2 * _RECORD_BYTES
_NOTHING = memoryview(b"")


class TlsConnection:
    """A connection and the TLS on it; used by one thread, but for `interrupt`."""

    def __init__(self, connection: Connection, context: ssl.SSLContext, *, server_side: bool) -> None:
        """Nothing is read or written yet."""
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side)
        self._plaintext = memoryview(mmap.mmap(-1, _PLAINTEXT_BYTES))
        self._certificate: PresentedCertificate | None = None
        self._failure: str | None = None
        self._has_more = self._has_ended = self._is_lost = self._said_all = False

    @property
    def certificate(self) -> PresentedCertificate | None:
        """Who the other side has proved to be; None until the handshake is over."""
        return self._certificate

    @property
    def failure(self) -> str | None:
        """Why TLS came to nothing, in words; a connection that merely ended has none."""
        return self._failure

    def shake_hands(self, within_s: float) -> None:
        """Do the handshake as the side that calls; afterwards there is a certificate or a failure."""
        deadline = time.monotonic() + within_s
        self._advance()
        while self._certificate is None and self._failure is None:
            arrived = self._connection.receive()
            if arrived is not None and not len(arrived):
                self._failure = "it ends the connection instead of a TLS handshake"
            elif time.monotonic() > deadline:
                self._failure = f"it does not finish the TLS handshake within {within_s:g} s"
            elif arrived is not None:
                self._incoming.write(arrived)
                self._advance()
        self._has_more = self._certificate is not None

    def read_at_most(self, size_bytes: int) -> None:
        """As `Connection.read_at_most`, of what is encrypted."""
        self._connection.read_at_most(size_bytes)

    def receive(self) -> memoryview | None:
        """As `Connection.receive`; None also when what arrived holds nothing to read."""
        if self._has_ended:
            return _NOTHING
        if self._has_more:
            return self._decrypted()
        arrived = self._connection.receive()
        if arrived is None or not len(arrived):
            return arrived
        if self._said_all:
            return None
        self._incoming.write(arrived)
        if self._certificate is None:
            self._advance()
        if self._failure is not None:
            return _NOTHING
        return None if self._certificate is None else self._decrypted()

    def is_readable(self) -> bool:
        """Whether `receive` would return at once."""
        return self._has_more or self._has_ended or self._connection.is_readable()

    def send(self, buffers: Sequence[Buffer]) -> None:
        """Write all of them; small ones share a record with what follows.

        Raises:
            OSError: the connection is lost, the peer takes nothing, or the handshake is not over.
        """
        if self._certificate is None:
            raise ConnectionError("the TLS handshake is not over")
        try:
            small = bytearray()
            for buffer in buffers:
                view = memoryview(buffer)
                if len(small) + len(view) < _RECORD_BYTES:
                    small += view
                    continue
                if small:
                    fills = _RECORD_BYTES - len(small)
                    small += view[:fills]
                    self._encrypt(memoryview(small))
                    small, view = bytearray(), view[fills:]
                self._encrypt(view)
                let_go(view)
            self._encrypt(memoryview(small))
            self._write_out()
        except OSError:
            self._is_lost = True
            self._learn_why()
            raise

    def finish_sending(self) -> None:
        """Tell the peer that nothing more comes."""
        self._say_goodbye()
        self._connection.finish_sending()

    def interrupt(self) -> None:
        """End what the connection's thread waits for, from another thread."""
        self._connection.interrupt()

    def close(self) -> None:
        """Let go of it; idempotent."""
        self._say_goodbye()
        self._connection.close()

    def _advance(self) -> None:
        """Go on with the handshake; the alert that says why it fails is sent."""
        try:
            self._tls.do_handshake()
            self._certificate = presented(self._tls.getpeercert() or {}, self._tls.getpeercert(True) or b"")
        except ssl.SSLWantReadError:
            pass
        except (OSError, ValueError) as error:
            self._fail(error)
        try:
            self._write_out()
        except OSError as error:
            self._fail(error)

    def _decrypted(self) -> memoryview | None:
        """All that has arrived, as far as there is room for it."""
        count = 0
        self._has_more = True
        try:
            while count < _PLAINTEXT_BYTES:
                read = self._tls.read(_PLAINTEXT_BYTES - count, self._plaintext[count:])
                if not read:
                    self._has_ended = True
                    break
                count += int(read)
        except ssl.SSLWantReadError:
            self._has_more = False
        except ssl.SSLZeroReturnError:
            self._has_ended = True
        except OSError as error:
            self._fail(error)
        with suppress(OSError):
            self._write_out()  # an answer to a new key, an alert
        if count:
            return self._plaintext[:count]
        return _NOTHING if self._has_ended else None

    def _encrypt(self, view: memoryview) -> None:
        for at in range(0, len(view), CIPHERTEXT_BYTES):
            self._tls.write(view[at : at + CIPHERTEXT_BYTES])
            if self._outgoing.pending >= CIPHERTEXT_BYTES:
                self._write_out()

    def _learn_why(self) -> None:
        """Read the alert that the peer may have left before it closed: in TLS 1.3 it refuses our certificate late."""
        if self._connection.is_readable() and (arrived := self._connection.receive()):
            self._incoming.write(arrived)
            self._decrypted()

    def _write_out(self) -> None:
        if self._outgoing.pending:
            self._connection.send([self._outgoing.read()])

    def _say_goodbye(self) -> None:
        if self._said_all:
            return
        self._said_all = True
        if self._certificate is not None and not self._is_lost:
            with suppress(OSError, ValueError):
                self._tls.unwrap()
            with suppress(OSError):
                self._write_out()

    def _fail(self, error: Exception) -> None:
        self._has_ended = self._is_lost = True
        if self._failure is None:
            self._failure = tls_words(error)
