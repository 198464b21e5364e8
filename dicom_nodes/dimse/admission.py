"""Which connections the listener keeps: associations have their places, and callers that have not asked have others.

Only an association takes one of the node's places, so nobody shuts the port by connecting and saying nothing. What has
said nothing costs a descriptor, so many may wait; what has begun to ask costs a thread, so few may.
"""

import threading
from collections import Counter
from typing import Generic, Protocol, TypeVar

from dicom_nodes.config import Peer

MAXIMUM_ASKING = 64

ConnectionT = TypeVar("ConnectionT")


class _Crowd(Generic[ConnectionT]):
    """Connections in the order they came, by host."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._host_of: dict[ConnectionT, str] = {}
        self._by_host: dict[str, dict[ConnectionT, None]] = {}

    def add(self, connection: ConnectionT, host: str) -> ConnectionT | None:
        """Returns the one to drop where that is one too many: the oldest of the host that has most here."""
        dropped = None
        if len(self._host_of) >= self._maximum:
            crowd = max(self._by_host, key=lambda of: len(self._by_host[of]))
            dropped = next(iter(self._by_host[crowd]))
            self.remove(dropped)
        self._host_of[connection] = host
        self._by_host.setdefault(host, {})[connection] = None
        return dropped

    def remove(self, connection: ConnectionT) -> str | None:
        """Its host; None when it is not here."""
        host = self._host_of.pop(connection, None)
        if host is not None:
            of_host = self._by_host[host]
            del of_host[connection]
            if not of_host:
                del self._by_host[host]
        return host


class Admission(Generic[ConnectionT]):
    """Counts connections from accept to end; safe for several threads.

    Where a connection is one too many, the one to drop is of the host that has most of its kind, so one host's crowd
    never costs another host its turn.
    """

    def __init__(self, maximum_associations: int, *, maximum_silent: int, maximum_asking: int = MAXIMUM_ASKING) -> None:
        self._maximum_associations = maximum_associations
        self._silent: _Crowd[ConnectionT] = _Crowd(maximum_silent)
        self._asking: _Crowd[ConnectionT] = _Crowd(maximum_asking)
        self._associations: set[ConnectionT] = set()
        self._lock = threading.Lock()

    def arrived(self, connection: ConnectionT, host: str) -> ConnectionT | None:
        """Let a connection wait until it says something; returns the one to drop where that is one too many."""
        with self._lock:
            return self._silent.add(connection, host)

    def speaks(self, connection: ConnectionT) -> ConnectionT | None:
        """A connection that waited begins to ask for an association; returns as `arrived`."""
        with self._lock:
            host = self._silent.remove(connection)
            return None if host is None else self._asking.add(connection, host)

    def takes_place(self, connection: ConnectionT) -> bool:
        """Give a connection that asks an association's place until it has left; False when all are taken."""
        with self._lock:
            if len(self._associations) >= self._maximum_associations or self._asking.remove(connection) is None:
                return False
            self._associations.add(connection)
            return True

    def left(self, connection: ConnectionT) -> None:
        """The connection ended; idempotent."""
        with self._lock:
            self._silent.remove(connection)
            self._asking.remove(connection)
            self._associations.discard(connection)


class Places(Protocol):
    """Who may have one more association."""

    def takes_place(self, peer: Peer) -> bool:
        """Count an association of the peer until it has left; False when there is no room for it."""

    def left(self, peer: Peer) -> None:
        """An association of the peer ended."""


class NodePlaces:
    """Places of the node and of each peer, counted together; safe for several threads."""

    def __init__(self, maximum_associations: int) -> None:
        self._left = maximum_associations
        self._of_peers = PeerPlaces()
        self._lock = threading.Lock()

    def takes_place(self, peer: Peer) -> bool:
        with self._lock:
            if self._left <= 0 or not self._of_peers.takes_place(peer):
                return False
            self._left -= 1
            return True

    def left(self, peer: Peer) -> None:
        with self._lock:
            self._left += 1
            self._of_peers.left(peer)


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
