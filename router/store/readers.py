"""Readers, credentials and sessions in the database, with the load of each session."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, case, delete, exists, func, insert, or_, select, update

from dicom_nodes.foundation.database import UtcDateTime
from router.model.read import ReadState
from router.model.reader import (
    Credential,
    DeliveryMode,
    Level,
    Outsourcer,
    Profession,
    Reader,
    ReaderOnDuty,
    Workstation,
)
from router.model.session import Leave, RecentRead, Session, SessionKind, SessionLoad
from router.rules.reading_rhythm import minutes_for_breaks
from router.store import tables as t
from router.store.memo import Kind, Memo
from router.store.rota import leave_of
from router.store.statements import upsert

HANDED_BACK = ("decline", "lapse", "lose", "withdraw", "move", "supersede", "cancel", "fail", "accept", "unroute")
"""Outcomes of an assignment that give its place in the session back."""

_RHYTHM = timedelta(hours=12)
"""No run and no stretch without a break began longer ago, and a session may be open for years."""

_QUEUED = (ReadState.ASSIGNED, ReadState.READING, ReadState.ON_HOLD)
"""States in which a read stands in an outsourcer's queue."""

_BY_ID = select(t.reader).where(t.reader.c.id == bindparam("who"))
_BY_ID_LOCKED = _BY_ID.with_for_update()
_BY_REGISTRATION = select(t.reader).where(t.reader.c.registration == bindparam("who"))
_CREDENTIALS = select(t.credential).where(t.credential.c.reader_id == bindparam("who")).order_by(t.credential.c.id)
_SESSION = select(t.session).where(t.session.c.id == bindparam("this_session"))
_MOMENT = bindparam("moment", type_=UtcDateTime())
_OF_READER = t.session.c.reader_id == bindparam("who")
_OPEN = and_(t.session.c.starts_at <= _MOMENT, t.session.c.ends_at > _MOMENT)
_IN_ORDER = select(t.session).order_by(t.session.c.starts_at, t.session.c.id)
_SESSIONS = {
    (False, False): _IN_ORDER,
    (True, False): _IN_ORDER.where(_OF_READER),
    (False, True): _IN_ORDER.where(_OPEN),
    (True, True): _IN_ORDER.where(_OF_READER, _OPEN),
}
_AWAY = leave_of().where(t.leave.c.starts_at <= _MOMENT, t.leave.c.ends_at > _MOMENT)
_LOADS = (
    select(t.assignment.c.session_id, func.count(), func.sum(t.assignment.c.expected_minutes))
    .where(t.assignment.c.session_id.in_(bindparam("sessions", expanding=True)))
    .where(or_(t.assignment.c.outcome.is_(None), t.assignment.c.outcome.not_in(HANDED_BACK)))
    .group_by(t.assignment.c.session_id)
)


