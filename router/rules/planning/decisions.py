"""Who gets what: `plan(snapshot)` is pure and deterministic, and explains every decision.

Earliest due first; then the eligible reader with most capacity left (minutes of reading); ties by reader id. Who had
this read before and did not finish it comes after everybody else, so that it does not come back to them for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from router.model.reader import ReaderOnDuty
from router.rules.eligibility import Need, best_session, exclusions

RULE = (
    "earliest due first, then the eligible reader with most capacity left; "
    "who had the read before and did not finish it comes last"
)


@dataclass(frozen=True, slots=True)
class PlannableRead:
    """A READY read; `epoch` is the lease count it had when the snapshot was taken."""

    need: Need
    due_at: datetime
    epoch: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All a plan depends on."""

    now: datetime
    reads: tuple[PlannableRead, ...]
    readers: tuple[ReaderOnDuty, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """`had_it` before: it lapsed, was lost or was taken back."""

    reader_id: str
    session_id: str
    minutes_left: float
    had_it: bool = False


@dataclass(frozen=True, slots=True)
class Exclusion:
    reader_id: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Stored with the decision: who was eligible, who was not and why, and what was chosen."""

    rule: str
    considered_at: datetime
    due_at: datetime
    candidates: tuple[Candidate, ...]
    exclusions: tuple[Exclusion, ...]
    choice: str


@dataclass(frozen=True, slots=True)
class Assign:
    """`need` is what was weighed: carried out only while it is still what the read asks for."""

    read_id: str
    need: Need
    epoch: int
    reader_id: str
    session_id: str
    expected_minutes: float
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody can take it now."""

    read_id: str
    explanation: Explanation


Decision = Assign | Wait
Weighed = tuple[tuple[Candidate, ...], tuple[Exclusion, ...]]
"""Candidates, best first, and who is excluded for which reasons."""


def plan(snapshot: Snapshot) -> tuple[Decision, ...]:
    """Decide every read of the snapshot, each on top of the ones before."""
    on_duty = {reader.reader.id: reader for reader in sorted(snapshot.readers, key=lambda r: r.reader.id)}
    decisions: list[Decision] = []
    weighed: dict[Need, Weighed] = {}
    for read in sorted(snapshot.reads, key=lambda read: (read.due_at, read.need.read_id)):
        anybody = replace(read.need, read_id="")
        if anybody not in weighed:
            weighed[anybody] = weigh(anybody, tuple(on_duty.values()), snapshot.now)
        decision = _decide(read, weighed[anybody], snapshot.now)
        if isinstance(decision, Assign):
            weighed.clear()
            on_duty[decision.reader_id] = _with_one_more(on_duty[decision.reader_id], decision)
        decisions.append(decision)
    return tuple(decisions)


def _decide(read: PlannableRead, weighed: Weighed, now: datetime) -> Decision:
    candidates, excluded = weighed
    chosen = candidates[0] if candidates else None
    choice = "nobody is eligible; the read waits" if chosen is None else _why(chosen, candidates)
    explanation = Explanation(RULE, now, read.due_at, candidates, excluded, choice)
    if chosen is None:
        return Wait(read.need.read_id, explanation)
    return Assign(
        read.need.read_id,
        read.need,
        read.epoch,
        chosen.reader_id,
        chosen.session_id,
        read.need.expected_minutes,
        explanation,
    )


def weigh(need: Need, readers: Sequence[ReaderOnDuty], now: datetime) -> Weighed:
    """Split readers into candidates, best first, and exclusions with their reasons."""
    candidates: list[Candidate] = []
    excluded: list[Exclusion] = []
    for on_duty in readers:
        session = best_session(need, on_duty, now)
        reasons = exclusions(need, on_duty, now)
        if reasons or session is None:
            excluded.append(Exclusion(on_duty.reader.id, reasons))
        else:
            left = session.minutes_left(need.expected_minutes)
            had_it = on_duty.reader.id in need.had_by
            candidates.append(Candidate(on_duty.reader.id, session.session.id, left, had_it))
    candidates.sort(key=lambda candidate: (candidate.had_it, -candidate.minutes_left, candidate.reader_id))
    return tuple(candidates), tuple(excluded)


def _why(chosen: Candidate, candidates: Sequence[Candidate]) -> str:
    if len(candidates) == 1:
        again = ", and had it before" if chosen.had_it else ""
        return f"{chosen.reader_id} is the only eligible reader{again}"
    peers = [other for other in candidates[1:] if other.had_it == chosen.had_it]
    tied = [other.reader_id for other in peers if other.minutes_left == chosen.minutes_left]
    tie = f"; equal to {', '.join(tied)}, decided by id" if tied else ""
    behind = [other.reader_id for other in candidates[1:] if other.had_it and not chosen.had_it]
    last = f"; {', '.join(behind)} had it before and did not finish it" if behind else ""
    if not peers:
        return f"{chosen.reader_id} is the only eligible reader who did not have it before{last}"
    among = "; all eligible readers had it before" if chosen.had_it else last
    return f"{chosen.reader_id} has most capacity left ({chosen.minutes_left:g} minutes{tie}){among}"


def _with_one_more(on_duty: ReaderOnDuty, decision: Assign) -> ReaderOnDuty:
    sessions = tuple(
        replace(load, used_reads=load.used_reads + 1, used_minutes=load.used_minutes + decision.expected_minutes)
        if load.session.id == decision.session_id
        else load
        for load in on_duty.sessions
    )
    return replace(on_duty, sessions=sessions)
