"""The listening sockets: one thread that waits for connections, and one for each that has said something.

A connection that says nothing costs a descriptor and no thread; see `admission` for who makes room for whom.
"""

import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from dicom_nodes.config import Peer
from dicom_nodes.dimse.acceptor import AcceptedAssociation, AcceptorPolicy
from dicom_nodes.dimse.admission import Admission, PeerPlaces, Places
from dicom_nodes.dimse.connection import tick_for
from dicom_nodes.dimse.dispatch import Dispatcher
from dicom_nodes.dimse.first_pdu import has_arrived, serve_from_now_on
from dicom_nodes.dimse.tls_settings import accepted

_BACKLOG = 512
_ACCEPTED_AT_ONCE = 64
_PAUSE_WITHOUT_DESCRIPTORS_S = 0.1


def _without_tls() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Door:
    """An address to listen on; where `context` gives one, what comes in speaks TLS."""

    address: tuple[str, int]
    context: Callable[[], ssl.SSLContext | None] = _without_tls

    @property
    def speaks_tls(self) -> bool:
        return self.context is not _without_tls


class Arrival:
    """A connection from accept to end; `association` once it has a thread, `peer` once it has a place."""

    __slots__ = ("association", "connected", "deadline", "door", "host", "peer")

    def __init__(self, connected: socket.socket, host: str, deadline: float, door: Door) -> None:
        self.connected, self.host, self.deadline, self.door = connected, host, deadline, door
        self.association: AcceptedAssociation | None = None
        self.peer: Peer | None = None


