"""The discrete-event loop: studies come, sessions begin, readers become free; a policy says what each reads next.

Hard limits are kept here, alike for every policy: eligibility, session, links between trusts, aid of the day, and
that nothing is begun which would not be done by the session's end (its size shows when it is opened).
"""

import heapq
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from router.simulate.board import NOTHING, Board
from router.simulate.region import Flags, Floats, Ints
from router.simulate.rota import DAY, SessionPlan
from router.simulate.world import World

_OPEN, _FREE, _LINK, _TICK = 0, 1, 2, 3
_TRIES = 6
NEVER_READ = np.inf


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """By study: when it was begun and done (infinite: never), by whom; `matched_free`: when it began, a matched
    reader was reading outside the own subspecialty, or idle. `aid` `(trusts, trusts)` minutes, reader's by origin's;
    `busy` minutes by reader; `moves` of reads between lists."""

    begun: Floats
    done: Floats
    reader: Ints
    matched_free: Flags
    aid: Floats
    busy: Floats
    moves: int


class Policy(Protocol):
    """Chooses among heads; the engine offers only what the reader may read now."""

    def choose(self, room: "ReadingRoom", reader: int, allowed: Flags) -> int:
        """The study to read, or NOTHING; `allowed` says of which classes it may be."""
        ...

    def study_came(self, room: "ReadingRoom", study: int) -> None:
        """A study was put on the board."""
        ...

    def tick(self, room: "ReadingRoom") -> None:
        """Every `tick_minutes`."""
        ...

    tick_minutes: float