class SqlReaders:
    def __init__(self, connection: Connection, memo: Memo) -> None:
        self._connection, self._memo = connection, memo

    def all(self) -> Sequence[Reader]:
        credentials: dict[str, list[Credential]] = defaultdict(list)
        for row in self._connection.execute(select(t.credential).order_by(t.credential.c.id)):
            credentials[row.reader_id].append(_credential(row))
        rows = self._connection.execute(select(t.reader).order_by(t.reader.c.id))
        return [_reader(row, credentials[row.id]) for row in rows]

    def get(self, reader_id: str, *, lock: bool = False) -> Reader | None:
        return self._one(_BY_ID_LOCKED if lock else _BY_ID, reader_id)

    def by_registration(self, registration: str) -> Reader | None:
        return self._memo.of(Kind.READER, registration, lambda: self._one(_BY_REGISTRATION, registration))

    def _one(self, query: Select[Any], who: str) -> Reader | None:
        row = self._connection.execute(query, {"who": who}).one_or_none()
        if row is None:
            return None
        held = self._connection.execute(_CREDENTIALS, {"who": row.id})
        return _reader(row, [_credential(credential) for credential in held])

    def put(self, reader: Reader) -> None:
        values = {
            "id": reader.id,
            "name": reader.name,
            "registration": reader.registration,
            "employer": reader.employer,
            "modalities": sorted(reader.modalities),
            "subspecialties": sorted(reader.subspecialties),
            "workstation_node": reader.workstation.node,
            "workstation_ae_title": reader.workstation.ae_title,
            "active": reader.active,
            "profession": reader.profession,
            "levels": {name: int(level) for name, level in sorted(reader.levels.items())},
            "exam_scope": None if reader.exam_scope is None else sorted(reader.exam_scope),
            "speeds": dict(sorted(reader.speeds.items())),
            "max_run": reader.max_run,
            "break_after_minutes": reader.break_after_minutes,
            "display_valid_until": reader.display_valid_until,
            "delivery": reader.delivery,
            "outsourcer_price_pence": None if reader.outsourcer is None else reader.outsourcer.price_pence_per_read,
            "outsourcer_queue_limit": None if reader.outsourcer is None else reader.outsourcer.queue_limit,
        }
        upsert(self._connection, t.reader, ["id"], values)
        self._changed(t.reader.c.id == reader.id)

    def _changed(self, condition: Any) -> None:
        """Whoever keeps these readers from before must read them again."""
        self._connection.execute(update(t.reader).where(condition).values(version=t.reader.c.version + 1))

    def revoke(self, reader_id: str, credential_id: str, at: datetime) -> bool:
        held = and_(t.credential.c.id == credential_id, t.credential.c.reader_id == reader_id)
        values = {"revoked_at": func.coalesce(t.credential.c.revoked_at, at)}
        self._changed(t.reader.c.id == reader_id)
        return self._connection.execute(update(t.credential).where(held).values(**values)).rowcount == 1

    def set_validity(self, credential: Credential) -> bool:
        values = {"valid_from": credential.valid_from, "valid_until": credential.valid_until}
        this = t.credential.c.id == credential.id
        self._changed(t.reader.c.id.in_(select(t.credential.c.reader_id).where(this)))
        return self._connection.execute(update(t.credential).where(this).values(**values)).rowcount == 1

    def add_credential(self, reader_id: str, credential: Credential) -> None:
        values = {
            "id": credential.id,
            "reader_id": reader_id,
            "trust": credential.trust,
            "valid_from": credential.valid_from,
            "valid_until": credential.valid_until,
            "revoked_at": credential.revoked_at,
        }
        self._connection.execute(insert(t.credential).values(**values))
        self._changed(t.reader.c.id == reader_id)

    def sessions(self, reader_id: str | None = None, open_at: datetime | None = None) -> Sequence[Session]:
        query = _SESSIONS[reader_id is not None, open_at is not None]
        found = self._connection.execute(query, {"who": reader_id, "moment": open_at})
        return [_session(row) for row in found]

    def session(self, session_id: str) -> Session | None:
        return self._memo.of(Kind.SESSION, session_id, lambda: self._session(session_id))

    def _session(self, session_id: str) -> Session | None:
        row = self._connection.execute(_SESSION, {"this_session": session_id}).one_or_none()
        return None if row is None else _session(row)

    def put_session(self, session: Session) -> None:
        values = {
            "id": session.id,
            "reader_id": session.reader_id,
            "starts_at": session.starts_at,
            "ends_at": session.ends_at,
            "capacity_reads": session.capacity_reads,
            "capacity_minutes": session.capacity_minutes,
            "kind": session.kind,
            "place_node": None if session.place is None else session.place.node,
            "place_ae_title": None if session.place is None else session.place.ae_title,
            "pattern_id": session.pattern_id,
        }
        upsert(self._connection, t.session, ["id"], values)

    def remove_session(self, session_id: str) -> bool:
        used = exists().where(t.assignment.c.session_id == session_id)
        this = t.session.c.id == session_id
        if self._connection.execute(delete(t.session).where(this, ~used)).rowcount == 1:
            return True
        ended = update(t.session).where(this).values(ends_at=t.session.c.starts_at)
        return self._connection.execute(ended).rowcount == 1

    def on_duty(self, now: datetime) -> Sequence[ReaderOnDuty]:
        return self.with_loads(self.all(), now)

    def with_loads(self, readers: Sequence[Reader], now: datetime) -> Sequence[ReaderOnDuty]:
        return self._with_loads(readers, self.sessions(open_at=now), now)

    def versions(self) -> Sequence[tuple[str, int]]:
        query = select(t.reader.c.id, t.reader.c.version).order_by(t.reader.c.id)
        return [(row[0], row[1]) for row in self._connection.execute(query)]

    def duty_of(self, reader_id: str, now: datetime) -> ReaderOnDuty | None:
        reader = self.get(reader_id, lock=True)
        return None if reader is None else self._with_loads([reader], self.sessions(reader_id, now), now)[0]

    def _with_loads(
        self, readers: Sequence[Reader], open_sessions: Sequence[Session], now: datetime
    ) -> Sequence[ReaderOnDuty]:
        loads = self._loads([session.id for session in open_sessions])
        of_reader: dict[str, list[SessionLoad]] = defaultdict(list)
        people = {reader.id: reader for reader in readers}
        for session in open_sessions:
            if session.reader_id not in people:  # came since these readers were asked for
                continue
            reads, minutes = loads.get(session.id, (0, 0.0))
            breaks = minutes_for_breaks(people[session.reader_id], session)
            of_reader[session.reader_id].append(SessionLoad(session, reads, minutes, breaks))
        away: dict[str, list[Leave]] = defaultdict(list)
        for leave in self._connection.execute(_AWAY, {"moment": now}):
            away[leave.reader_id].append(Leave(**leave._mapping))
        queues = self._queues([reader.id for reader in readers if reader.outsourcer is not None])
        in_rhythm = [
            reader for reader in readers if reader.max_run is not None or reader.break_after_minutes is not None
        ]
        recent = self._recent([load.session.id for reader in in_rhythm for load in of_reader[reader.id]], now - _RHYTHM)
        return [
            ReaderOnDuty(
                reader,
                tuple(of_reader[reader.id]),
                tuple(away[reader.id]),
                queues.get(reader.id, 0),
                tuple(recent[reader.id]),
            )
            for reader in readers
        ]

    def _recent(self, session_ids: Sequence[str], since: datetime) -> dict[str, list[RecentRead]]:
        """What these sessions were given since then and kept, by reader, in the order of reading; the list is last."""
        found: dict[str, list[RecentRead]] = defaultdict(list)
        if not session_ids:
            return found
        a, r = t.assignment, t.read
        paused = case((r.c.state.in_((ReadState.ON_HOLD, ReadState.PRELIMINARY)), r.c.entered_at))
        query = (
            select(a.c.reader_id, r.c.exam_group, r.c.claimed_at, func.coalesce(a.c.ended_at, paused).label("ended_at"))
            .select_from(a.join(r, and_(r.c.id == a.c.read_id, r.c.epoch == a.c.epoch)))
            .where(a.c.session_id.in_(list(session_ids)), a.c.assigned_at >= since)
            .where(a.c.outcome.is_(None) | a.c.outcome.not_in(HANDED_BACK))
            .order_by(r.c.claimed_at.is_(None), r.c.claimed_at, a.c.assigned_at, a.c.read_id)
        )
        for row in self._connection.execute(query):
            found[row.reader_id].append(RecentRead(row.exam_group, row.claimed_at, row.ended_at))
        return found

    def _queues(self, outsourcers: Sequence[str]) -> dict[str, int]:
        """Reads that wait with each of them for a final report."""
        if not outsourcers:
            return {}
        query = (
            select(t.read.c.reader_id, func.count())
            .where(t.read.c.reader_id.in_(list(outsourcers)), t.read.c.state.in_(_QUEUED))
            .group_by(t.read.c.reader_id)
        )
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def _loads(self, session_ids: Sequence[str]) -> dict[str, tuple[int, float]]:
        rows = self._connection.execute(_LOADS, {"sessions": list(session_ids)})
        return {session_id: (reads, float(minutes)) for session_id, reads, minutes in rows}


