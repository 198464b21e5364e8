"""The plan over the domain's objects: `plan(snapshot)` is pure, deterministic, and explains every decision."""

from collections.abc import Container, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from router.model.aid import AidBook
from router.model.reader import ReaderOnDuty
from router.rules.eligibility import NO_AID_LIMITS, Need, best_session, exclusions
from router.rules.planning.arrays import NO_READER
from router.rules.planning.decisions import (
    Assign,
    Candidate,
    Decision,
    Exclusion,
    Explanation,
    Snapshot,
    Wait,
)
from router.rules.planning.explaining import explain_choice, explain_wait, makes_room
from router.rules.planning.index import Trace, next_choices
from router.rules.planning.kept import Kept
from router.rules.planning.mapping import Mapped, mapped
from router.rules.planning.reasons import ReasonsSoFar
from router.rules.planning.tuning import Tuning

Weighed = tuple[tuple[Candidate, ...], tuple[Exclusion, ...]]
"""Candidates, best first, and who is excluded for which reasons."""

STANDARD = Tuning()


def plan(
    snapshot: Snapshot,
    tuning: Tuning = STANDARD,
    pulling: str | None = None,
    kept: Kept | None = None,
    explained: Container[str] = (),
) -> tuple[Decision, ...]:
    """Decide every read of the snapshot: first what is given out, in that order, then what waits, by id.

    A read that stays on its holder's list is not mentioned. With `pulling`, this reader is given one read that is on
    nobody's list, and nothing else is decided. `kept` is what was kept of the plan before; the decisions are the same
    without. Why it waits is not said again of reads that are `explained`, acute ones excepted.
    """
    if pulling is not None:
        snapshot = replace(snapshot, reads=tuple(read for read in snapshot.reads if read.holder is None))
    arrays = mapped(snapshot, tuning, pulling, kept=kept)
    so_far, trace = ReasonsSoFar(snapshot, kept), Trace()
    choices = next_choices(arrays.problem, tuning, trace=trace)
    decisions: list[Decision] = []
    given: set[int] = set()
    for at, step in enumerate(trace.steps):
        row = int(choices.read[at])
        read, reader_id = arrays.reads[row], arrays.readers[int(choices.reader[at])].reader.id
        holder = int(choices.moved_from[at])
        moved_from = None if holder == NO_READER else arrays.readers[holder].reader.id
        session = so_far.session_for(read.need, reader_id)
        if session is None or so_far.of(read.need, reader_id):
            continue  # the arrays hold one session a reader; the rules of eligibility have the last word
        why = explain_choice(arrays, trace, step, read, so_far, snapshot.now, moved_from)
        minutes = so_far.minutes_for(read.need, reader_id)
        given.add(row)
        decisions.append(
            Assign(
                read.need.read_id,
                read.need,
                read.epoch,
                reader_id,
                session.session.id,
                minutes,
                why,
                moved_from,
            )
        )
        so_far.take(read.need, reader_id, session.session.id)
    return (*decisions, *(() if pulling is not None else _waits(arrays, given, so_far, snapshot.now, explained)))


def _waits(
    arrays: Mapped, given: set[int], so_far: ReasonsSoFar, now: datetime, explained: Container[str]
) -> list[Wait]:
    alike: dict[int, Explanation] = {}
    waits = []
    free = arrays.problem.waiting.holder == NO_READER
    for row in np.flatnonzero(free).tolist():
        kept = arrays.rows[row]
        read = kept.read
        known = read.need.read_id in explained and not read.need.acute
        if known or row in given or read.holder is not None:  # held by whom the planner does not know
            continue
        why = alike.get(id(kept.anybody))  # one object for all that are alike
        if why is None:
            why = alike[id(kept.anybody)] = explain_wait(arrays, read, so_far, now)
        waits.append(Wait(read.need.read_id, _of_this(why, read.due_at, makes_room(arrays, row))))
    return waits


def _of_this(why: Explanation, due_at: datetime, given_up: bool) -> Explanation:
    if why.due_at == due_at and why.given_up == given_up:
        return why
    return replace(why, due_at=due_at, given_up=given_up)


def replayed(explanation: Explanation) -> str | None:
    """The reader that the rule gives the read to, from what is stored alone."""
    order = sorted(explanation.candidates, key=lambda c: (c.had_it, c.queue, -c.index, c.reader_id))
    return order[0].reader_id if order else None


def weigh(need: Need, readers: Sequence[ReaderOnDuty], now: datetime, aid: AidBook = NO_AID_LIMITS) -> Weighed:
    """Split readers into those who may take the read now, most room first, and exclusions with their reasons."""
    candidates: list[Candidate] = []
    excluded: list[Exclusion] = []
    for on_duty in readers:
        session = best_session(need, on_duty, now)
        reasons = exclusions(need, on_duty, now, aid)
        if reasons or session is None:
            excluded.append(Exclusion(on_duty.reader.id, reasons))
        else:
            left = session.minutes_left(on_duty.reader.minutes_for(need.expected_minutes, need.exam_group))
            had_it = on_duty.reader.id in need.had_by
            candidates.append(Candidate(on_duty.reader.id, session.session.id, left, had_it))
    candidates.sort(key=lambda candidate: (candidate.had_it, -candidate.minutes_left, candidate.reader_id))
    return tuple(candidates), tuple(excluded)
