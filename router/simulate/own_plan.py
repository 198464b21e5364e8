"""Readacross's own plan in the simulator: the functions that production calls, over arrays of the simulated region.

The index sees heads of classes only, which are all it would choose among. Planning ahead sees everything that waits,
the rota as known on the day (after the last week it repeats), and a forecast: the usual arrivals by hour.
"""

from dataclasses import dataclass, replace

import numpy as np

from router.model.reader import Level
from router.rules.planning import (
    NO_READER,
    AidArrays,
    BarredPairs,
    ClassArrays,
    DutyArrays,
    Fit,
    ForecastArrays,
    Guidance,
    PlanningProblem,
    ReaderArrays,
    SessionArrays,
    Tuning,
    WaitingArrays,
    fit_of,
    plan_region,
)
from router.rules.planning.arrays import SESSION_KINDS
from router.rules.planning.heads import Groups
from router.rules.planning.pairs import pair_index
from router.rules.planning.tiers import TIER
from router.rules.planning.urgency import urgency
from router.simulate.arrivals import hourly_shares
from router.simulate.assumptions import Assumptions
from router.simulate.board import NOTHING
from router.simulate.engine import ReadingRoom
from router.simulate.region import GENERAL, Flags, Floats, Ints
from router.simulate.rota import WEEK
from router.simulate.staff import reading_share
from router.simulate.world import World

_ELECTIVE, _OUT_OF_HOURS = SESSION_KINDS.index("elective"), SESSION_KINDS.index("out_of_hours")
PLAN_AHEAD_EVERY_MINUTES = 360.0
_FORECAST_BLOCK = 720.0


@dataclass(frozen=True, slots=True, eq=False)
class _Standing:
    """What stays the same during a run. `exam_class` of each simulated class: the plan's classes know no pathway."""

    classes: ClassArrays
    readers: ReaderArrays
    exam_class: Ints
    session: SessionArrays
    arrivals_until: Floats


class OwnPlan:
    """The index for every decision; with `ahead`, the region is planned ahead every few hours as well."""

    def __init__(self, assumptions: Assumptions, world: World, ahead: bool, tuning: Tuning | None = None) -> None:
        self._tuning = tuning or Tuning()
        self._standing = _standing(assumptions, world)
        self._fit: Fit | None = None
        self._linked: Flags | None = None
        self._guidance: Guidance | None = None
        self.tick_minutes = PLAN_AHEAD_EVERY_MINUTES if ahead else np.inf
        self.planned_ahead = 0

    def choose(self, room: ReadingRoom, reader: int, allowed: Flags) -> int:
        row, klass = np.nonzero((room.board.due < np.inf) & allowed)
        if not len(row):
            return NOTHING
        studies = room.board.study[row, klass]
        return int(studies[best_head(self._problem(room, studies, klass), self._tuning, reader)])

    def study_came(self, room: ReadingRoom, study: int) -> None:
        """Decided when somebody is free: binding late beats long lists."""

    def tick(self, room: ReadingRoom) -> None:
        studies = np.array(room.board.everything(), np.int64)
        self._guidance = None
        if len(studies):
            problem = self._problem(room, studies, room.world.arrivals.klass[studies])
            found = plan_region(problem, self._sessions(room), self._forecast(room), self._tuning)
            room.board.give_up(studies[:0] if found is None else studies[found.given_up], room.now)
            self._guidance = found
            self.planned_ahead += found is not None

    def _problem(self, room: ReadingRoom, studies: Ints, klass: Ints) -> PlanningProblem:
        classes, aid = room.world.region.classes, self._aid(room)
        if self._fit is None or not np.array_equal(self._linked, room.linked):  # type: ignore[arg-type]
            self._linked = room.linked.copy()
            self._fit = fit_of(self._standing.readers, self._standing.classes, aid, self._tuning)
        waiting = WaitingArrays(
            number=studies,
            exam_class=self._standing.exam_class[klass],
            weight=classes.weight[klass],
            acute=classes.acute[klass],
            may_wait=classes.may_wait[klass],
            arrived_min=room.world.arrivals.came[studies],
            due_min=room.world.arrivals.due[studies],
            expected_minutes=classes.minutes[klass],
            holder=np.full(len(studies), NO_READER),
        )
        return PlanningProblem(
            now_min=room.now,
            classes=self._standing.classes,
            waiting=waiting,
            readers=self._standing.readers,
            duty=_duty(room),
            aid=aid,
            fit=self._fit,
            barred=BarredPairs.none(),
            guidance=self._guidance and replace(self._guidance, given_up=room.board.given_up[studies]),
        )

    def _aid(self, room: ReadingRoom) -> AidArrays:
        limit = room.world.aid_minutes
        free = AidArrays.unlimited(len(limit), len(room.world.region.exams))
        left = limit[:, 1] - room.aid_used
        return replace(free, reads_for=room.linked, out_left=left, out_reserve=limit[:, 1] - limit[:, 0])

    def _sessions(self, room: ReadingRoom) -> SessionArrays:
        known, now = self._standing.session, room.now
        until = now + self._tuning.horizon_min
        rows = np.flatnonzero((known.end_min > now) & (known.start_min < until))
        start, end = np.maximum(known.start_min[rows], now), known.end_min[rows]
        length = known.end_min[rows] - known.start_min[rows]
        minutes = known.minutes[rows] * (end - start) / length
        return SessionArrays(known.reader[rows], known.kind[rows], start, end, minutes)

    def _forecast(self, room: ReadingRoom) -> ForecastArrays:
        """The usual arrivals of each class in each half day until the horizon."""
        classes = room.world.region.classes
        edges = room.now + np.arange(0.0, self._tuning.horizon_min + _FORECAST_BLOCK, _FORECAST_BLOCK)
        whole, part = np.divmod(edges, WEEK)
        hours = np.arange(self._standing.arrivals_until.shape[1]) * 60.0
        until = np.array([np.interp(part, hours, row) for row in self._standing.arrivals_until])
        until = until + whole * self._standing.arrivals_until[:, -1:]
        count = np.diff(until, axis=1)
        c, block = np.nonzero(count > 0)
        return ForecastArrays(
            exam_class=self._standing.exam_class[c],
            weight=classes.weight[c],
            acute=classes.acute[c],
            may_wait=classes.may_wait[c],
            from_min=edges[block],
            until_min=edges[block + 1],
            target_min=classes.target[c],
            expected_minutes=classes.minutes[c],
            count=count[c, block],
        )


