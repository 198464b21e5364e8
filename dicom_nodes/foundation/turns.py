"""A lock that is had in the order in which it was asked for, so that nobody who writes much keeps others from it."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE_S = 30.0


class Turns:
    """One at a time, first come, first served.

    Who has waited for `patience_s` goes on without a turn: the lock behind this one then says no in its own words.
    """

    def __init__(self, patience_s: float = _PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._guard = threading.Lock()
        self._is_taken = False
        self._waiting: deque[threading.Event] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Have your turn inside; False where the patience ended first."""
        had = self._take()
        try:
            yield had
        finally:
            if had:
                self._pass_on()

    def _take(self) -> bool:
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            called = threading.Event()
            self._waiting.append(called)
        if called.wait(self._patience_s):
            return True
        with self._guard:
            if called.is_set():  # just as the patience ended
                return True
            self._waiting.remove(called)
            return False

    def _pass_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False
