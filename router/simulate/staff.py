"""The readers of a region: how many a trust has, what each is good at, who may read what and how fast.

The same people in every seed. Numbers follow from the ordinary demand, so that a scenario which adds work or takes
readers away meets the staff of an ordinary week.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from router.simulate.assumptions import Assumptions, ReadersLost
from router.simulate.region import GENERAL, Flags, Floats, Ints, Region

_STRUCTURE_SEED = 20261101
PLAIN = "DX"


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """`levels` by subspecialty; `sessions` are (day, half) of the week, half 0 the morning."""

    name: str
    trust: int
    radiographer: bool
    specialty: str
    levels: dict[str, int]
    speed: float
    sessions: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Staff:
    """People with what they may read: `(readers, classes)` arrays; `factor` multiplies the reading time."""

    people: tuple[Person, ...]
    trust: Ints
    eligible: Flags
    matched: Flags
    factor: Floats

    def __len__(self) -> int:
        return len(self.people)


def core_minutes(assumptions: Assumptions) -> float:
    """Reading minutes that one core session yields in the mean, leave, sickness and interruptions taken off."""
    rota, reading = assumptions.rota, assumptions.reading
    length = (rota.morning[1] - rota.morning[0] + rota.afternoon[1] - rota.afternoon[0]) / 2
    return length * reading_share(assumptions) * (1 - reading.leave_share) * (1 - reading.sick_share)


def reading_share(assumptions: Assumptions) -> float:
    """Part of a session that is not interrupted: interruptions come while reading, and stop the reading."""
    reading = assumptions.reading
    return 1 / (1 + reading.interruptions_per_hour * reading.interruption_minutes / 60)


def cover_minutes(assumptions: Assumptions, night_readers: int) -> float:
    """Reading minutes a week of a trust's evenings, nights and weekends."""
    rota = assumptions.rota
    weekly = 5 * (rota.evening[1] - rota.evening[0])
    weekly += 7 * night_readers * sum(end - start for start, end in rota.night)
    weekly += 2 * sum(end - start for start, end in rota.weekend)
    return weekly * reading_share(assumptions) if night_readers else 0.0


def build_people(assumptions: Assumptions, region: Region) -> tuple[Person, ...]:
    """People of every trust of the ordinary region."""
    rng = np.random.default_rng(_STRUCTURE_SEED)
    people: list[Person] = []
    for trust in range(len(region.trusts)):
        people += _people_of(assumptions, region, trust, rng)
    return tuple(people)


def without(people: tuple[Person, ...], region: Region, lost: ReadersLost) -> tuple[Person, ...]:
    """The people with every so-manieth of those meant away; they keep their place, without sessions."""
    trust = None if lost.trust is None else region.trust_index(lost.trust)
    kept, meant = [], 0
    for person in people:
        if trust in (None, person.trust) and lost.subspecialty in (None, person.specialty):
            before, meant = math.floor(meant * lost.share), meant + 1
            if math.floor(meant * lost.share) > before:
                person = replace(person, sessions=(), specialty="away")
        kept.append(person)
    return tuple(kept)


def _people_of(assumptions: Assumptions, region: Region, trust: int, rng: np.random.Generator) -> list[Person]:
    classes, settings = region.classes, region.trusts[trust]
    own = classes.trust == trust
    minutes = classes.weekly * classes.minutes * own
    plain = np.array([assumptions.exams[region.exams[e]].modality == PLAIN for e in classes.exam])
    wanted = minutes.sum() * assumptions.rota.staffing * settings.staffing - cover_minutes(assumptions, settings.night)
    session = core_minutes(assumptions)
    by_radiographers = minutes[plain].sum() * assumptions.rota.radiographer_share
    radiographer_sessions = round(by_radiographers / session)
    consultant_sessions = max(2, round((wanted - by_radiographers) / session))
    needs = _needs(region, minutes * np.where(plain, 1 - assumptions.rota.radiographer_share, 1.0))
    consultants = max(2, math.ceil(consultant_sessions / assumptions.rota.core_sessions))
    radiographers = math.ceil(radiographer_sessions / assumptions.rota.radiographer_sessions)
    specialties = _specialties(needs, consultants)
    seconds = _seconds(assumptions, region, needs, specialties, rng)
    ods, common = settings.ods, _common(region)
    people = []
    for i, sessions in enumerate(_dealt(consultant_sessions, consultants, rng)):
        levels = {**dict.fromkeys(common, 1), GENERAL: 3, specialties[i]: 3}
        if seconds[i] is not None:
            levels[str(seconds[i])] = max(2, levels.get(str(seconds[i]), 0))
        people.append(
            Person(f"{ods}-C{i + 1:02}", trust, False, specialties[i], levels, _speed(assumptions, rng), sessions)
        )
    for i, sessions in enumerate(_dealt(radiographer_sessions, radiographers, rng)):
        levels = {GENERAL: 3, "paeds": 1}
        people.append(Person(f"{ods}-R{i + 1:02}", trust, True, GENERAL, levels, _speed(assumptions, rng), sessions))
    return people


