"""From the choice over arrays to explanations in the domain's words."""

from collections import Counter
from datetime import datetime

import numpy as np

from router.model.reader import DeliveryMode
from router.rules.eligibility import Need
from router.rules.planning.arrays import IntArray
from router.rules.planning.decisions import (
    RULE,
    Candidate,
    Excluded,
    Explanation,
    PlannableRead,
)
from router.rules.planning.index import Step, Trace
from router.rules.planning.mapping import Mapped
from router.rules.planning.reasons import ByReasons, ReasonsSoFar
from router.rules.planning.tiers import LAST_RESORT
from router.rules.planning.wording import why_chosen, why_waiting
from router.rules.reading_rhythm import is_break_due

NAMED = 20
"""How many candidates of a choice are named, and how many readers for whom a waiting read is out of reach."""

_FULL = ("the list is full of what comes first",)
_PULLS = ("asks for the next read when free",)
_HAS_IT = ("had it on the list until then",)
_RESTS = ("a break is due",)


def explain_choice(
    mapped: Mapped,
    trace: Trace,
    step: Step,
    read: PlannableRead,
    so_far: ReasonsSoFar,
    now: datetime,
    moved_from: str | None,
) -> Explanation:
    """Who had room at that moment, best first; who was excluded and why; who could read it and had no room."""
    rows = _best_rows(mapped, trace, step, read.need)
    candidates = tuple(_candidate(mapped, trace, step, int(at), read.need, so_far) for at in rows[:NAMED])
    known = so_far.everybody(read.need)
    without_room = np.ones(len(mapped.readers), np.bool_)
    without_room[trace.rows[rows]] = False
    excluded, not_now = _told(mapped, known, np.flatnonzero(without_room), read.holder, now)
    return Explanation(
        rule=RULE,
        considered_at=now,
        due_at=read.due_at,
        candidates=candidates,
        exclusions=excluded,
        choice=why_chosen(candidates, moved_from),
        not_now=not_now,
        candidate_count=len(rows),
        acute=read.need.acute,
        given_up=makes_room(mapped, int(step.read)),
        urgency=round(step.urgency, 4),
        inputs=mapped.digest,
    )


def explain_wait(mapped: Mapped, read: PlannableRead, so_far: ReasonsSoFar, now: datetime) -> Explanation:
    """Why nobody has it: the readers nearest to eligible by name, further reasons by number."""
    known = so_far.everybody(read.need)
    count = np.array([len(reasons) for reasons in known.reasons], np.int64)[known.of]
    could, excluded = np.flatnonzero(count == 0), np.flatnonzero(count)
    nearest = excluded[np.argsort(count[excluded], kind="stable")]  # rows ascend by id
    others: Counter[str] = Counter()
    for number, readers in enumerate(np.bincount(known.of[nearest[NAMED:]], minlength=len(known.reasons))):
        if readers:
            others.update({reason: int(readers) for reason in known.reasons[number]})
    return Explanation(
        rule=RULE,
        considered_at=now,
        due_at=read.due_at,
        candidates=(),
        exclusions=_told(mapped, known, np.sort(nearest[:NAMED]), read.holder, now)[0],
        choice=why_waiting(len(could), len(excluded)),
        not_now=_told(mapped, known, could[:NAMED], read.holder, now)[1],
        others=tuple(sorted(others.items())),
        acute=read.need.acute,
    )


def makes_room(mapped: Mapped, row: int) -> bool:
    """Whether the read in this row was given up for now."""
    guidance = mapped.problem.guidance
    return guidance is not None and bool(guidance.given_up[row])


def _best_rows(mapped: Mapped, trace: Trace, step: Step, need: Need) -> list[int]:
    can = np.flatnonzero(np.isfinite(step.index))
    had = np.array([mapped.readers[trace.rows[at]].reader.id in need.had_by for at in can], np.bool_)
    order = np.lexsort((trace.rows[can], -np.round(step.index[can], 6), step.queue[can], had))
    return [int(at) for at in can[order]]


def _candidate(mapped: Mapped, trace: Trace, step: Step, at: int, need: Need, so_far: ReasonsSoFar) -> Candidate:
    assert trace.terms is not None
    reader = mapped.readers[trace.rows[at]].reader
    had_it = reader.id in need.had_by
    load = so_far.session_for(need, reader.id)
    terms = trace.terms
    return Candidate(
        reader_id=reader.id,
        session_id="" if load is None else load.session.id,
        minutes_left=0.0 if load is None else load.minutes_left(so_far.minutes_for(need, reader.id)),
        had_it=had_it,
        queue=int(step.queue[at]),
        index=round(float(step.index[at]) + (LAST_RESORT if had_it else 0.0), 6),
        match=round(float(terms.match[at, step.group]), 4),
        scarcity=round(float(terms.scarcity[at, step.group]), 4),
        session=round(float(terms.session[at, step.group]), 4),
        comfort=round(float(terms.comfort[at, step.group]), 4),
        planned=round(float(terms.planned[at, step.group]), 4),
    )


def _told(
    mapped: Mapped, known: ByReasons, rows: IntArray, holder: str | None, now: datetime
) -> tuple[Excluded, Excluded]:
    """(who is excluded, who could read it and had no room) of these readers."""
    excluded: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    not_now: dict[tuple[str, ...], list[str]] = {}
    of = known.of[rows]
    for number in np.unique(of):
        alike = rows[of == number]
        if known.reasons[number]:
            excluded.append((known.reasons[number], tuple(mapped.names[alike].tolist())))
            continue
        for row in alike.tolist():
            not_now.setdefault(_why_no_room(mapped, row, holder, now), []).append(mapped.names[row])
    return Excluded(tuple(excluded)), Excluded(tuple((why, tuple(readers)) for why, readers in not_now.items()))


def _why_no_room(mapped: Mapped, row: int, holder: str | None, now: datetime) -> tuple[str, ...]:
    duty = mapped.readers[row]
    if duty.reader.id == holder:
        return _HAS_IT
    if duty.reader.delivery is DeliveryMode.PULL:
        return _PULLS
    return _RESTS if is_break_due(duty.reader, duty.recent, now) else _FULL
