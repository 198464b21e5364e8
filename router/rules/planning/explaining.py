"""From the choice over arrays to explanations in the domain's words."""

from collections import Counter
from datetime import datetime

import numpy as np

from router.model.reader import DeliveryMode, ReaderOnDuty
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
from router.rules.planning.leaving import Leaving, cannot_go_on
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
_HAS_OTHERS = ("has reads on the list, and a read moves only to whoever has none",)
_GAINS_LITTLE = ("moving it there would gain too little beside what else there is to read",)


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
    leaving = None if moved_from is None else _leaving(mapped, step, read.need, so_far, candidates[0], moved_from, now)
    if leaving is not None:  # its reasons hold without the room that this very read takes up
        without_room[mapped.words.readers[leaving.holder]] = False
    excluded, not_now = _told(mapped, known, np.flatnonzero(without_room), now, moves=leaving is not None)
    if leaving is not None:
        had = ((leaving.cannot or _HAS_IT, (leaving.holder,)),)
        excluded = Excluded((*excluded.groups, *(had if leaving.cannot else ())))
        not_now = Excluded((*(() if leaving.cannot else had), *not_now.groups))
    return Explanation(
        rule=RULE,
        considered_at=now,
        due_at=read.due_at,
        candidates=candidates,
        exclusions=excluded,
        choice=why_chosen(candidates, leaving),
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
        exclusions=_told(mapped, known, np.sort(nearest[:NAMED]), now)[0],
        choice=why_waiting(len(could), len(excluded)),
        not_now=_told(mapped, known, could[:NAMED], now)[1],
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


def _leaving(
    mapped: Mapped, step: Step, need: Need, so_far: ReasonsSoFar, chosen: Candidate, moved_from: str, now: datetime
) -> Leaving:
    there, here = mapped.words.readers[moved_from], mapped.words.readers[chosen.reader_id]
    holder, reader = mapped.readers[there].reader, mapped.readers[here].reader
    busy, exam_class = mapped.problem.duty.free_in_min, int(mapped.problem.waiting.exam_class[step.read])
    return Leaving(
        holder=moved_from,
        there_min=float(busy[there]) - so_far.minutes_for(need, moved_from),
        here_min=float(busy[here]) + _given_min(mapped.readers[here], so_far.duties[reader.id]),
        acute=need.acute,
        subspecialty=need.subspecialty,
        level_there=holder.levels.get(need.subspecialty),
        level_here=reader.levels.get(need.subspecialty),
        cannot=cannot_go_on(holder, there, exam_class, mapped.problem, need, now),
    )


def _given_min(before: ReaderOnDuty, since: ReaderOnDuty) -> float:
    """The reader's minutes that this plan has given out already."""
    return sum(load.used_minutes for load in since.sessions) - sum(load.used_minutes for load in before.sessions)


def _told(
    mapped: Mapped, known: ByReasons, rows: IntArray, now: datetime, *, moves: bool = False
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
            not_now.setdefault(_why_no_room(mapped, row, now, moves=moves), []).append(mapped.names[row])
    return Excluded(tuple(excluded)), Excluded(tuple((why, tuple(readers)) for why, readers in not_now.items()))


def _why_no_room(mapped: Mapped, row: int, now: datetime, *, moves: bool) -> tuple[str, ...]:
    duty = mapped.readers[row]
    if duty.reader.delivery is DeliveryMode.PULL:
        return _PULLS
    if is_break_due(duty.reader, duty.recent, now):
        return _RESTS
    if not moves:
        return _FULL
    return _HAS_OTHERS if mapped.problem.duty.listed[row] else _GAINS_LITTLE
