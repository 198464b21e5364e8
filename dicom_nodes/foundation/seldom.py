"""Events that anybody can cause as often as he likes are told seldom, with their number: a log is no target."""

import threading
import time
from collections.abc import Callable


class Seldom:
    """Says when to tell of something that happens over and over; safe for several threads."""

    def __init__(self, every_s: float = 10.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._monotonic = every_s, monotonic
        self._told_at: float | None = None
        self._untold = 0
        self._lock = threading.Lock()

    def happened(self) -> int:
        """How many times to tell of now, this one included; 0 while the last telling is less than `every_s` ago."""
        with self._lock:
            self._untold += 1
            now = self._monotonic()
            if self._told_at is not None and now - self._told_at < self._every_s:
                return 0
            untold, self._untold, self._told_at = self._untold, 0, now
            return untold


class SeldomEach:
    """A `Seldom` for each subject; the oldest subjects are forgotten where there are many."""

    def __init__(self, most: int = 1000, every_s: float = 10.0) -> None:
        self._most, self._every_s = most, every_s
        self._subjects: dict[str, Seldom] = {}
        self._lock = threading.Lock()

    def happened(self, subject: str) -> int:
        """As `Seldom.happened`, of this subject."""
        with self._lock:
            if subject not in self._subjects and len(self._subjects) >= self._most:
                del self._subjects[next(iter(self._subjects))]
            seldom = self._subjects.setdefault(subject, Seldom(self._every_s))
        return seldom.happened()
