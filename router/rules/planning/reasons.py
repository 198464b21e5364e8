"""Why each reader can or cannot take a read while a plan is being made: what is alike is worked out once."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from router.model.aid import AidBook, AidUse
from router.model.reader import ReaderOnDuty
from router.model.session import SessionLoad
from router.rules.aid import aid_problems
from router.rules.eligibility import (
    Need,
    best_session,
    entitlement_problems,
    exclusions,
    presence_problems,
    scope_problems,
)
from router.rules.planning.decisions import ClassKey, Snapshot

Reasons = tuple[str, ...]


class ReasonsSoFar:
    """The rules of eligibility on top of what the plan has given out already."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._now = snapshot.now
        self._duties = {duty.reader.id: duty for duty in snapshot.readers}
        self._aid = snapshot.aid
        self._entitlement: dict[tuple[str, str], Reasons] = {}
        self._scope: dict[ClassKey, dict[str, Reasons]] = defaultdict(dict)
        self._presence: dict[str, dict[object, Reasons]] = defaultdict(dict)
        self._limits: dict[object, Reasons] = {}

    @property
    def duties(self) -> Mapping[str, ReaderOnDuty]:
        """Every reader with the load that the plan has made of it."""
        return self._duties

    def of(self, need: Need, key: ClassKey, reader_id: str) -> Reasons:
        """As `rules.eligibility.exclusions` says it."""
        duty = self._duties[reader_id]
        if reader_id in need.declined_by or reader_id in need.read_by:
            return exclusions(need, duty, self._now, self._aid)
        return (
            self._of_entitlement(duty, need.origin)
            + self._of_scope(need, key, duty)
            + self._of_presence(need, duty)
            + self._of_aid(need, duty)
        )

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
        self._presence[reader_id].clear()
        if duty.reader.employer != need.origin:
            self._aid = _with_use(self._aid, AidUse(duty.reader.employer, need.origin, need.exam_group, minutes))
            self._limits.clear()

    def _of_entitlement(self, duty: ReaderOnDuty, origin: str) -> Reasons:
        key = (duty.reader.id, origin)
        if key not in self._entitlement:
            self._entitlement[key] = entitlement_problems(duty.reader, origin, self._now)
        return self._entitlement[key]

    def _of_scope(self, need: Need, key: ClassKey, duty: ReaderOnDuty) -> Reasons:
        known = self._scope[key]
        if duty.reader.id not in known:
            known[duty.reader.id] = scope_problems(need, duty.reader)
        return known[duty.reader.id]

    def _of_presence(self, need: Need, duty: ReaderOnDuty) -> Reasons:
        known, key = self._presence[duty.reader.id], (need.session_kinds, need.expected_minutes, need.exam_group)
        if key not in known:
            known[key] = presence_problems(need, duty, self._now)
        return known[key]

    def _of_aid(self, need: Need, duty: ReaderOnDuty) -> Reasons:
        employer = duty.reader.employer
        if employer == need.origin or not self._aid.limits:
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


def _with_use(book: AidBook, use: AidUse) -> AidBook:
    """The book with one more use, uses of the same kind added up so that it stays small."""
    rest, minutes = [], use.minutes
    for known in book.used:
        if (known.employer, known.origin, known.exam_group) == (use.employer, use.origin, use.exam_group):
            minutes += known.minutes
        else:
            rest.append(known)
    return replace(book, used=(*rest, replace(use, minutes=minutes)))