class AssociationServer:
    """Accepts connections at its doors and runs their associations, counted together."""

    def __init__(
        self,
        doors: Sequence[Door],
        policy: AcceptorPolicy,
        dispatcher: Dispatcher,
        *,
        maximum_associations: int,
        maximum_silent: int,
        reuse_port: bool = False,
        peer_places: Places | None = None,
    ) -> None:
        """Bind; nothing is accepted before `start()`. With `reuse_port` several processes may share the port;
        `peer_places` then counts for all of them.

        Raises:
            OSError: an address cannot be bound.
        """
        self._policy, self._dispatcher = policy, dispatcher
        self._admission: Admission[Arrival] = Admission(maximum_associations, maximum_silent=maximum_silent)
        self._peer_places = peer_places or PeerPlaces()
        self._doors = _listening_sockets(doors, reuse_port)
        self.ports = tuple(int(listening.getsockname()[1]) for listening in self._doors)
        self._wake_up, self._woken = socket.socketpair()
        self._silent: dict[socket.socket, Arrival] = {}
        self._running: dict[AcceptedAssociation, threading.Thread] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._listen, name="dicom-listener", daemon=True)

    def start(self) -> None:
        """Accept connections in a thread of its own."""
        self._thread.start()

    def stop(self, drain_s: float) -> None:
        """Accept no more; let associations end by themselves for `drain_s`, then abort what is left."""
        self._wake_up.send(b"x")
        self._thread.join()
        self._join(time.monotonic() + drain_s)
        for association in self._associations():
            association.interrupt()
        self._join(time.monotonic() + 5)
        self._wake_up.close()
        self._woken.close()

    def _associations(self) -> list[AcceptedAssociation]:
        with self._lock:
            return list(self._running)

    def _join(self, deadline: float) -> None:
        with self._lock:
            threads = list(self._running.values())
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            for listening in self._doors:
                selector.register(listening, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            try:
                while self._turn(selector):
                    pass
            finally:
                for listening in self._doors:
                    listening.close()
                for connected in self._silent:
                    connected.close()

    def _turn(self, selector: selectors.BaseSelector) -> bool:
        """Wait for connections and for their first bytes; False when it is time to stop."""
        for key, _ in selector.select(self._until_the_next_deadline()):
            ready = key.fileobj
            if ready is self._woken:
                return False
            if not isinstance(ready, socket.socket):
                continue
            if ready in self._doors:
                for _ in range(_ACCEPTED_AT_ONCE):
                    if not self._accept(ready, selector):
                        break
            elif (arrival := self._silent.get(ready)) is not None:
                self._look_at(arrival, selector)
        self._close_the_late(selector)
        return True

    def _look_at(self, arrival: Arrival, selector: selectors.BaseSelector) -> None:
        """A connection that had not asked for an association has sent something, or has ended."""
        has_asked = True if arrival.door.speaks_tls else has_arrived(arrival.connected)
        if has_asked is None:
            self._close(arrival, selector)
        elif has_asked:
            del self._silent[arrival.connected]
            selector.unregister(arrival.connected)
            if (dropped := self._admission.speaks(arrival)) is not None:
                self._drop(dropped, selector)
            self._begin(arrival)

    def _close_the_late(self, selector: selectors.BaseSelector) -> None:
        """All wait equally long, so the first that came is the first that is late."""
        now = time.monotonic()
        while (first := next(iter(self._silent.values()), None)) is not None and first.deadline <= now:
            self._close(first, selector)

    def _until_the_next_deadline(self) -> float | None:
        first = next(iter(self._silent.values()), None)
        return None if first is None else max(0.0, first.deadline - time.monotonic())

    def _accept(self, listening: socket.socket, selector: selectors.BaseSelector) -> bool:
        """Take one connection; False when no more can be had now."""
        try:
            connected, address = listening.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            self._policy.broken(error)
            time.sleep(_PAUSE_WITHOUT_DESCRIPTORS_S)
            return False
        host = str(address[0])
        if not self._policy.may_connect(host):
            connected.close()
            self._policy.turned_away(host, "no peer may call from this host")
            return True
        arrival = Arrival(connected, host, time.monotonic() + self._policy.artim_s, self._doors[listening])
        dropped = self._admission.arrived(arrival, host)
        self._silent[connected] = arrival
        selector.register(connected, selectors.EVENT_READ)
        if dropped is not None:
            self._drop(dropped, selector)
        return True

    def _drop(self, arrival: Arrival, selector: selectors.BaseSelector) -> None:
        """Make room for another."""
        self._policy.turned_away(arrival.host, "too many connections ask for nothing")
        if arrival.association is None:
            self._close(arrival, selector)
        else:
            arrival.association.interrupt()

    def _close(self, arrival: Arrival, selector: selectors.BaseSelector) -> None:
        """End a connection that has not asked for anything."""
        if self._silent.pop(arrival.connected, None) is not None:
            selector.unregister(arrival.connected)
        arrival.connected.close()
        self._admission.left(arrival)

    def _begin(self, arrival: Arrival) -> None:
        """Give the connection a thread."""
        policy = self._policy
        tick_s = tick_for(policy.shortest_idle_s, policy.stall_s, policy.artim_s, policy.sub_operation_timeout_s)
        try:
            serve_from_now_on(arrival.connected)
            connection = accepted(arrival.connected, arrival.door.context(), tick_s=tick_s, send_s=policy.stall_s)
            association = arrival.association = AcceptedAssociation(
                connection,
                arrival.host,
                policy,
                self._dispatcher,
                takes_place=partial(self._takes_place, arrival),
                leaves=partial(self._leaves, arrival),
            )
            thread = threading.Thread(target=self._run, args=(association,), name="dicom-association", daemon=True)
            with self._lock:
                self._running[association] = thread
                thread.start()
        except (OSError, RuntimeError) as error:
            policy.broken(error)
            if arrival.association is not None:
                self._forget(arrival.association)
            self._leaves(arrival)
            arrival.connected.close()

    def _takes_place(self, arrival: Arrival, peer: Peer) -> bool:
        if not self._peer_places.takes_place(peer):
            return False
        if not self._admission.takes_place(arrival):
            self._peer_places.left(peer)
            return False
        arrival.peer = peer
        return True

    def _leaves(self, arrival: Arrival) -> None:
        self._admission.left(arrival)
        if arrival.peer is not None:
            self._peer_places.left(arrival.peer)
            arrival.peer = None

    def _run(self, association: AcceptedAssociation) -> None:
        try:
            association.run()
        finally:
            self._forget(association)

    def _forget(self, association: AcceptedAssociation) -> None:
        with self._lock:
            self._running.pop(association, None)


def _listening_sockets(doors: Sequence[Door], reuse_port: bool) -> dict[socket.socket, Door]:
    listening: dict[socket.socket, Door] = {}
    try:
        for door in doors:
            listening[_listening_socket(door.address, reuse_port)] = door
    except OSError:
        for bound in listening:
            bound.close()
        raise
    return listening


def _listening_socket(address: tuple[str, int], reuse_port: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
