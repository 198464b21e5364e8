"""Read everything in the spool again, slowly, and compare it with what was kept: damage is found before it is needed.

Where a pass had come to survives a restart. What is damaged stays where it is, is counted in the node's health and is
shown to a person; it is struck off when it reads well again or was let go of.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.model.errors import Stopping

_AT_ONCE = 100
_PASS_AT_MOST_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass over the spool: when it began, the last object it looked at, whether it is over."""

    begun_at: datetime
    last: str | None
    is_done: bool


class ScrubStore(Protocol):
    """The tables' side."""

    def scrubbing(self) -> Pass | None: ...

    def remember(self, now: Pass) -> None: ...

    def objects_behind(self, location: str | None, limit: int) -> Sequence[str]:
        """Where something lies to which the tables lead, in the order of the disk."""

    def leads_to(self, location: str) -> bool: ...

    def damaged(self) -> frozenset[str]: ...

    def mark_damaged(self, location: str) -> None: ...

    def strike_off(self, location: str) -> None: ...


class ScrubbedSpool(Protocol):
    """The spool's side; `damaged` is what any reader of this process came upon."""

    damaged: set[str]

    def scrub(self, location: str, after_piece: Callable[[int], None]) -> bool: ...


class Scrub:
    """Call it every so often; each call looks at some objects."""

    def __init__(
        self,
        store: ScrubStore,
        spool: ScrubbedSpool,
        bytes_per_s: float,
        clock: Clock,
        wait: Callable[[float], bool],
    ) -> None:
        """`wait` waits so many seconds, or says True at once when the node is to stop; speed 0: nothing is read."""
        self._store, self._spool, self._bytes_per_s = store, spool, bytes_per_s
        self._clock, self._wait = clock, wait
        spool.damaged |= store.damaged()

    def __call__(self) -> None:
        self._write_down_damage()
        if self._bytes_per_s:
            try:
                self._look_at_some()
            except Stopping:
                return

    def _look_at_some(self) -> None:
        now = self._store.scrubbing()
        if now is None or (now.is_done and self._clock() >= now.begun_at + _PASS_AT_MOST_EVERY):
            now = Pass(self._clock(), None, False)
        if now.is_done:
            return
        locations = self._store.objects_behind(now.last, _AT_ONCE)
        if not locations and now.last is None:
            return
        last = now.last
        try:
            for location in locations:
                self._look_at(location)
                last = location
        finally:
            is_done = last == (locations[-1] if locations else now.last) and len(locations) < _AT_ONCE
            self._store.remember(Pass(now.begun_at, last, is_done))
        if is_done:
            event_log().info("spool.scrubbed", damaged=len(self._spool.damaged))

    def _look_at(self, location: str) -> None:
        if self._spool.scrub(location, self._pace):
            self._store.strike_off(location)
        elif self._store.leads_to(location):
            self._spool.damaged.add(location)
            self._store.mark_damaged(location)

    def _write_down_damage(self) -> None:
        """What readers came upon since; what was let go of since it was written down is nobody's trouble any more.

        What a start could not read back has no row: it stays known while the node runs, and is found at the next start.
        """
        known = self._store.damaged()
        for location in sorted(known):
            if not self._store.leads_to(location):
                self._spool.damaged.discard(location)
                self._store.strike_off(location)
        for location in sorted(self._spool.damaged - known):
            if self._store.leads_to(location):
                self._store.mark_damaged(location)

    def _pace(self, size_bytes: int) -> None:
        if self._wait(size_bytes / self._bytes_per_s):
            raise Stopping
