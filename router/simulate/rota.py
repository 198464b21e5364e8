"""Sessions of one seed: core sessions less leave and sickness, cover of evenings, nights and weekends, interruptions.

All of it is drawn before anybody reads, so that every policy meets the same rota.
"""

import math
from dataclasses import dataclass

import numpy as np

from router.simulate.assumptions import Assumptions
from router.simulate.region import Region
from router.simulate.staff import Person

DAY = 1440.0
WEEK = 7 * DAY
_LONGEST_INTERRUPTION = 20.0


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """A session in minutes since the first Monday; `pauses` are (start, end) inside it, in order, apart."""

    reader: int
    start: float
    end: float
    cover: bool
    pauses: tuple[tuple[float, float], ...]

    def reading_minutes(self) -> float:
        return self.end - self.start - sum(end - start for start, end in self.pauses)


def build_rota(
    assumptions: Assumptions, region: Region, people: tuple[Person, ...], weeks: int, rng: np.random.Generator
) -> list[SessionPlan]:
    """Every session of the weeks, by start."""
    found: list[tuple[int, float, float, bool]] = []
    for week in range(weeks):
        found += _cover(assumptions, region, people, week, rng)
        found += _core(assumptions, people, week, rng, {(r, s) for r, s, _, cover in found if cover})
    kept = _without_overlaps(found)
    sessions = [
        SessionPlan(r, start, end, cover, _pauses(assumptions, start, end, rng)) for r, start, end, cover in kept
    ]
    return sorted(sessions, key=lambda session: (session.start, session.reader))


def _core(
    assumptions: Assumptions,
    people: tuple[Person, ...],
    week: int,
    rng: np.random.Generator,
    covering: set[tuple[int, float]],
) -> list[tuple[int, float, float, bool]]:
    rota, reading = assumptions.rota, assumptions.reading
    found = []
    on_leave = _on_leave(people, reading.leave_share, rng)
    for r, person in enumerate(people):
        away = r in on_leave
        for day, half in person.sessions:
            sick = rng.random() < reading.sick_share
            start, end = rota.afternoon if half else rota.morning
            begins = week * WEEK + day * DAY + rota.stagger * (r % 2)
            if not away and not sick and (r, begins + start) not in covering:
                found.append((r, begins + start, begins + end, False))
    return found


def _on_leave(people: tuple[Person, ...], share: float, rng: np.random.Generator) -> set[int]:
    """Leave is planned within a trust: every week the same share is away, never by chance all at once."""
    found: set[int] = set()
    for trust in sorted({person.trust for person in people}):
        own = [r for r, person in enumerate(people) if person.trust == trust]
        number = math.floor(len(own) * share + rng.random())
        found.update(int(r) for r in rng.permutation(own)[:number])
    return found


def _cover(
    assumptions: Assumptions, region: Region, people: tuple[Person, ...], week: int, rng: np.random.Generator
) -> list[tuple[int, float, float, bool]]:
    """Cover is always filled: somebody of the trust's consultants takes it, whoever is away."""
    rota = assumptions.rota
    found = []
    for trust, settings in enumerate(region.trusts):
        own = [r for r, p in enumerate(people) if p.trust == trust and not p.radiographer and p.specialty != "away"]
        if not own or not settings.night:
            continue
        turn = [int(r) for r in rng.permutation(own)]
        slots = [(day, *rota.evening) for day in range(5)]
        slots += [(day, *window) for day in (5, 6) for window in rota.weekend]
        slots += [(day, *window) for day in range(7) for window in rota.night for _ in range(settings.night)]
        for i, (day, start, end) in enumerate(slots):
            begins = week * WEEK + day * DAY
            found.append((turn[i % len(turn)], begins + start, begins + end, True))
    return found


def _without_overlaps(found: list[tuple[int, float, float, bool]]) -> list[tuple[int, float, float, bool]]:
    """Cover goes before core; a core session that begins during cover begins at its end, one that runs into it ends."""
    kept: list[tuple[int, float, float, bool]] = []
    until: dict[int, float] = {}
    order = sorted(found, key=lambda session: (session[0], session[1], not session[3]))
    for i, (reader, start, end, cover) in enumerate(order):
        start = max(start, until.get(reader, start))
        following = order[i + 1] if i + 1 < len(order) else None
        if following is not None and following[0] == reader and following[3] and following[1] < end:
            end = following[1]
        if end - start >= 30:
            kept.append((reader, start, end, cover))
            until[reader] = end
    return kept


def _pauses(
    assumptions: Assumptions, start: float, end: float, rng: np.random.Generator
) -> tuple[tuple[float, float], ...]:
    reading = assumptions.reading
    pauses: list[tuple[float, float]] = []
    now = start
    while reading.interruptions_per_hour > 0:
        now += rng.exponential(60 / reading.interruptions_per_hour)
        length = min(_LONGEST_INTERRUPTION, rng.exponential(reading.interruption_minutes))
        if now + length >= end:
            break
        pauses.append((now, now + length))
        now += length
    return tuple(pauses)