def _credential(row: Row[Any]) -> Credential:
    return Credential(row.id, row.trust, row.valid_from, row.valid_until, row.revoked_at)


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.id,
        reader_id=row.reader_id,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        capacity_reads=row.capacity_reads,
        capacity_minutes=row.capacity_minutes,
        kind=SessionKind(row.kind),
        place=None if row.place_node is None else Workstation(row.place_node, row.place_ae_title),
        pattern_id=row.pattern_id,
    )


def _reader(row: Row[Any], credentials: Sequence[Credential]) -> Reader:
    outsourcer = None
    if row.outsourcer_queue_limit is not None:
        outsourcer = Outsourcer(row.outsourcer_price_pence, row.outsourcer_queue_limit)
    return Reader(
        id=row.id,
        name=row.name,
        registration=row.registration,
        employer=row.employer,
        modalities=frozenset(row.modalities),
        subspecialties=frozenset(row.subspecialties),
        workstation=Workstation(row.workstation_node, row.workstation_ae_title),
        credentials=tuple(credentials),
        active=row.active,
        profession=Profession(row.profession),
        levels={name: Level(level) for name, level in (row.levels or {}).items()},
        exam_scope=None if row.exam_scope is None else frozenset(row.exam_scope),
        speeds=row.speeds or {},
        max_run=row.max_run,
        break_after_minutes=row.break_after_minutes,
        display_valid_until=row.display_valid_until,
        delivery=DeliveryMode(row.delivery),
        outsourcer=outsourcer,
    )