def best_head(problem: PlanningProblem, tuning: Tuning, reader: int) -> int:
    """What `next_read` answers for heads and one reader whose limits were looked at before, in a third of the time."""
    waiting = problem.waiting
    rows = np.arange(len(waiting.number))
    groups = Groups(
        rows, rows, rows + 1, waiting.exam_class, waiting.acute, waiting.expected_minutes, np.zeros(len(rows), np.bool_)
    )
    index = pair_index(problem, tuning, np.array([reader]), groups)[0] + urgency(problem, tuning)
    value = np.round(index + np.where(waiting.acute, TIER, 0.0), 9)
    return int(np.lexsort((waiting.number, -value))[0])


def _duty(room: ReadingRoom) -> DutyArrays:
    on_duty = room.session_end > room.now
    readers, none = len(on_duty), np.zeros(len(on_duty))
    room_for_one = on_duty.astype(np.int64)
    return DutyArrays(
        on_duty=on_duty,
        session_kind=np.where(room.session_cover, _OUT_OF_HOURS, _ELECTIVE),
        session_end_min=room.session_end,
        minutes_left=np.full(readers, np.inf),
        free_in_min=none,
        listed=np.zeros(readers, np.int64),
        room=room_for_one,
        acute_room=room_for_one,
        load=none,
        run_group=np.full(readers, -1),
        run_left=np.ones(readers, np.int64),
    )


def _standing(assumptions: Assumptions, world: World) -> _Standing:
    region = world.region
    classes = region.classes
    kinds, exam_class = np.unique(np.stack([classes.trust, classes.exam], axis=1), axis=0, return_inverse=True)
    exams = [assumptions.exams[name] for name in region.exams]
    subspecialty = np.array([region.subspecialties.index(exam.subspecialty) for exam in exams])
    level = np.array([exam.level for exam in exams])
    plan_classes = ClassArrays(kinds[:, 0], kinds[:, 1], subspecialty[kinds[:, 1]], level[kinds[:, 1]])
    return _Standing(
        classes=plan_classes,
        readers=_readers(world),
        exam_class=np.asarray(exam_class.ravel(), np.int64),
        session=_rota(assumptions, world),
        arrivals_until=_arrivals_until(assumptions, world),
    )


def _rota(assumptions: Assumptions, world: World) -> SessionArrays:
    """Every session, and the last week's once more after the end: nobody plans for a region that closes down."""
    last = [session for session in world.sessions if session.start >= world.end - WEEK]
    again = [replace(session, start=session.start + WEEK, end=session.end + WEEK) for session in last]
    sessions = [*world.sessions, *again]
    return SessionArrays(
        reader=np.array([session.reader for session in sessions], np.int64),
        kind=np.array([_OUT_OF_HOURS if session.cover else _ELECTIVE for session in sessions], np.int64),
        start_min=np.array([session.start for session in sessions]),
        end_min=np.array([session.end for session in sessions]),
        minutes=np.array([session.end - session.start for session in sessions]) * reading_share(assumptions),
    )


def _readers(world: World) -> ReaderArrays:
    region, staff = world.region, world.staff
    people = staff.people
    trusts, groups = len(region.trusts), len(region.exams)
    may = np.zeros((len(people), groups), np.bool_)
    credential = np.zeros((len(people), trusts), np.bool_)
    for c in range(len(region.classes)):
        may[:, region.classes.exam[c]] |= staff.eligible[:, c]
        credential[:, region.classes.trust[c]] |= staff.eligible[:, c]
    return ReaderArrays(
        number=np.arange(len(people)),
        employer=staff.trust,
        level=_levels(world),
        credential=credential,
        scope=may,
        speed=np.repeat(1 / np.array([person.speed for person in people])[:, None], groups, axis=1),
        price=np.zeros(len(people)),
    )


def _levels(world: World) -> Ints:
    """`(readers, subspecialties)`: general work is everybody's own; a special interest is as good as a specialty."""
    known = world.region.subspecialties
    level = np.array([[person.levels.get(s, 0) for s in known] for person in world.staff.people])
    own = (level >= Level.SPECIAL_INTEREST) | (np.array([s == GENERAL for s in known]) & (level > 0))
    return np.where(own, int(Level.SPECIALIST), level)


def _arrivals_until(assumptions: Assumptions, world: World) -> Floats:
    """Expected arrivals of each class from Monday 00:00 until each full hour, `(classes, 169)`."""
    classes = world.region.classes
    shares = np.array([hourly_shares(assumptions, world.region.pathways[p]) for p in classes.pathway])
    until = np.cumsum(shares * classes.weekly[:, None], axis=1)
    return np.concatenate([np.zeros((len(until), 1)), until], axis=1)
