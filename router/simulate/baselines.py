"""What a region could have instead: the policies that the plan is measured against."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from router.simulate.board import LATE, LIVE, NOTHING
from router.simulate.engine import ReadingRoom
from router.simulate.region import Flags, Floats

Key = Callable[[ReadingRoom, int], Floats]
"""What is smallest is read first: `(2, classes)` for a reader, infinite where nothing waits."""
_STEP = 1e7
"""Minutes: more than any due time."""


@dataclass(slots=True)
class Sorted:
    """A worklist, sorted; `silo`: each trust reads its own only."""

    key: Key
    silo: bool
    tick_minutes: float = np.inf
    push: bool = False

    def choose(self, room: ReadingRoom, reader: int, allowed: Flags) -> tuple[int, int]:
        staff = room.world.staff
        if self.silo:
            allowed = allowed & (room.world.region.classes.trust == staff.trust[reader])
        key = np.where(allowed, self.key(room, reader), np.inf)
        best = int(np.argmin(key))
        row, klass = divmod(best, key.shape[1])
        return (row, klass) if key[row, klass] < np.inf else (NOTHING, NOTHING)

    def study_came(self, room: ReadingRoom, study: int) -> None:
        """Nothing is decided before somebody is free."""

    def tick(self, room: ReadingRoom) -> None:
        """Never asked for."""


def first_come(room: ReadingRoom, reader: int) -> Floats:
    return room.board.came


def by_priority(room: ReadingRoom, reader: int) -> Floats:
    """Strict priority, the oldest first within it: the worklist of today."""
    return np.asarray(room.world.region.classes.rank * _STEP + room.board.came)


def by_priority_and_due(room: ReadingRoom, reader: int) -> Floats:
    return np.asarray(room.world.region.classes.rank * _STEP + room.board.due)


def by_priority_skill_and_due(room: ReadingRoom, reader: int) -> Floats:
    """Strict priority; within it the reader's own subspecialties first, then the earliest due."""
    outside = ~room.world.staff.matched[reader]
    return np.asarray((2 * room.world.region.classes.rank + outside) * _STEP + room.board.due)


def by_due(room: ReadingRoom, reader: int) -> Floats:
    return room.board.due


class RoundRobin:
    """Each study is put on the list of the next eligible reader in turn when it comes, and stays there.

    In turn among those with a session in the next hours; a list whose owner has gone home goes round again.
    """

    tick_minutes = 60.0
    push = True

    def __init__(self) -> None:
        self._owner: dict[int, int] = {}
        self._turn = 0

    def study_came(self, room: ReadingRoom, study: int) -> None:
        raise NotImplementedError


def reference_index(room: ReadingRoom, reader: int) -> Floats:
    """Weight by minutes, urgency and fit: the study's index, to see what the region allows."""
    classes, staff, board = room.world.region.classes, room.world.staff, room.board
    slack = board.due - room.now - classes.minutes * staff.factor[reader]
    pressing = np.exp(-np.clip(slack, 0, None) / 150.0)
    pressing[LATE] = 0.02
    pressing[LIVE] = np.where(slack[LIVE] < 0, 0.02, pressing[LIVE])
    value = classes.weight / classes.minutes**0.7 / staff.factor[reader] ** 1.5 * pressing
    value = np.where(classes.acute, value + 1e6, value)
    return np.where(board.due < np.inf, -value, np.inf)
