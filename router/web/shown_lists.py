"""Which lists this process has shown to whom a moment ago, so that a list that is polled is recorded once."""

import hashlib
import json
import threading
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

_AGAIN_AFTER = timedelta(minutes=10)
_MOST = 10_000


class ShownLists:
    """Safe for threads; forgets everything rather than grow without end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shown: dict[str, datetime] = {}

    def is_known(
        self, caller: str, what: str, asked: Mapping[str, object], shown: Collection[str], now: datetime
    ) -> bool:
        """Whether the very same rows were recorded for this caller within the last minutes."""
        with self._lock:
            at = self._shown.get(_key(caller, what, asked, shown))
        return at is not None and at <= now < at + _AGAIN_AFTER

    def note(self, caller: str, what: str, asked: Mapping[str, object], shown: Collection[str], now: datetime) -> None:
        with self._lock:
            if len(self._shown) >= _MOST:
                self._shown.clear()
            self._shown[_key(caller, what, asked, shown)] = now


def _key(caller: str, what: str, asked: Mapping[str, object], shown: Collection[str]) -> str:
    said = json.dumps([caller, what, sorted(asked.items()), sorted(shown)], default=str)
    return hashlib.sha256(said.encode()).hexdigest()
