"""What waits: heads of classes as arrays, kept up to date while studies come, grow late and are taken.

Each class has two heads: the oldest study that can be in time, and the oldest that is late or was given up. Every
policy chooses among heads, because within a class the oldest is the most urgent.
"""

from collections import deque

import numpy as np

from router.simulate.arrivals import Arrivals
from router.simulate.region import Ints

NOTHING = -1
LIVE, LATE = 0, 1


class Board:
    """`due` and `came` are `(2, classes)`: rows LIVE and LATE; infinite where nothing waits. `study`: which it is.

    `given_up` (studies,): what makes room for others since the last `give_up`.
    """

    def __init__(self, classes: int, arrivals: Arrivals) -> None:
        self._queues: tuple[list[deque[int]], list[deque[int]]] = (
            [deque() for _ in range(classes)],
            [deque() for _ in range(classes)],
        )
        self._klass: list[int] = arrivals.klass.tolist()
        self._due: list[float] = arrivals.due.tolist()
        self._came: list[float] = arrivals.came.tolist()
        self.given_up = np.zeros(len(arrivals), np.bool_)
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
            grown = [live.popleft() for _ in range(sum(self._due[study] < now for study in live))]
            self._queues[LATE][c] = deque(sorted([*late, *grown], key=self._due.__getitem__))
            self._show(LIVE, c)
            self._show(LATE, c)

    def give_up(self, studies: Ints, now: float) -> None:
        """These make room from now on, and no others: they wait in the late row until the next time."""
        self.given_up[:] = False
        self.given_up[studies] = True
        out = set(studies.tolist())
        for c in range(len(self.due[LIVE])):
            both = [*self._queues[LIVE][c], *self._queues[LATE][c]]
            if both:
                both.sort(key=self._due.__getitem__)
                self._queues[LIVE][c] = deque(s for s in both if self._due[s] >= now and s not in out)
                self._queues[LATE][c] = deque(s for s in both if self._due[s] < now or s in out)
                self._show(LIVE, c)
                self._show(LATE, c)

    def head(self, row: int, c: int) -> int:
        return self._queues[row][c][0]

    def take(self, study: int) -> None:
        """Remove a study, mostly a head."""
        c = self._klass[study]
        late = self._queues[LATE][c]
        row = LATE if study in late else LIVE
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