def _needs(region: Region, minutes: Floats) -> dict[str, float]:
    return {
        subspecialty: float(minutes[region.classes.subspecialty == s].sum())
        for s, subspecialty in enumerate(region.subspecialties)
        if minutes[region.classes.subspecialty == s].sum() > 0
    }


def _common(region: Region) -> list[str]:
    """Subspecialties in which every consultant reads the ordinary exams."""
    classes = region.classes
    return [s for i, s in enumerate(region.subspecialties) if (classes.level[classes.subspecialty == i] == 1).any()]


def _specialties(needs: dict[str, float], number: int) -> list[str]:
    """Largest remainders, so that the mix of people follows the mix of work."""
    whole = sum(needs.values())
    exact = {s: number * minutes / whole for s, minutes in needs.items()}
    dealt = {s: math.floor(share) for s, share in exact.items()}
    by_rest = sorted(exact, key=lambda s: (dealt[s] - exact[s], s))
    for s in by_rest[: number - sum(dealt.values())]:
        dealt[s] += 1
    return [s for s, count in dealt.items() for _ in range(count)]


def _seconds(
    assumptions: Assumptions, region: Region, needs: dict[str, float], specialties: list[str], rng: np.random.Generator
) -> list[str | None]:
    """Special interests: first what the trust would have fewer than two people for, then by the work there is."""
    classes = region.classes
    scarce = []
    for i, s in enumerate(region.subspecialties):
        if s in needs and (classes.level[classes.subspecialty == i] > 1).any():
            scarce += [s] * max(0, 2 - specialties.count(s))
    seconds: list[str | None] = [None] * len(specialties)
    names = [s for s in needs if s != GENERAL]
    weights = np.array([needs[s] for s in names])
    for i in rng.permutation(len(specialties)):
        fitting = [s for s in scarce if s != specialties[i]]
        if fitting:
            seconds[i] = fitting[0]
            scarce.remove(fitting[0])
        elif rng.random() < assumptions.rota.second_interest:
            seconds[i] = str(rng.choice(names, p=weights / weights.sum()))
    return seconds


def _dealt(sessions: int, people: int, rng: np.random.Generator) -> list[tuple[tuple[int, int], ...]]:
    """Core sessions dealt over people and over the halves of five weekdays."""
    found: list[tuple[tuple[int, int], ...]] = []
    for i in range(people):
        mine = sessions * (i + 1) // people - sessions * i // people
        halves = sorted(int(half) for half in rng.choice(10, size=min(10, mine), replace=False))
        found.append(tuple((half // 2, half % 2) for half in halves))
    return found


def _speed(assumptions: Assumptions, rng: np.random.Generator) -> float:
    sigma = assumptions.reading.personal_sigma
    return float(np.exp(rng.normal(-(sigma**2) / 2, sigma)))


def build_staff(assumptions: Assumptions, region: Region, people: tuple[Person, ...]) -> Staff:
    """Who may read which class, who is matched to it, and how long it takes them beside the expected minutes."""
    classes, reading = region.classes, assumptions.reading
    level = np.array([[person.levels.get(s, 0) for s in region.subspecialties] for person in people])
    level_of = level[:, classes.subspecialty]
    plain = np.array([assumptions.exams[region.exams[e]].modality == PLAIN for e in classes.exam])
    radiographer = np.array([person.radiographer for person in people])
    trust = np.array([person.trust for person in people], np.int64)
    for_trust = np.array(
        [
            [other.ods in (own.reads_for or [other.ods]) or other is own for other in region.trusts]
            for own in region.trusts
        ]
    )
    eligible = (level_of >= classes.level) & (~radiographer[:, None] | plain) & for_trust[trust][:, classes.trust]
    general = np.array([s == GENERAL for s in region.subspecialties])[classes.subspecialty]
    matched = (level_of >= 2) | general
    factor = np.array([person.speed for person in people])[:, None] * np.where(matched, 1, reading.out_of_subspecialty)
    factor = factor * np.where(trust[:, None] == classes.trust, 1.0, reading.cross_trust)
    return Staff(people, trust, eligible, matched, factor)
