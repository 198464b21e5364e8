"""Wakes nodes' long polls when an order was committed, without a thread a poll; at shutdown all of them end."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterable


class OrderBell:
    """Rung from any thread, heard in any event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._loops: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self.closed = False

    def listen(self, node: str) -> asyncio.Event:
        """An event that is set at the node's next order. Listen first, look into the log then, wait last."""
        heard = asyncio.Event()
        with self._lock:
            self._waiting[node].add(heard)
            self._loops[heard] = asyncio.get_running_loop()
            if self.closed:
                heard.set()
        return heard

    def leave(self, node: str, heard: asyncio.Event) -> None:
        with self._lock:
            self._waiting[node].discard(heard)
            self._loops.pop(heard, None)

    def ring(self, nodes: Iterable[str]) -> None:
        """Wake whoever waits for orders of these nodes."""
        with self._lock:
            for heard in [event for node in nodes for event in self._waiting[node]]:
                self._loops[heard].call_soon_threadsafe(heard.set)

    def close(self) -> None:
        """End every wait, now and from now on."""
        with self._lock:
            self.closed = True
            nodes = list(self._waiting)
        self.ring(nodes)
