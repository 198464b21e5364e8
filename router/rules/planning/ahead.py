"""Planning ahead over the domain's objects: whose minutes are scarce in the coming week, and what cannot be in time.

Takes tenths of seconds to seconds: it runs beside the planner, and its answer only tips the index until it is stale.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from router.model.session import Session
from router.rules.planning.arrays import SESSION_KINDS, ForecastArrays, SessionArrays
from router.rules.planning.decisions import Ahead, ClassKey, PlannableRead, Snapshot
from router.rules.planning.mapping import mapped
from router.rules.planning.outlook import plan_region
from router.rules.planning.planner import STANDARD
from router.rules.planning.tuning import Tuning
from router.rules.planning.vocabulary import Vocabulary, minute_of

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Sessions until the horizon without those on leave, and the reads that came in the same hours a week before,
    each of which stands for so many."""

    sessions: tuple[Session, ...]
    last_week: tuple[PlannableRead, ...]
    each: float = 1.0


def horizon(tuning: Tuning = STANDARD) -> timedelta:
    """How far the region is planned ahead."""
    return timedelta(minutes=tuning.horizon_min)


def plan_ahead(snapshot: Snapshot, outlook: Outlook, valid_for: timedelta, tuning: Tuning = STANDARD) -> Ahead | None:
    """Whose minutes are scarce and what makes room; None when nothing can be planned, and the index runs alone."""
    arrays = mapped(snapshot, tuning, expected=outlook.last_week)
    words = arrays.words
    found = plan_region(
        arrays.problem,
        _sessions(outlook.sessions, words, snapshot.now),
        _forecast(outlook, words),
        tuning,
    )
    if found is None:
        return None
    return Ahead(
        until=snapshot.now + valid_for,
        readers=words.readers,
        classes=words.classes,
        tips=found.pair,
        given_up=frozenset(arrays.reads[row].stakes for row in np.flatnonzero(found.given_up)),
        short=frozenset(arrays.reads[row].need.read_id for row in np.flatnonzero(found.short)),
    )


def _sessions(sessions: Iterable[Session], words: Vocabulary, now: datetime) -> SessionArrays:
    known = [s for s in sessions if s.reader_id in words.readers and s.ends_at > now]
    length = [(s.ends_at - max(s.starts_at, now)).total_seconds() / 60.0 for s in known]
    minutes = [
        most if s.capacity_minutes is None else min(s.capacity_minutes, most)
        for s, most in zip(known, length, strict=True)
    ]
    return SessionArrays(
        reader=np.array([words.readers[s.reader_id] for s in known], np.int64),
        kind=np.array([SESSION_KINDS.index(s.kind) for s in known], np.int64),
        start_min=np.array([minute_of(s.starts_at) for s in known], np.float64),
        end_min=np.array([minute_of(s.ends_at) for s in known], np.float64),
        minutes=np.array(minutes, np.float64),
    )


def _forecast(outlook: Outlook, words: Vocabulary) -> ForecastArrays:
    """As it was a week ago."""
    known = [r for r in outlook.last_week if r.arrived_at is not None]
    came = [minute_of(r.arrived_at + WEEK) for r in known if r.arrived_at is not None]
    return ForecastArrays(
        exam_class=np.array([words.classes[ClassKey.of(r.need)] for r in known], np.int64),
        weight=np.array([r.weight for r in known], np.float64),
        acute=np.array([r.need.acute for r in known], np.bool_),
        may_wait=np.array([r.may_wait for r in known], np.bool_),
        from_min=np.array(came, np.float64),
        until_min=np.array(came, np.float64),
        target_min=np.array([minute_of(r.due_at + WEEK) - at for r, at in zip(known, came, strict=True)], np.float64),
        expected_minutes=np.array([r.need.expected_minutes for r in known], np.float64),
        count=np.full(len(known), float(outlook.each)),
    )
