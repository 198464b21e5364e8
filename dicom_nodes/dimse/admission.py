"""Which connections the listener keeps: associations have their places, and callers that have not asked have a few.

Only an association takes one of the node's places, so nobody shuts the port by connecting and saying nothing.
"""

import threading
from collections import Counter
from typing import Generic, TypeVar

from dicom_nodes.config import Peer

MAXIMUM_WAITING = 64

ConnectionT = TypeVar("ConnectionT")


class Admission(Generic[ConnectionT]):
    """Counts connections from accept to end; safe for several threads."""

    def __init__(self, maximum_associations: int, maximum_waiting: int = MAXIMUM_WAITING) -> None:
        self._maximum_associations, self._maximum_waiting = maximum_associations, maximum_waiting
        self._waiting: dict[ConnectionT, str] = {}
        self._associations: set[ConnectionT] = set()
        self._lock = threading.Lock()

    def arrived(self, connection: ConnectionT, host: str) -> ConnectionT | None:
        """Let a connection wait to ask for an association; returns the one to drop where that is one too many.

        It is the oldest of the host that has most waiting, so one host's crowd never costs another host its turn.
        """
        with self._lock:
            dropped = self._oldest_of_the_crowd() if len(self._waiting) >= self._maximum_waiting else None
            if dropped is not None:
                del self._waiting[dropped]
            self._waiting[connection] = host
            return dropped

    def takes_place(self, connection: ConnectionT) -> bool:
        """Give a waiting connection an association's place until it has left; False when all are taken."""
        with self._lock:
            if connection not in self._waiting or len(self._associations) >= self._maximum_associations:
                return False
            del self._waiting[connection]
            self._associations.add(connection)
            return True

    def left(self, connection: ConnectionT) -> None:
        """The connection ended; idempotent."""
        with self._lock:
            self._waiting.pop(connection, None)
            self._associations.discard(connection)

    def _oldest_of_the_crowd(self) -> ConnectionT | None:
        crowds = Counter(self._waiting.values()).most_common(1)
        return next((waiting for waiting, host in self._waiting.items() if host == crowds[0][0]), None)


class PeerPlaces:
    """Counts each peer's associations against what that peer may hold at once; safe for several threads."""

    def __init__(self) -> None:
        self._inside: Counter[str] = Counter()
        self._lock = threading.Lock()

    def takes_place(self, peer: Peer) -> bool:
        """Count an association of the peer until it has left; False when it holds all it may."""
        with self._lock:
            limit = peer.maximum_associations
            if limit is not None and self._inside[peer.ae_title] >= limit:
                return False
            self._inside[peer.ae_title] += 1
            return True

    def left(self, peer: Peer) -> None:
        """An association of the peer ended."""
        with self._lock:
            self._inside[peer.ae_title] -= 1