class ReadingRoom:
    """The state of one run, open to its policy."""

    def __init__(self, world: World, policy: Policy) -> None:
        region, staff = world.region, world.staff
        self.world, self.policy = world, policy
        self.now = 0.0
        self.board = Board(len(region.classes), world.arrivals)
        self.on: list[SessionPlan | None] = [None] * len(staff)
        self.reading = np.full(len(staff), NOTHING)
        self.free_at = np.zeros(len(staff))
        self.session_end = np.full(len(staff), -np.inf)
        self.session_cover = np.zeros(len(staff), np.bool_)
        self.idle: set[int] = set()
        self.linked = np.ones((len(region.trusts), len(region.trusts)), np.bool_)
        self.aid_used = np.zeros(len(region.trusts))
        self._aid_day = 0
        self.open_to = np.zeros((len(region.trusts), len(region.classes)), np.bool_)
        self._aid_changed()
        studies = len(world.arrivals)
        self.begun, self.done = np.full(studies, NEVER_READ), np.full(studies, NEVER_READ)
        self.reader = np.full(studies, NOTHING)
        self.matched_free = np.zeros(studies, np.bool_)
        self.aid = np.zeros((len(region.trusts), len(region.trusts)))
        self.busy = np.zeros(len(staff))
        self.outside = np.zeros(len(staff), np.bool_)
        self.moves = 0
        self._pauses_over = [0] * len(staff)
        self._events: list[tuple[float, int, int]] = []

    def run(self) -> Outcome:
        """Until the end of the world; what is being read then is not done."""
        self._schedule()
        came, klass = self.world.arrivals.came.tolist(), self.world.arrivals.klass.tolist()
        events, end, study, studies = self._events, self.world.end, 0, len(came)
        while True:
            next_event = events[0][0] if events else np.inf
            if study < studies and came[study] <= next_event:
                self.now = max(0.0, came[study])
                self.board.add(study)
                self.policy.study_came(self, study)
                if self.idle:
                    self._offer(klass[study])
                study += 1
                continue
            if next_event >= end:
                break
            self.now, kind, which = heapq.heappop(events)
            self._handle(kind, which)
        self.done[self.done > end] = NEVER_READ
        return Outcome(self.begun, self.done, self.reader, self.matched_free, self.aid, self.busy, self.moves)

    def _schedule(self) -> None:
        for i, session in enumerate(self.world.sessions):
            heapq.heappush(self._events, (session.start, _OPEN, i))
        for i, (_, begins, ends) in enumerate(self.world.cut_off):
            heapq.heappush(self._events, (begins, _LINK, i))
            heapq.heappush(self._events, (ends, _LINK, i))
        if self.policy.tick_minutes < np.inf:
            heapq.heappush(self._events, (0.0, _TICK, 0))

    def _handle(self, kind: int, which: int) -> None:
        if kind == _OPEN:
            session = self.world.sessions[which]
            self.on[session.reader] = session
            self.session_end[session.reader], self.session_cover[session.reader] = session.end, session.cover
            self._pauses_over[session.reader] = 0
            self.reading[session.reader] = NOTHING
            self._next(session.reader)
        elif kind == _FREE:
            self._next(which)
        elif kind == _LINK:
            trust, begins, ends = self.world.cut_off[which]
            self.linked[trust, :] = self.linked[:, trust] = not begins <= self.now < ends
            self.linked[trust, trust] = True
            self._aid_changed()
            self._wake()
        else:
            self.policy.tick(self)
            heapq.heappush(self._events, (self.now + self.policy.tick_minutes, _TICK, 0))
            self._wake()

    def _wake(self) -> None:
        for reader in sorted(self.idle):
            self._next(reader)

    def allowed(self, reader: int) -> Flags:
        """What the reader may read now, by class."""
        self._new_day()
        staff = self.world.staff
        return np.asarray(staff.eligible[reader] & self.open_to[staff.trust[reader]])

    def _offer(self, klass: int) -> None:
        """A new study for whoever idles: the fastest of them first."""
        staff = self.world.staff
        fitting = [r for r in self.idle if staff.eligible[r, klass]]
        for reader in sorted(fitting, key=lambda r: (staff.factor[r, klass], r)):
            self._next(reader)
            if reader not in self.idle:
                return

    def _next(self, reader: int) -> None:
        session = self.on[reader]
        self.reading[reader] = NOTHING
        self.outside[reader] = False
        if session is None or self.now >= session.end:
            self.on[reader] = None
            self.idle.discard(reader)
            return
        self.board.age(self.now)
        allowed = self.allowed(reader)
        for _ in range(_TRIES):
            study = self.policy.choose(self, reader, allowed)
            if study == NOTHING:
                break
            klass = int(self.world.arrivals.klass[study])
            minutes = float(self.world.arrivals.minutes[study] * self.world.staff.factor[reader, klass])
            done = self._done_at(reader, session, minutes)
            if done <= session.end:
                self._begin(reader, study, klass, minutes, done)
                return
            allowed = allowed.copy()
            allowed[klass] = False
        self.idle.add(reader)

    def _done_at(self, reader: int, session: SessionPlan, minutes: float) -> float:
        """When `minutes` of reading that begin now are done, interruptions in between."""
        pauses, i = session.pauses, self._pauses_over[reader]
        while i < len(pauses) and pauses[i][1] <= self.now:
            i += 1
        self._pauses_over[reader] = i
        done = self.now + minutes
        while i < len(pauses) and pauses[i][0] < done:
            done += pauses[i][1] - max(pauses[i][0], self.now)
            i += 1
        return done

    def _begin(self, reader: int, study: int, klass: int, minutes: float, done: float) -> None:
        world, staff = self.world, self.world.staff
        self.board.take(study)
        self.idle.discard(reader)
        self.begun[study], self.done[study], self.reader[study] = self.now, done, reader
        self.reading[reader], self.free_at[reader] = study, done
        self.busy[reader] += minutes
        if not staff.matched[reader, klass]:
            self.outside[reader] = True
            self.matched_free[study] = self._somebody_matched_is_free(klass)
        own, origin = staff.trust[reader], world.region.classes.trust[klass]
        self.aid[own, origin] += minutes
        if own != origin:
            self._aid_spent(int(own), minutes)
        heapq.heappush(self._events, (done, _FREE, reader))

    def _somebody_matched_is_free(self, klass: int) -> bool:
        """Whether a specialist reads outside the own subspecialty at this moment, or idles."""
        staff = self.world.staff
        fitting = staff.eligible[:, klass] & staff.matched[:, klass]
        fitting &= self.linked[staff.trust, self.world.region.classes.trust[klass]]
        return bool((fitting & self.outside).any()) or any(fitting[r] for r in self.idle)

    def _new_day(self) -> None:
        day = int(self.now // DAY)
        if day != self._aid_day:
            self._aid_day = day
            self.aid_used[:] = 0.0
            self._aid_changed()

    def _aid_spent(self, trust: int, minutes: float) -> None:
        before = self.aid_used[trust]
        self.aid_used[trust] += minutes
        if np.any((before < self.world.aid_minutes[trust]) & (self.aid_used[trust] >= self.world.aid_minutes[trust])):
            self._aid_changed()

    def _aid_changed(self) -> None:
        """Work out which classes each trust's readers may read: links, and what is left of the day's aid."""
        classes = self.world.region.classes
        left = self.aid_used[:, None] < self.world.aid_minutes
        other = np.where(classes.acute, left[:, 1, None], left[:, 0, None])
        own = np.arange(len(left))[:, None] == classes.trust
        self.open_to = own | (other & self.linked[:, classes.trust])
