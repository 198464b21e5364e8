"""Who may convert next: receivers share a few places, and none of them ever has all of them or waits for ever."""

import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(eq=False, frozen=True, slots=True)
class _Waiting:
    receiver: str


class Places:
    """First come, first served, passing over receivers that have their share: one place less than there are."""

    def __init__(self, count: int) -> None:
        self._free, self._share = count, max(1, count - 1)
        self._taken: Counter[str] = Counter()
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, receiver: str) -> Iterator[None]:
        """Hold a place for `receiver` inside the block, having waited for it."""
        waiting = _Waiting(receiver)
        with self._changed:
            self._queue.append(waiting)
            try:
                self._changed.wait_for(lambda: self._following() is waiting)
                self._free -= 1
                self._taken[receiver] += 1
            finally:
                self._queue.remove(waiting)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._taken -= Counter({receiver: 1})
                self._changed.notify_all()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def _following(self) -> _Waiting | None:
        if not self._free:
            return None
        return next((waiting for waiting in self._queue if self._taken[waiting.receiver] < self._share), None)
