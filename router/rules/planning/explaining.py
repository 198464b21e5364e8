"""From the choice over arrays to explanations in the domain's words."""

from collections import Counter
from datetime import datetime

import numpy as np

from router.model.reader import DeliveryMode, ReaderOnDuty
from router.rules.eligibility import Need
from router.rules.planning.decisions import (
    RULE,
    Candidate,
    Exclusion,
    Explanation,
    PlannableRead,
)
from router.rules.planning.index import Step, Trace
from router.rules.planning.mapping import Mapped
from router.rules.planning.reasons import ReasonsSoFar
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
    with_room = {mapped.readers[trace.rows[at]].reader.id for at in rows}
    excluded, not_now = _without_room(mapped, read, so_far, with_room, now)
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
    excluded, not_now = _without_room(mapped, read, so_far, set(), now)
    nearest = sorted(excluded, key=_distance)
    named = tuple(sorted(nearest[:NAMED], key=lambda e: e.reader_id))
    others = Counter(reason for exclusion in nearest[NAMED:] for reason in exclusion.reasons)
    return Explanation(
        rule=RULE,
        considered_at=now,
        due_at=read.due_at,
        candidates=(),
        exclusions=named,
        choice=why_waiting(len(not_now), len(excluded)),
        not_now=not_now[:NAMED],
        others=tuple(sorted(others.items())),
        acute=read.need.acute,
    )


def makes_room(mapped: Mapped, row: int) -> bool:
    """Whether the read in this row was given up for now."""
    guidance = mapped.problem.guidance
    return guidance is not None and bool(guidance.given_up[row])


def _distance(exclusion: Exclusion) -> tuple[int, str]:
    return len(exclusion.reasons), exclusion.reader_id


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


def _without_room(
    mapped: Mapped, read: PlannableRead, so_far: ReasonsSoFar, with_room: set[str], now: datetime
) -> tuple[tuple[Exclusion, ...], tuple[Exclusion, ...]]:
    excluded: list[Exclusion] = []
    not_now: list[Exclusion] = []
    for duty, reasons in zip(mapped.readers, so_far.everybody(read.need), strict=True):
        if duty.reader.id in with_room:
            continue
        if reasons:
            excluded.append(Exclusion(duty.reader.id, reasons))
        elif duty.reader.id == read.holder:
            not_now.append(Exclusion(duty.reader.id, _HAS_IT))
        else:
            not_now.append(Exclusion(duty.reader.id, _why_no_room(duty, now)))
    return tuple(excluded), tuple(not_now)


def _why_no_room(duty: ReaderOnDuty, now: datetime) -> tuple[str, ...]:
    if duty.reader.delivery is DeliveryMode.PULL:
        return _PULLS
    return _RESTS if is_break_due(duty.reader, duty.recent, now) else _FULL
