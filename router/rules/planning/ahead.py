"""The flow over the domain's objects: what the region should begin now, in view of the rota and of usual arrivals.

Takes tenths of seconds to seconds: it runs beside the planner, and its answer only tips the index until it is stale.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from router.model.session import Session
from router.rules.planning.arrays import SESSION_KINDS, ForecastArrays, SessionArrays
from router.rules.planning.decisions import Ahead, ClassKey, PlannableRead, Snapshot
from router.rules.planning.flow import plan_flow
from router.rules.planning.mapping import mapped
from router.rules.planning.planner import STANDARD
from router.rules.planning.tuning import Tuning
from router.rules.planning.vocabulary import Vocabulary, minute_of

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Sessions until the horizon without those on leave, and the reads that came in the same hours a week before."""

    sessions: tuple[Session, ...]
    last_week: tuple[PlannableRead, ...]


def horizon(tuning: Tuning = STANDARD) -> timedelta:
    """How far the flow looks."""
    return timedelta(minutes=sum(tuning.blocks_min))


def plan_ahead(snapshot: Snapshot, outlook: Outlook, valid_for: timedelta, tuning: Tuning = STANDARD) -> Ahead | None:
    """What to begin now; None when nothing can be planned, and the index runs alone."""
    arrays = mapped(snapshot, tuning, expected=outlook.last_week)
    words = arrays.words
    bonus = plan_flow(
        arrays.problem,
        _sessions(outlook.sessions, words, snapshot.now),
        _forecast(outlook.last_week, words),
        tuning,
    )
    if bonus is None:
        return None
    keys, names, pathways = list(words.classes), list(words.readers), list(words.pathways)
    return Ahead(
        until=snapshot.now + valid_for,
        pairs=frozenset((names[reader], keys[key]) for reader, key in zip(*np.nonzero(bonus.pair > 0), strict=True)),
        due={
            (keys[key], pathways[pathway]): datetime.fromtimestamp(60.0 * bonus.due_until[key, pathway], UTC)
            for key, pathway in zip(*np.nonzero(np.isfinite(bonus.due_until)), strict=True)
        },
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


def _forecast(last_week: Sequence[PlannableRead], words: Vocabulary) -> ForecastArrays:
    """As it was a week ago, one for one."""
    known = [r for r in last_week if r.arrived_at is not None]
    came = [minute_of(r.arrived_at + WEEK) for r in known if r.arrived_at is not None]
    return ForecastArrays(
        exam_class=np.array([words.classes[ClassKey.of(r.need)] for r in known], np.int64),
        pathway=np.array([words.pathways[r.need.pathway] for r in known], np.int64),
        weight=np.array([r.weight for r in known], np.float64),
        acute=np.array([r.need.acute for r in known], np.bool_),
        from_min=np.array(came, np.float64),
        until_min=np.array(came, np.float64),
        target_min=np.array([minute_of(r.due_at + WEEK) - at for r, at in zip(known, came, strict=True)], np.float64),
        expected_minutes=np.array([r.need.expected_minutes for r in known], np.float64),
        count=np.ones(len(known)),
    )
