"""What a region could have instead: the policies that the plan is measured against."""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from router.simulate.board import NOTHING
from router.simulate.engine import NEVER_READ, Policy, ReadingRoom
from router.simulate.region import Flags, Floats

Key = Callable[[ReadingRoom, int], Floats]
"""What is smallest is read first: `(2, classes)` for a reader, infinite where nothing waits."""
_STEP = 1e7
"""Minutes: more than any due time."""


@dataclass(slots=True)
class Worklist:
    """A worklist, sorted: who is free takes the first that may be taken; `silo`: each trust reads its own only."""

    key: Key
    silo: bool = False
    tick_minutes: float = np.inf

    def choose(self, room: ReadingRoom, reader: int, allowed: Flags) -> int:
        if self.silo:
            allowed = allowed & (room.world.region.classes.trust == room.world.staff.trust[reader])
        key = np.where(allowed, self.key(room, reader), np.inf)
        row, klass = divmod(int(np.argmin(key)), key.shape[1])
        return room.board.head(row, klass) if key[row, klass] < np.inf else NOTHING

    def study_came(self, room: ReadingRoom, study: int) -> None:
        """Nothing is decided before somebody is free."""

    def tick(self, room: ReadingRoom) -> None:
        """Never asked for."""


def first_come(room: ReadingRoom, _reader: int) -> Floats:
    """The oldest first."""
    return room.board.came


def by_priority(room: ReadingRoom, _reader: int) -> Floats:
    """Strict priority, the oldest first within it: the worklist of today."""
    return np.asarray(room.world.region.classes.rank * _STEP + room.board.came)


def by_priority_and_due(room: ReadingRoom, _reader: int) -> Floats:
    """Strict priority, the earliest due first within it."""
    return np.asarray(room.world.region.classes.rank * _STEP + room.board.due)


def by_priority_skill_and_due(room: ReadingRoom, reader: int) -> Floats:
    """Strict priority; within it the reader's own subspecialties first, then the earliest due."""
    outside = ~room.world.staff.matched[reader]
    return np.asarray((2 * room.world.region.classes.rank + outside) * _STEP + room.board.due)


def by_due(room: ReadingRoom, _reader: int) -> Floats:
    """The earliest due first, whatever it is."""
    return room.board.due


class RoundRobin:
    """Each study goes on the list of the next eligible reader in turn when it comes, and is read by nobody else.

    In turn among those in a session; a list whose owner has gone home is dealt anew. Lists are read by priority.
    """

    tick_minutes = 60.0

    def __init__(self) -> None:
        self._lists: dict[int, list[tuple[int, float, int]]] = {}
        self._undealt: list[int] = []
        self._turn = 0

    def choose(self, room: ReadingRoom, reader: int, allowed: Flags) -> int:
        klass = room.world.arrivals.klass
        mine = [entry for entry in self._lists.get(reader, ()) if room.begun[entry[2]] == NEVER_READ]
        self._lists[reader] = mine
        return next((study for _, _, study in mine if allowed[klass[study]]), NOTHING)

    def study_came(self, room: ReadingRoom, study: int) -> None:
        if not self._deal(room, study):
            self._undealt.append(study)

    def tick(self, room: ReadingRoom) -> None:
        for reader in [r for r in self._lists if room.session_end[r] <= room.now]:
            left = [entry[2] for entry in self._lists.pop(reader) if room.begun[entry[2]] == NEVER_READ]
            room.moves += len(left)
            self._undealt += left
        self._undealt = [study for study in self._undealt if not self._deal(room, study)]

    def _deal(self, room: ReadingRoom, study: int) -> bool:
        classes, staff = room.world.region.classes, room.world.staff
        klass = int(room.world.arrivals.klass[study])
        fitting = staff.eligible[:, klass] & (room.session_end > room.now) & room.open_to[staff.trust, klass]
        readers = np.flatnonzero(fitting)
        if not len(readers):
            return False
        self._turn += 1
        reader = int(readers[self._turn % len(readers)])
        insort(
            self._lists.setdefault(reader, []),
            (int(classes.rank[klass]), float(room.world.arrivals.came[study]), study),
        )
        return True


POLICIES: dict[str, tuple[str, Callable[[], Policy]]] = {
    "silo_fifo": ("silo, first come", lambda: Worklist(first_come, silo=True)),
    "silo_priority": ("silo, strict priority (today)", lambda: Worklist(by_priority, silo=True)),
    "fifo": ("shared, first come", lambda: Worklist(first_come)),
    "round_robin": ("shared, dealt round robin", RoundRobin),
    "edd": ("shared, earliest due", lambda: Worklist(by_due)),
    "priority_edd": ("shared, priority + earliest due, any skill", lambda: Worklist(by_priority_and_due)),
    "worklist": ("shared, priority + earliest due with skills", lambda: Worklist(by_priority_skill_and_due)),
}
