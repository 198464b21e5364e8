"""`readacross bench plan`: how long the planner takes to decide after one event, and to plan everything anew."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from readacross.bench.figures import Run, latency_figures
from readacross.bench.results import Result
from readacross.bench.store_bench import Tell
from router.model.reader import Credential, Level, Reader, ReaderOnDuty
from router.model.session import Session, SessionLoad, Workstation
from router.rules.eligibility import Need
from router.rules.planning import PlannableRead, Snapshot, Tuning, next_choices, plan
from router.rules.planning.ahead import Outlook, plan_ahead
from router.rules.planning.mapping import mapped

_NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
_SUBSPECIALTIES = ("neuro", "chest", "abdomen", "msk", "paediatric", "breast", "nuclear", "general")
_MODALITIES = ("CT", "MR", "CR", "US", "NM")
_PATHWAYS = (("emergency", 1, 60.0), ("inpatient", 12, 20.0), ("cancer_lung", 72, 10.0), ("routine", 672, 1.0))


@dataclass(frozen=True, slots=True)
class PlanPlan:
    """`events` decisions after one reader has become free are timed in each round."""

    reads: int
    readers: int
    trusts: int
    events: int
    rounds: int


def snapshot_of(plan_: PlanPlan, seed: int) -> Snapshot:
    """Invented reads and readers: every reader on duty, credentialed for most trusts."""
    chance = random.Random(seed)
    trusts = [f"T{number:02}" for number in range(plan_.trusts)]
    exams = [_exam(chance, number) for number in range(40)]
    reads = tuple(_read(chance, number, trusts, exams) for number in range(plan_.reads))
    readers = tuple(_reader(chance, number, trusts) for number in range(plan_.readers))
    return Snapshot(_NOW, reads, readers)


def _exam(chance: random.Random, number: int) -> tuple[str, str, str, Level, float]:
    level = chance.choice((Level.GENERAL, Level.GENERAL, Level.SPECIAL_INTEREST))
    modality, subspecialty = chance.choice(_MODALITIES), chance.choice(_SUBSPECIALTIES)
    return f"E{number}", modality, subspecialty, level, chance.choice((2.0, 7.0, 18.0))


def _read(
    chance: random.Random, number: int, trusts: list[str], exams: list[tuple[str, str, str, Level, float]]
) -> PlannableRead:
    code, modality, subspecialty, level, minutes = chance.choice(exams)
    pathway, hours, weight = chance.choices(_PATHWAYS, (1, 10, 10, 79))[0]
    came = _NOW - timedelta(hours=chance.uniform(0, hours))
    need = Need(
        read_id=f"r{number:06}",
        origin=chance.choice(trusts),
        modalities=frozenset({modality}),
        subspecialty=subspecialty,
        expected_minutes=minutes,
        minimum_level=level,
        exam_code=code,
        exam_group=f"{modality}-{subspecialty}",
        pathway=pathway,
        acute=pathway == "emergency",
    )
    return PlannableRead(need, came + timedelta(hours=hours), 0, weight, came, may_wait=pathway == "routine")


def _reader(chance: random.Random, number: int, trusts: list[str]) -> ReaderOnDuty:
    ends = _NOW + timedelta(hours=chance.uniform(1, 6))
    session = Session(f"s{number}", f"p{number:04}", _NOW - timedelta(hours=1), ends, capacity_minutes=400.0)
    credentials = [
        Credential(f"c{number}-{trust}", trust, _NOW - timedelta(9), _NOW + timedelta(9))
        for trust in trusts
        if chance.random() < 0.6
    ]
    known = chance.sample(_SUBSPECIALTIES, 4)
    reader = Reader(
        id=f"p{number:04}",
        name=f"Reader {number}",
        registration=f"C{number:07}",
        employer=chance.choice(trusts),
        modalities=frozenset(chance.sample(_MODALITIES, 4)),
        subspecialties=frozenset(known),
        workstation=Workstation(trusts[0], "WS"),
        credentials=tuple(credentials),
        levels={name: chance.choice((Level.GENERAL, Level.SPECIAL_INTEREST, Level.SPECIALIST)) for name in known},
    )
    return ReaderOnDuty(reader, (SessionLoad(session, 0, chance.uniform(0, 300)),))


class PlanBench:
    """Times the pure planner: no database, no network."""

    def __init__(self, plan_: PlanPlan, result: Result, tell: Tell) -> None:
        self._plan, self._result, self._tell = plan_, result, tell

    def run(self) -> None:
        for number in range(1, self._plan.rounds + 1):
            snapshot = snapshot_of(self._plan, number)
            self._tell(f"round {number}: {len(snapshot.reads):,} reads, {len(snapshot.readers):,} readers")
            self._events(number, snapshot)
            self._once(number, "all readers, over arrays", self._everything(snapshot))
            sessions = tuple(load.session for duty in snapshot.readers for load in duty.sessions)
            outlook = Outlook(sessions, snapshot.reads[:2000])
            self._once(number, "region ahead", partial(plan_ahead, snapshot, outlook, timedelta(hours=1)))
            self._once(number, "plan with explanations", partial(plan, snapshot))

    def _events(self, number: int, snapshot: Snapshot) -> None:
        """One reader becomes free, again and again; nobody else has room."""
        tuning = Tuning()
        problem = mapped(snapshot, tuning).problem
        chance = np.random.default_rng(number)
        taken = []
        for reader in chance.integers(0, len(snapshot.readers), self._plan.events):
            started = time.perf_counter()
            next_choices(problem, tuning, np.array([reader]))
            taken.append(time.perf_counter() - started)
        self._record(number, "one reader free", taken)

    @staticmethod
    def _everything(snapshot: Snapshot) -> Callable[[], object]:
        tuning = Tuning()
        problem = mapped(snapshot, tuning).problem
        return lambda: next_choices(problem, tuning)

    def _once(self, number: int, what: str, work: Callable[[], object]) -> None:
        started = time.perf_counter()
        work()
        self._record(number, what, [time.perf_counter() - started])

    def _record(self, number: int, what: str, taken: list[float]) -> None:
        run: Run = {"contestant": what, "round": number, "ok": True, "count": len(taken), **latency_figures(taken)}
        self._result.runs.append(run)


def smaller(plan_: PlanPlan) -> PlanPlan:
    """Tiny numbers, one round."""
    return replace(plan_, reads=200, readers=20, events=5, rounds=1)
