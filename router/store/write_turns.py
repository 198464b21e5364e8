"""Whose turn it is to write to SQLite, which has one writer: threads of this process write in the order they came.

Who waits in SQLite itself sleeps and asks again, up to a tenth of a second at a time, and may never be lucky beside
many others; a lock of the language may be taken again and again by the thread that just had it.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import TimeoutError as DatabaseTimeout

_PATIENCE_S = 30.0
"""As long as SQLite itself would wait."""


class WriteTurns:
    """Turns are handed from one thread to the next."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_taken = False
        self._waiting: deque[threading.Event] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return len(self._waiting)

    @contextmanager
    def turn(self, *, first: bool = False) -> Iterator[None]:
        """Wait for a turn, before all who wait already where it is to be the `first`.

        Raises:
            sqlalchemy.exc.TimeoutError: it did not come in time.
        """
        mine = self._asked_for(first)
        if mine is not None and not mine.wait(_PATIENCE_S) and not self._withdrawn(mine):
            raise DatabaseTimeout("no turn to write within 30 s")
        try:
            yield
        finally:
            self._hand_on()

    def _asked_for(self, first: bool) -> threading.Event | None:
        """None: it is there at once."""
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return None
            mine = threading.Event()
            (self._waiting.appendleft if first else self._waiting.append)(mine)
            return mine

    def _withdrawn(self, mine: threading.Event) -> bool:
        """Whether the turn came after all, while it was given up."""
        with self._guard:
            if mine.is_set():
                return True
            self._waiting.remove(mine)
            return False

    def _hand_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False
