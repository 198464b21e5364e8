"""What nobody could beat: a linear programme that knows every arrival, reading time and session beforehand.

It is a relaxation, so that its optimum lies below the weighted breaches of every policy that reads acute work within a
day: studies may be split, a study may be read anywhere in the part of a day in which it comes or is due, every reader
is as good as the best of the kind, and work for other trusts is pooled without limits of aid. A late study costs its
weight only when all of it stays unread, counted by the longest study of its kind; acute work costs nothing.

Solved in a process of its own: the solver's library must not meet another one (see docs/planner.md).
"""

import pickle
import sys
from dataclasses import dataclass, field

import numpy as np

from router.simulate.region import Floats, Ints
from router.simulate.rota import DAY
from router.simulate.world import World

_PARTS = (0.0, 480.0, 780.0, 1080.0, 1290.0)
"""Where the parts of a day begin: the rota's seams."""
_LENGTHS = (0.0, 2.5, 5.0, 9.0, 13.0, 18.0, 24.0, 32.0, 45.0, np.inf)
"""Studies of one kind are weighed apart by true length: between these minutes."""


class BoundNotFound(Exception):
    """The solver gave up; nothing is guessed instead."""


@dataclass(slots=True)
class _Rows:
    """A sparse matrix that grows: entries of rows that must equal, or not exceed, their right-hand side."""

    row: list[Ints] = field(default_factory=list)
    column: list[Ints] = field(default_factory=list)
    value: list[Floats] = field(default_factory=list)

    def add(self, row: Ints, column: Ints, value: float | Floats) -> None:
        self.row.append(row.ravel())
        self.column.append(column.ravel())
        self.value.append(np.broadcast_to(np.asarray(value, float), row.shape).ravel())


@dataclass(frozen=True, slots=True, eq=False)
class Programme:
    """min cost·x, equal·x = 0 or given, within·x ≤ capacity, 0 ≤ x ≤ upper; all in standard minutes."""

    cost: Floats
    upper: Floats
    equal: tuple[Ints, Ints, Floats]
    given: Floats
    within: tuple[Ints, Ints, Floats]
    capacity: Floats


