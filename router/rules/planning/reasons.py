"""Why each reader can or cannot take a read while a plan is being made: what is alike is worked out once."""

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
from router.rules.planning.decisions import Snapshot

Reasons = tuple[str, ...]


class ReasonsSoFar:
    """The rules of eligibility on top of what the plan has given out already."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._now = snapshot.now
        self._duties = {duty.reader.id: duty for duty in sorted(snapshot.readers, key=lambda duty: duty.reader.id)}
        self._rows = {reader_id: row for row, reader_id in enumerate(self._duties)}
        self._aid = snapshot.aid
        self._changed: list[str] = []
        self._entitlement: dict[str, list[Reasons]] = {}
        self._scope: dict[object, list[Reasons]] = {}
        self._presence: dict[object, tuple[int, list[Reasons]]] = {}
        self._limits: dict[object, Reasons] = {}

    @property
    def duties(self) -> Mapping[str, ReaderOnDuty]:
        """Every reader with the load that the plan has made of it."""
        return self._duties

    def of(self, need: Need, reader_id: str) -> Reasons:
        """As `rules.eligibility.exclusions` says it."""
        return exclusions(need, self._duties[reader_id], self._now, self._aid)

    def everybody(self, need: Need) -> list[Reasons]:
        """The same for each reader by id; of what is alike only what changed since is worked out again."""
        lasting = zip(self._of_entitlement(need), self._of_scope(need), self._of_presence(need), strict=True)
        found = [entitled + scope + present for entitled, scope, present in lasting]
        if self._aid.limits:
            found = [known + self._of_aid(need, duty) for known, duty in zip(found, self._duties.values(), strict=True)]
        of_their_own = self._rows.keys() if need.directives.binds or need.read_by else need.declined_by
        for reader_id in of_their_own:
            if reader_id in self._rows:
                found[self._rows[reader_id]] = self.of(need, reader_id)
        return found

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
        if duty.reader.employer != need.origin and self._aid.limits:
            self._aid = _with_use(self._aid, AidUse(duty.reader.employer, need.origin, need.exam_group, minutes))
            self._limits.clear()

    def _of_entitlement(self, need: Need) -> list[Reasons]:
        if need.origin not in self._entitlement:
            readers = (duty.reader for duty in self._duties.values())
            self._entitlement[need.origin] = [
                entitlement_problems(reader, need.origin, self._now) for reader in readers
            ]
        return self._entitlement[need.origin]

    def _of_scope(self, need: Need) -> list[Reasons]:
        key = (need.modalities, need.subspecialty, need.minimum_level, need.exam_code, need.exam_group)
        if key not in self._scope:
            self._scope[key] = [scope_problems(need, duty.reader) for duty in self._duties.values()]
        return self._scope[key]

    def _of_presence(self, need: Need) -> list[Reasons]:
        key = (need.session_kinds, need.expected_minutes, need.exam_group)
        if key not in self._presence:
            known = [presence_problems(need, duty, self._now) for duty in self._duties.values()]
        else:
            since, known = self._presence[key]
            for reader_id in set(self._changed[since:]):
                known[self._rows[reader_id]] = presence_problems(need, self._duties[reader_id], self._now)
        self._presence[key] = (len(self._changed), known)
        return known

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
