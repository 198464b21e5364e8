"""What waits: heads of classes as arrays, kept up to date while studies come, grow late and are taken.

Each class has two heads: the oldest study that is already late, and the oldest that is not. Every policy chooses
among heads, because within a class the oldest is the most urgent.
"""

from collections import deque

import numpy as np

from router.simulate.arrivals import Arrivals

NOTHING = -1
LIVE, LATE = 0, 1


class Board:
    """`due` and `came` are `(2, classes)`: rows LIVE and LATE; infinite where nothing waits. `study`: which it is."""

    def __init__(self, classes: int, arrivals: Arrivals) -> None:
        self._queues: tuple[list[deque[int]], list[deque[int]]] = (
            [deque() for _ in range(classes)],
            [deque() for _ in range(classes)],
        )
        self._klass: list[int] = arrivals.klass.tolist()
        self._due: list[float] = arrivals.due.tolist()
        self._came: list[float] = arrivals.came.tolist()
        self.due = np.full((2, classes), np.inf)
        self.came = np.full((2, classes), np.inf)
        self.study = np.full((2, classes), NOTHING)

    def add(self, study: int) -> None:
        c = self._klass[study]
        queue = self._queues[LIVE][c]
        queue.append(study)
        if len(queue) == 1:
            self._show(LIVE, c)

    def age(self, now: float) -> None:
        """Move what is past its due time to the late row."""
        for c in np.flatnonzero(self.due[LIVE] < now).tolist():
            live, late = self._queues[LIVE][c], self._queues[LATE][c]
            while live and self._due[live[0]] < now:
                late.append(live.popleft())
            self._show(LIVE, c)
            self._show(LATE, c)

    def head(self, row: int, c: int) -> int:
        return self._queues[row][c][0]

    def take(self, study: int) -> None:
        """Remove a study, mostly a head."""
        c = self._klass[study]
        live = self._queues[LIVE][c]
        row = LIVE if live and self._due[study] >= self._due[live[0]] else LATE
        self._queues[row][c].remove(study)
        self._show(row, c)

    def everything(self) -> list[int]:
        """Every study that waits."""
        return [study for row in self._queues for queue in row for study in queue]

    def _show(self, row: int, c: int) -> None:
        queue = self._queues[row][c]
        if queue:
            self.study[row, c] = queue[0]
            self.due[row, c] = self._due[queue[0]]
            self.came[row, c] = self._came[queue[0]]
        else:
            self.due[row, c] = self.came[row, c] = np.inf