def part_of(minutes: Floats) -> Ints:
    """The part of the simulation in which a moment lies; what is before the start lies in the first."""
    day = np.floor(np.maximum(minutes, 0.0) / DAY)
    within = np.maximum(minutes, 0.0) - day * DAY
    return np.asarray(day * len(_PARTS) + np.searchsorted(_PARTS, within, side="right") - 1, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Kinds:
    """Inventories: studies of one trust, skill, urgency and length. Arrays by kind; `(kinds, parts)` minutes."""

    trust: Ints
    skill: Ints
    acute: np.ndarray
    cost: Floats
    came: Floats
    room: Floats
    already_late: float


def skills_of(world: World) -> tuple[Ints, Ints]:
    """Skill of each class, and one class of each skill and trust-independent: same readers, equally well matched."""
    classes, staff = world.region.classes, world.staff
    plain = staff.eligible[[person.radiographer for person in staff.people]].any(axis=0)
    key = np.stack([classes.subspecialty, classes.level, plain.astype(np.int64)], axis=1)
    _, example, skill = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return np.asarray(skill.ravel(), np.int64), np.asarray(example, np.int64)


def _kinds(world: World, skill_of_class: Ints, parts: int) -> _Kinds:
    classes, arrivals = world.region.classes, world.arrivals
    c = arrivals.klass
    acute = classes.acute[c]
    latest = np.where(acute, arrivals.came + DAY, arrivals.due)
    lost = (arrivals.due < 0) & ~acute
    length = np.where(acute, 0, np.searchsorted(_LENGTHS, arrivals.minutes, side="right"))
    weight, target = np.where(acute, 0.0, classes.weight[c]), np.where(acute, DAY, classes.target[c])
    key = np.stack([classes.trust[c], skill_of_class[c], acute, length, weight, target], axis=1)[~lost]
    kinds, kind = np.unique(key, axis=0, return_inverse=True)
    kind, minutes = kind.ravel(), arrivals.minutes[~lost]
    came = np.zeros((len(kinds), parts))
    np.add.at(came, (kind, part_of(arrivals.came[~lost])), minutes)
    due = np.zeros((len(kinds), parts))
    within = latest[~lost] <= world.end
    np.add.at(due, (kind[within], part_of(latest[~lost][within]).clip(max=parts - 1)), minutes[within])
    longest = np.zeros(len(kinds))
    np.maximum.at(longest, kind, minutes)
    return _Kinds(
        trust=kinds[:, 0].astype(np.int64),
        skill=kinds[:, 1].astype(np.int64),
        acute=kinds[:, 2] > 0,
        cost=kinds[:, 4] / longest,
        came=came,
        room=np.maximum(np.cumsum(came, axis=1) - np.cumsum(due, axis=1), 0.0),
        already_late=float(classes.weight[c][lost].sum()),
    )


def _groups(world: World, example: Ints) -> tuple[Ints, Ints, Floats]:
    """Group of each reader, trust of each group, and `(groups, skills)` times as long as a matched reader needs;
    infinite where the group may not read. The personal speed is no part of it: it is taken from the minutes."""
    staff = world.staff
    may, well = staff.eligible[:, example], staff.matched[:, example]
    key = np.concatenate([staff.trust[:, None], may, well], axis=1)
    groups, group = np.unique(key, axis=0, return_inverse=True)
    skills = len(example)
    may, well = groups[:, 1 : 1 + skills] > 0, groups[:, 1 + skills :] > 0
    slow = _out_of_subspecialty(world)
    return (
        np.asarray(group.ravel(), np.int64),
        groups[:, 0].astype(np.int64),
        np.where(may, np.where(well, 1, slow), np.inf),
    )


def _out_of_subspecialty(world: World) -> float:
    staff = world.staff
    own = staff.trust[:, None] == world.region.classes.trust
    speed = np.array([person.speed for person in staff.people])[:, None]
    slow = (staff.factor / speed)[own & ~staff.matched & staff.eligible]
    return float(slow.min()) if len(slow) else 1.0


def _cross_trust(world: World) -> float:
    staff = world.staff
    away = staff.trust[:, None] != world.region.classes.trust
    speed = np.array([person.speed for person in staff.people])[:, None]
    slow = (staff.factor / speed)[away & staff.matched & staff.eligible]
    return float(slow.min()) if len(slow) else 1.0


def capacity_of(world: World, group: Ints, groups: int, parts: int) -> Floats:
    """`(groups, parts)` minutes that a reader of ordinary speed would need for what the group can read."""
    found = np.zeros((groups, parts))
    for session in world.sessions:
        edges, speed = [session.start], world.staff.people[session.reader].speed
        for pause in session.pauses:
            edges += pause
        edges.append(session.end)
        for begins, ends in zip(edges[::2], edges[1::2], strict=True):
            _spread(found[group[session.reader]], begins, min(ends, world.end), speed)
    return found


def _spread(row: Floats, begins: float, ends: float, speed: float) -> None:
    while begins < ends:
        part = int(part_of(np.array([begins]))[0])
        day, within = divmod(part, len(_PARTS))
        edge = day * DAY + (_PARTS[within + 1] if within + 1 < len(_PARTS) else DAY)
        row[part] += (min(edge, ends) - begins) / speed
        begins = edge


def build_programme(world: World) -> tuple[Programme, float]:
    """The programme, and what is lost whatever anybody does."""
    parts = world.weeks * 7 * len(_PARTS)
    skill_of_class, example = skills_of(world)
    kinds = _kinds(world, skill_of_class, parts)
    group, group_trust, slow = _groups(world, example)
    capacity = capacity_of(world, group, len(group_trust), parts)
    cross, trusts, skills = _cross_trust(world), len(world.region.trusts), len(example)

    k = len(kinds.trust)
    g_of, s_of = np.nonzero(np.isfinite(slow))
    pair, t_of = np.nonzero(capacity[g_of] > 0)
    g, s = g_of[pair], s_of[pair]
    x = len(g)
    read = np.arange(k * parts).reshape(k, parts)
    waits, lost = read + k * parts, read + 2 * k * parts
    home = 3 * k * parts + np.arange(x)
    away = home + x
    lent = 3 * k * parts + 2 * x + np.arange(trusts * skills * parts).reshape(trusts, skills, parts)
    n = 3 * k * parts + 2 * x + trusts * skills * parts

    equal = _Rows()
    flow = read  # one row for each kind and part: what waited + came = read + lost + waits
    equal.add(flow, read, 1.0)
    equal.add(flow, lost, 1.0)
    equal.add(flow, waits, 1.0)
    equal.add(flow[:, 1:], waits[:, :-1], -1.0)
    work = k * parts + np.arange(trusts * skills * parts).reshape(trusts, skills, parts)
    equal.add(work[kinds.trust, kinds.skill], read, 1.0)
    equal.add(work[group_trust[g], s, t_of], home, -1.0 / slow[g, s])
    equal.add(work, lent, -1.0)
    pool = k * parts + trusts * skills * parts + np.arange(skills * parts).reshape(skills, parts)
    equal.add(np.broadcast_to(pool, (trusts, skills, parts)), lent, 1.0)
    equal.add(pool[s, t_of], away, -1.0 / (slow[g, s] * cross))
    given = np.concatenate([kinds.came.ravel(), np.zeros(trusts * skills * parts + skills * parts)])

    within = _Rows()
    for which in (home, away):
        within.add(g * parts + t_of, which, 1.0)
    cost, upper = np.zeros(n), np.full(n, np.inf)
    cost[lost] = kinds.cost[:, None]
    upper[waits] = kinds.room
    upper[lost] = np.where(kinds.acute[:, None], 0.0, np.inf)
    programme = Programme(cost, upper, _joined(equal), given, _joined(within), capacity.ravel())
    return programme, kinds.already_late


def _joined(rows: _Rows) -> tuple[Ints, Ints, Floats]:
    return np.concatenate(rows.row), np.concatenate(rows.column), np.concatenate(rows.value)


def solve(programme: Programme) -> float:
    """The least cost."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    n = len(programme.cost)
    rows, columns, values = programme.equal
    equal = csr_array((values, (rows, columns)), shape=(len(programme.given), n))
    rows, columns, values = programme.within
    within = csr_array((values, (rows, columns)), shape=(len(programme.capacity), n))
    found = linprog(
        programme.cost,
        A_ub=within,
        b_ub=programme.capacity,
        A_eq=equal,
        b_eq=programme.given,
        bounds=np.stack([np.zeros(n), programme.upper], axis=1),
        method="highs-ipm",
    )
    if found.fun is None:
        raise BoundNotFound(f"the solver found no least cost: {found.message}")
    return float(found.fun)


def clairvoyant(world: World) -> float:
    """Weighted breaches, without acute work, that no policy can go below in this world."""
    programme, lost = build_programme(world)
    return max(0.0, solve(programme)) + lost


if __name__ == "__main__":
    sys.stdout.write(repr(clairvoyant(pickle.load(sys.stdin.buffer))))
