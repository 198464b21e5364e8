"""The index: what each free reader does best with its next minutes. Always on, whether or not it was planned ahead.

Acute reads first; then readers who are idle before those who are not; then the highest index. Only the most urgent
read of each group is weighed, so that an event costs readers x classes, not readers x reads.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from router.rules.planning.arrays import FloatArray, IntArray, PlanningProblem
from router.rules.planning.heads import Groups, groups_of
from router.rules.planning.limits import LimitsLeft
from router.rules.planning.moves import with_moves
from router.rules.planning.pairs import Terms, pair_index, pair_terms
from router.rules.planning.tiers import DECIMALS, QUEUE, TIER
from router.rules.planning.tuning import Tuning
from router.rules.planning.urgency import urgency

_NEVER = -np.inf


@dataclass(frozen=True, slots=True)
class Step:
    """One choice as it was made: group and row of the read; for each reader the index (-inf: cannot) and the queue."""

    group: int
    read: int
    urgency: float
    index: FloatArray
    queue: FloatArray


@dataclass(slots=True)
class Trace:
    """What explanations are made of; filled by `next_choices` when it is given one."""

    rows: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    terms: Terms | None = None
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Choices:
    """Pairs in the order they were chosen (N,): rows of waiting reads and of readers.

    `index` is the logarithm, without the tier; `moved_from` the reader whose list loses it, or NO_READER.
    """

    read: IntArray
    reader: IntArray
    index: FloatArray
    moved_from: IntArray


def next_choices(
    problem: PlanningProblem, tuning: Tuning, free: IntArray | None = None, trace: Trace | None = None
) -> Choices:
    """Give every free reader (rows; None: all on duty with room) what suits best, as far as there is room."""
    duty = problem.duty
    rows = np.arange(len(duty.room)) if free is None else free
    rows = rows[duty.on_duty[rows] & (duty.acute_room[rows] > 0)]
    rows = rows[np.argsort(problem.readers.number[rows], kind="stable")]
    if not len(rows) or not len(problem.waiting.number):
        none = np.zeros(0, np.int64)
        return Choices(none, none, np.zeros(0), none)
    pressing = urgency(problem, tuning)
    groups = groups_of(problem, pressing)
    terms = pair_terms(problem, tuning, rows, groups)
    static = pair_index(problem, tuning, rows, groups, terms)
    static = with_moves(problem, tuning, rows, groups, static, pressing)
    if trace is not None:
        trace.rows, trace.terms = rows, terms
    return _Choosing(problem, rows, groups, pressing, static).run(trace)


def next_read(problem: PlanningProblem, tuning: Tuning, reader: int) -> int | None:
    """The row of the read that this reader should begin now, for a reader who pulls; None when there is none."""
    one = np.zeros_like(problem.duty.room)
    one[reader] = 1
    chosen = next_choices(replace(problem, duty=replace(problem.duty, room=one, acute_room=one)), tuning)
    return int(chosen.read[0]) if len(chosen.read) else None


class _Choosing:
    """The loop: the best pair of all, then what it changed, until nobody has room or nothing fits."""

    def __init__(
        self, problem: PlanningProblem, rows: IntArray, groups: Groups, pressing: FloatArray, static: FloatArray
    ) -> None:
        self.problem, self.rows, self.groups, self.pressing, self.static = problem, rows, groups, pressing, static
        self.limits, self.largest = (
            LimitsLeft.of(problem),
            float(groups.minutes.max()) / float(problem.readers.speed.min()),
        )
        self.at = groups.start.copy()
        self.room, self.acute_room = problem.duty.room[rows].copy(), problem.duty.acute_room[rows].copy()
        self.queue = problem.duty.listed[rows].astype(np.float64)
        self.head = pressing[groups.order[groups.start]] + np.where(groups.acute, TIER, 0.0)
        self.value = np.round(static + self.head, DECIMALS)
        self._forbid(np.arange(len(rows)))
        self.best = self.value.argmax(axis=1)
        self.best_value = self.value[np.arange(len(rows)), self.best]

    def run(self, trace: Trace | None) -> Choices:
        chosen: list[tuple[int, int, float]] = []
        while True:
            row = int(np.argmax(self.best_value - self.queue * QUEUE))
            if self.best_value[row] == _NEVER:
                break
            group = int(self.best[row])
            read = int(self.groups.order[self.at[group]])
            tier = TIER if self.groups.acute[group] else 0.0
            chosen.append((read, row, float(self.best_value[row]) - tier))
            if trace is not None:
                urgent = float(self.pressing[read])
                trace.steps.append(Step(group, read, urgent, self.value[:, group] - tier, self.queue.copy()))
            self._take(row, group)
        reads = np.array([read for read, _, _ in chosen], np.int64)
        readers = self.rows[np.array([row for _, row, _ in chosen], np.int64)]
        holder = self.problem.waiting.holder
        return Choices(reads, readers, np.array([i for _, _, i in chosen]), holder[reads] if len(reads) else reads)

    def _take(self, row: int, group: int) -> None:
        groups = self.groups
        self.room[row] -= 1
        self.acute_room[row] -= 1
        self.queue[row] += 1
        reader, exam_class = int(self.rows[row]), int(groups.exam_class[group])
        near = self.limits.take(self.problem, reader, exam_class, float(groups.minutes[group]), self.largest)
        stale = self.best == group
        self._advance(group)
        stale[row] = True
        self._forbid(np.array([row]))
        if near:
            self._forbid_aid(reader, exam_class)
            stale |= self.value[np.arange(len(self.rows)), self.best] == _NEVER
        again = np.flatnonzero(stale)
        self.best[again] = self.value[again].argmax(axis=1)
        self.best_value[again] = self.value[again, self.best[again]]

    def _advance(self, group: int) -> None:
        groups = self.groups
        self.at[group] += 1
        if self.at[group] == groups.end[group]:
            self.value[:, group] = _NEVER
            return
        head = self.pressing[groups.order[self.at[group]]] + (TIER if groups.acute[group] else 0.0)
        allowed = self.value[:, group] != _NEVER
        self.value[allowed, group] = np.round(self.static[allowed, group] + head, DECIMALS)

    def _forbid_aid(self, reader: int, exam_class: int) -> None:
        """Take out what the employer may no longer give, and what the origin may no longer be given."""
        readers, classes = self.problem.readers, self.problem.classes
        self._forbid(np.flatnonzero(readers.employer[self.rows] == readers.employer[reader]))
        origin = classes.origin[self.groups.exam_class] == classes.origin[exam_class]
        self._forbid(np.arange(len(self.rows)), np.flatnonzero(origin))

    def _forbid(self, which: IntArray, columns: IntArray | None = None) -> None:
        """Take out what would break a limit now; what is out stays out."""
        groups = self.groups
        at = np.arange(len(groups.start)) if columns is None else columns
        acute = groups.acute[at]
        within = self.limits.within(self.problem, self.rows[which], groups.exam_class[at], groups.minutes[at], acute)
        within &= np.where(acute, self.acute_room[which, None] > 0, self.room[which, None] > 0)
        part = np.ix_(which, at)
        self.value[part] = np.where(within, self.value[part], _NEVER)
