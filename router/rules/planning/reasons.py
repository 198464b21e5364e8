"""Why each reader can or cannot take a read while a plan is being made: what is alike is worked out once.

Readers with the same reasons are told of together: a plan for hundreds of readers names a few dozen sets of reasons.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from router.model.aid import AidBook, AidUse
from router.model.reader import ReaderOnDuty
from router.model.session import SessionLoad
from router.rules.aid import aid_problems
from router.rules.eligibility import (
    Need,
    best_session,
    entitlement_problems,
    exclusions,
    history_problems,
    is_at_leisure,
    presence_problems,
    scope_problems,
)
from router.rules.planning.arrays import IntArray
from router.rules.planning.decisions import Snapshot
from router.rules.planning.kept import Kept
from router.rules.planning.reader_arrays import credential_epoch

Reasons = tuple[str, ...]
_PLENTY_MIN = 240.0
"""Longer than any read: who has so much left has room for one."""


@dataclass(frozen=True, slots=True)
class ByReasons:
    """Every reader by row, (R,): `of[row]` says which of `reasons` holds."""

    reasons: Sequence[Reasons]
    of: IntArray


class _Coded:
    """Reasons of every reader as numbers of the different ones."""

    def __init__(self, found: Sequence[Reasons]) -> None:
        self._numbers: dict[Reasons, int] = {}
        self.of = np.fromiter((self._number(reasons) for reasons in found), np.int64, len(found))

    def put(self, row: int, reasons: Reasons) -> None:
        self.of[row] = self._number(reasons)

    @property
    def reasons(self) -> list[Reasons]:
        return list(self._numbers)

    def _number(self, reasons: Reasons) -> int:
        return self._numbers.setdefault(reasons, len(self._numbers))


class ReasonsSoFar:
    """The rules of eligibility on top of what the plan has given out already."""

    def __init__(self, snapshot: Snapshot, kept: Kept | None = None) -> None:
        self._now = snapshot.now
        self._duties = {duty.reader.id: duty for duty in sorted(snapshot.readers, key=lambda duty: duty.reader.id)}
        self._rows = {reader_id: row for row, reader_id in enumerate(self._duties)}
        self._aid = snapshot.aid
        self._changed: list[str] = []
        people = tuple(duty.reader for duty in self._duties.values())
        kept = Kept() if kept is None else kept
        self._scope: dict[object, _Coded] = kept.value("scope reasons", people, dict)
        entitled = (people, credential_epoch(people, snapshot.now, kept))
        self._entitlement: dict[str, _Coded] = kept.value("entitlement reasons", entitled, dict)
        self._presence: dict[object, tuple[int, _Coded]] = {}
        self._limits: dict[object, Reasons] = {}
        self._at_leisure = {id_ for id_, duty in self._duties.items() if is_at_leisure(duty, self._now, _PLENTY_MIN)}

    @property
    def duties(self) -> Mapping[str, ReaderOnDuty]:
        """Every reader with the load that the plan has made of it."""
        return self._duties

    def of(self, need: Need, reader_id: str) -> Reasons:
        """As `rules.eligibility.exclusions` says it."""
        return exclusions(need, self._duties[reader_id], self._now, self._aid)

    def everybody(self, need: Need) -> ByReasons:
        """The same for each reader by id; of what is alike only what changed since is worked out again."""
        parts = [self._of_entitlement(need), self._of_scope(need)]
        parts += [own] if (own := self._of_their_own(need)) is not None else []
        parts += [self._of_presence(need)]
        parts += [self._of_aid(need)] if self._aid.limits else []
        return _together(parts)

    def session_for(self, need: Need, reader_id: str) -> SessionLoad | None:
        """The session that the read would go into."""
        return best_session(need, self._duties[reader_id], self._now)

    def minutes_for(self, need: Need, reader_id: str) -> float:
        """The reader's own minutes."""
        return self._duties[reader_id].reader.minutes_for(need.expected_minutes, need.exam_group)

    def take(self, need: Need, reader_id: str, session_id: str) -> None:
        """Count the read into the reader's session, queue and the trusts' agreements."""
        duty = self._duties[reader_id]
        minutes = duty.reader.minutes_for(need.expected_minutes, need.exam_group)
        sessions = tuple(
            replace(load, used_reads=load.used_reads + 1, used_minutes=load.used_minutes + minutes)
            if load.session.id == session_id
            else load
            for load in duty.sessions
        )
        self._duties[reader_id] = replace(duty, sessions=sessions, waiting_reads=duty.waiting_reads + 1)
        self._changed.append(reader_id)
        self._at_leisure.discard(reader_id)
        if duty.reader.employer != need.origin and self._aid.limits:
            self._aid = _with_use(self._aid, AidUse(duty.reader.employer, need.origin, need.exam_group, minutes))
            self._limits.clear()

    def _of_entitlement(self, need: Need) -> _Coded:
        if need.origin not in self._entitlement:
            readers = (duty.reader for duty in self._duties.values())
            self._entitlement[need.origin] = _Coded(
                [entitlement_problems(reader, need.origin, self._now) for reader in readers]
            )
        return self._entitlement[need.origin]

    def _of_scope(self, need: Need) -> _Coded:
        key = (need.modalities, need.subspecialty, need.minimum_level, need.exam_code, need.exam_group)
        if key not in self._scope:
            self._scope[key] = _Coded([scope_problems(need, duty.reader) for duty in self._duties.values()])
        return self._scope[key]

    def _of_their_own(self, need: Need) -> _Coded | None:
        """What holds for this read alone; None where nothing can."""
        said = need.directives
        if not (said.binds or need.declined_by or need.read_by):
            return None
        readers = [duty.reader for duty in self._duties.values()]
        return _Coded(
            [(*history_problems(need, reader), *said.reasons_against(reader.id, reader.employer)) for reader in readers]
        )

    def _of_presence(self, need: Need) -> _Coded:
        key = (need.session_kinds, need.expected_minutes, need.exam_group)
        if key not in self._presence:
            known = _Coded([self._presence_problems(need, duty) for duty in self._duties.values()])
        else:
            since, known = self._presence[key]
            for reader_id in set(self._changed[since:]):
                known.put(self._rows[reader_id], presence_problems(need, self._duties[reader_id], self._now))
        self._presence[key] = (len(self._changed), known)
        return known

    def _presence_problems(self, need: Need, duty: ReaderOnDuty) -> Reasons:
        """Nothing to look for in whoever has plenty of time for any read of this kind."""
        if duty.reader.id in self._at_leisure and not need.session_kinds and self._is_short(need, duty):
            return ()
        return presence_problems(need, duty, self._now)

    @staticmethod
    def _is_short(need: Need, duty: ReaderOnDuty) -> bool:
        return duty.reader.minutes_for(need.expected_minutes, need.exam_group) <= _PLENTY_MIN

    def _of_aid(self, need: Need) -> _Coded:
        return _Coded([self._aid_problems(need, duty) for duty in self._duties.values()])

    def _aid_problems(self, need: Need, duty: ReaderOnDuty) -> Reasons:
        employer = duty.reader.employer
        if employer == need.origin:
            return ()
        minutes = duty.reader.minutes_for(need.expected_minutes, need.exam_group)
        key = (employer, need.origin, need.exam_group, minutes, need.acute)
        if key not in self._limits:
            self._limits[key] = aid_problems(
                employer=employer,
                origin=need.origin,
                exam_group=need.exam_group,
                minutes=minutes,
                acute=need.acute,
                book=self._aid,
            )
        return self._limits[key]


def _together(parts: Sequence[_Coded]) -> ByReasons:
    """The reasons of all parts, in their order."""
    known = [part.reasons for part in parts]
    if not len(parts[0].of):
        return ByReasons((), parts[0].of)
    number = np.zeros_like(parts[0].of)
    for part, reasons in zip(parts, known, strict=True):
        number = number * len(reasons) + part.of
    _, first, of = np.unique(number, return_index=True, return_inverse=True)
    found = [
        tuple(reason for part, reasons in zip(parts, known, strict=True) for reason in reasons[part.of[row]])
        for row in first
    ]
    return ByReasons(found, of)


def _with_use(book: AidBook, use: AidUse) -> AidBook:
    """The book with one more use, uses of the same kind added up so that it stays small."""
    rest, minutes = [], use.minutes
    for known in book.used:
        if (known.employer, known.origin, known.exam_group) == (use.employer, use.origin, use.exam_group):
            minutes += known.minutes
        else:
            rest.append(known)
    return replace(book, used=(*rest, replace(use, minutes=minutes)))
