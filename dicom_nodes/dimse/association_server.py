"""The listening socket: one thread that waits for connections, and one for each that has said something.

A connection that says nothing costs a descriptor and no thread; the oldest of them goes when there are too many.
"""

import selectors
import socket
import threading
import time
from collections import Counter, OrderedDict
from contextlib import suppress

from dicom_nodes.config import Peer
from dicom_nodes.dimse.acceptor import AcceptedAssociation, AcceptorPolicy
from dicom_nodes.dimse.connection import Connection, tick_for
from dicom_nodes.dimse.dispatch import Dispatcher
from dicom_nodes.rules.acceptance import LOCAL_LIMIT_EXCEEDED, Rejection

_BACKLOG = 512
_MOST_SILENT = 256
_PAUSE_WITHOUT_DESCRIPTORS_S = 0.1


class Admissions:
    """Counts who is in: in all, and for each peer."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._lock = threading.Lock()
        self._inside: Counter[str] = Counter()

    def admit(self, peer: Peer) -> Peer | Rejection:
        """Count the peer in, unless there is no place."""
        with self._lock:
            full = self._inside.total() >= self._maximum
            limit = peer.maximum_associations
            if full or (limit is not None and self._inside[peer.ae_title] >= limit):
                return LOCAL_LIMIT_EXCEEDED
            self._inside[peer.ae_title] += 1
        return peer

    def leave(self, peer: Peer) -> None:
        """Count the peer out again."""
        with self._lock:
            self._inside[peer.ae_title] -= 1


class AssociationServer:
    """Accepts connections and runs their associations."""

    def __init__(
        self,
        address: tuple[str, int],
        policy: AcceptorPolicy,
        dispatcher: Dispatcher,
        *,
        most_threads: int,
        reuse_port: bool = False,
    ) -> None:
        """Bind; nothing is accepted before `start()`. With `reuse_port` several processes may share the port.

        Raises:
            OSError: the address cannot be bound.
        """
        self._policy, self._dispatcher, self._most_threads = policy, dispatcher, most_threads
        self._listening = _listening_socket(address, reuse_port)
        self.port = int(self._listening.getsockname()[1])
        self._wake_up, self._woken = socket.socketpair()
        self._silent: OrderedDict[socket.socket, tuple[str, float]] = OrderedDict()
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
            selector.register(self._listening, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            try:
                while self._turn(selector):
                    pass
            finally:
                self._listening.close()
                for connected in self._silent:
                    connected.close()

    def _turn(self, selector: selectors.BaseSelector) -> bool:
        """Wait for connections and for their first bytes; False when it is time to stop."""
        for key, _ in selector.select(self._until_the_next_deadline()):
            ready = key.fileobj
            if ready is self._woken:
                return False
            if ready is self._listening:
                self._accept(selector)
            elif isinstance(ready, socket.socket) and ready in self._silent:
                host, _ = self._silent.pop(ready)
                selector.unregister(ready)
                self._begin(ready, host)
        now = time.monotonic()
        while self._silent and next(iter(self._silent.values()))[1] <= now:
            self._drop_oldest(selector)
        return True

    def _until_the_next_deadline(self) -> float | None:
        if not self._silent:
            return None
        return max(0.0, next(iter(self._silent.values()))[1] - time.monotonic())

    def _accept(self, selector: selectors.BaseSelector) -> None:
        try:
            connected, address = self._listening.accept()
        except BlockingIOError:
            return
        except OSError as error:
            self._policy.broken(error)
            if self._silent:
                self._drop_oldest(selector)
            else:
                time.sleep(_PAUSE_WITHOUT_DESCRIPTORS_S)
            return
        if len(self._silent) >= _MOST_SILENT:
            self._drop_oldest(selector)
        self._silent[connected] = str(address[0]), time.monotonic() + self._policy.artim_s
        selector.register(connected, selectors.EVENT_READ)

    def _drop_oldest(self, selector: selectors.BaseSelector) -> None:
        connected, _ = self._silent.popitem(last=False)
        selector.unregister(connected)
        connected.close()

    def _begin(self, connected: socket.socket, host: str) -> None:
        """Give the connection a thread, unless there are too many already."""
        policy = self._policy
        try:
            with self._lock:
                if len(self._running) >= self._most_threads:
                    connected.close()
                    return
                tick_s = tick_for(policy.idle_s, policy.stall_s, policy.artim_s, policy.sub_operation_timeout_s)
                connection = Connection(connected, tick_s=tick_s, send_s=policy.stall_s)
                association = AcceptedAssociation(connection, host, policy, self._dispatcher)
                thread = threading.Thread(
                    target=self._run, args=(association,), name=f"dicom-{connected.fileno()}", daemon=True
                )
                self._running[association] = thread
            thread.start()
        except (OSError, RuntimeError) as error:
            policy.broken(error)
            with suppress(OSError):
                connected.close()

    def _run(self, association: AcceptedAssociation) -> None:
        try:
            association.run()
        finally:
            with self._lock:
                self._running.pop(association, None)


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
