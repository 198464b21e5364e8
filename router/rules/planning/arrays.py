"""The planner's problem as numpy arrays: what the simulator and production both hand to the same choice.

Rows are plain numbers that the caller gives meaning: trusts T, exam groups G, subspecialties S, exam classes C,
readers R, waiting reads W. Times are minutes on one clock of the caller's choice (production: minutes since 1970 UTC).
Nothing here is ever changed; a caller builds a new problem for each event, and keeps `ReaderArrays`, `ClassArrays`
and the `Fit` made of them for as long as readers and classes stay the same.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from router.rules.planning.fit import Fit

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

NO_READER = -1
"""In `WaitingArrays.holder`: on nobody's list."""

SESSION_KINDS = ("acute", "on_call", "inpatient", "cancer", "elective", "out_of_hours")
"""`session_kind` is the position here."""


@dataclass(frozen=True, slots=True)
class ClassArrays:
    """Exam classes (C,): reads of one class suit the same readers equally well."""

    origin: IntArray
    group: IntArray
    subspecialty: IntArray
    minimum_level: IntArray


@dataclass(frozen=True, slots=True)
class WaitingArrays:
    """Reads that nobody has begun (W,), in any order.

    `number` is unique and breaks ties. `acute` reads go before all others; what `may_wait` makes room for
    others, and once late goes after what still can be in time. `holder` is the reader's row whose list
    the read is on, NO_READER for none; such a read moves only for a stated gain. `expected_minutes` are a standard
    reader's; `weight` is what a breach of this read costs.
    """

    number: IntArray
    exam_class: IntArray
    weight: FloatArray
    acute: BoolArray
    may_wait: BoolArray
    arrived_min: FloatArray
    due_min: FloatArray
    expected_minutes: FloatArray
    holder: IntArray


@dataclass(frozen=True, slots=True)
class ReaderArrays:
    """Readers, whether on duty or not (R,).

    Shapes: level (R, S), 0 = does not read it; credential (R, T); scope (R, G), modality and display included;
    speed (R, G), 1.25 = reads in 80 % of the expected minutes (a reader's own minutes: expected / speed);
    price (R,), 0 for staff, else per read.
    """

    number: IntArray
    employer: IntArray
    level: IntArray
    credential: BoolArray
    scope: BoolArray
    speed: FloatArray
    price: FloatArray


@dataclass(frozen=True, slots=True)
class DutyArrays:
    """What each reader is doing now (R,).

    `on_duty`: in an open session, not on leave, at a workstation that is fit to read. `free_in_min`: minutes until
    the read in hand and those on the list are done (0: idle). `listed`: reads in hand and on the list. `room`: how
    many more may be listed now; `acute_room`: how many acute ones (at least `room`). `minutes_left`: the session's
    capacity in this reader's own minutes; inf = no limit but its end. `load`: share of the session's capacity used,
    for fairness. `run_group`: the exam group of the last reads (-1: none); `run_left`: how many more of it before a
    change is due.
    """

    on_duty: BoolArray
    session_kind: IntArray
    session_end_min: FloatArray
    minutes_left: FloatArray
    free_in_min: FloatArray
    listed: IntArray
    room: IntArray
    acute_room: IntArray
    load: FloatArray
    run_group: IntArray
    run_left: IntArray


@dataclass(frozen=True, slots=True)
class AidArrays:
    """What trusts may still read for one another today, in the readers' own minutes; inf = no limit.

    `reads_for` (T employer, T origin). `out_left`, `in_left` (T,); `out_group_left`, `in_group_left` (T, G).
    `out_reserve`, `in_reserve` (T,) and those of groups (T, G; None = none): the part that only acute reads may use.
    Own work counts nowhere.
    """

    reads_for: BoolArray
    out_left: FloatArray
    in_left: FloatArray
    out_group_left: FloatArray
    in_group_left: FloatArray
    out_reserve: FloatArray
    in_reserve: FloatArray
    out_group_reserve: FloatArray | None = None
    in_group_reserve: FloatArray | None = None

    @staticmethod
    def unlimited(trusts: int, groups: int) -> "AidArrays":
        """Everybody reads for everybody."""
        free, free_group = np.full(trusts, np.inf), np.full((trusts, groups), np.inf)
        none = np.zeros(trusts)
        return AidArrays(np.ones((trusts, trusts), np.bool_), free, free, free_group, free_group, none, none)


@dataclass(frozen=True, slots=True)
class BarredPairs:
    """Pairs (row of waiting, row of reader), (N,): `last_resort` = had it before and did not finish; else never."""

    read: IntArray
    reader: IntArray
    last_resort: BoolArray

    @staticmethod
    def none() -> "BarredPairs":
        empty = np.zeros(0, np.int64)
        return BarredPairs(empty, empty, np.zeros(0, np.bool_))


@dataclass(frozen=True, slots=True)
class SessionArrays:
    """Sessions from now to the horizon (N,), those open now included; minutes of capacity still to come."""

    reader: IntArray
    kind: IntArray
    start_min: FloatArray
    end_min: FloatArray
    minutes: FloatArray


@dataclass(frozen=True, slots=True)
class ForecastArrays:
    """Arrivals to expect (N,): `count` reads of a class between `from_min` and `until_min`."""

    exam_class: IntArray
    weight: FloatArray
    acute: BoolArray
    may_wait: BoolArray
    from_min: FloatArray
    until_min: FloatArray
    target_min: FloatArray
    expected_minutes: FloatArray
    count: FloatArray


@dataclass(frozen=True, slots=True)
class Guidance:
    """What was found when the region was planned ahead: it tips the index, and is never a mandate.

    `pair` (R, C), natural logarithm of a factor, at most 0: less where the pair wastes minutes that are scarce. It
    counts for no acute read. `given_up` (W,): reads that make room for others because not all can be in time. `short`
    (W,), or nothing: reads that may not wait and cannot be in time either; it is for people, and decides nothing.
    """

    pair: FloatArray
    given_up: BoolArray
    short: BoolArray = field(default_factory=lambda: np.zeros(0, np.bool_))


@dataclass(frozen=True, slots=True)
class PlanningProblem:
    """All that a choice depends on, the clock included."""

    now_min: float
    classes: ClassArrays
    waiting: WaitingArrays
    readers: ReaderArrays
    duty: DutyArrays
    aid: AidArrays
    fit: "Fit"
    barred: BarredPairs
    guidance: Guidance | None = None
