"""How fast a peer is read from: one that may send no more than so much a second is read later, and never refused.

What is not read waits in the peer's own send buffer, by TCP's flow control. All associations of a peer share its pace.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from dicom_nodes.config import Peer

_SMALLEST_READ = 1 << 14
_LARGEST_READ = 1 << 20
_READ_S = 0.25
"""What is read at a time is at most what may come in this long, so that nobody waits much for another's read."""


class TokenBucket:
    """What may pass a second, on average; a burst of as much is free. Safe for several threads."""

    def __init__(self, bytes_per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._bytes_per_s, self._clock = bytes_per_s, clock
        self._level, self._at = bytes_per_s, clock()
        self._lock = threading.Lock()

    def take(self, size_bytes: int) -> float:
        """So many bytes have passed; returns how many seconds nothing more should."""
        with self._lock:
            now = self._clock()
            self._level = min(self._bytes_per_s, self._level + (now - self._at) * self._bytes_per_s) - size_bytes
            self._at = now
            return max(0.0, -self._level / self._bytes_per_s)


@dataclass(frozen=True, slots=True)
class Pace:
    """How one peer is read from."""

    take: Callable[[int], float]
    """(bytes that were read) → seconds to wait before more are."""
    largest_read: int


def largest_read_of(maximum_mib_per_s: float) -> int:
    """How many bytes are read at a time of a peer with this pace."""
    return min(_LARGEST_READ, max(_SMALLEST_READ, int(maximum_mib_per_s * (1 << 20) * _READ_S)))


class PeerPaces:
    """The pace of each peer that has one; safe for several threads."""

    def __init__(self) -> None:
        self._paces: dict[str, Pace] = {}
        self._lock = threading.Lock()

    def of(self, peer: Peer) -> Pace | None:
        """Shared by all associations of the peer; None where it may send as fast as it can."""
        if peer.maximum_mib_per_s is None:
            return None
        with self._lock:
            if peer.ae_title not in self._paces:
                bytes_per_s = peer.maximum_mib_per_s * (1 << 20)
                largest_read = largest_read_of(peer.maximum_mib_per_s)
                self._paces[peer.ae_title] = Pace(TokenBucket(bytes_per_s).take, largest_read)
            return self._paces[peer.ae_title]
