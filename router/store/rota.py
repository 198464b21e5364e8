"""Leave and recurring patterns in the database, and which sessions a new one would meet."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, select

from router.model.rota import Pattern
from router.model.session import Leave, SessionKind, Workstation
from router.store import tables as t
from router.store.statements import upsert


def leave_of(reader_id: str | None = None, covering: datetime | None = None) -> Select[Any]:
    """Rows of leave, earliest first."""
    query = select(t.leave).order_by(t.leave.c.starts_at, t.leave.c.id)
    if reader_id is not None:
        query = query.where(t.leave.c.reader_id == reader_id)
    if covering is not None:
        query = query.where(t.leave.c.starts_at <= covering, t.leave.c.ends_at > covering)
    return query


class SqlRota:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def leave(self, reader_id: str | None = None) -> Sequence[Leave]:
        return [Leave(**row._mapping) for row in self._connection.execute(leave_of(reader_id))]

    def put_leave(self, leave: Leave) -> None:
        values = {
            "id": leave.id,
            "reader_id": leave.reader_id,
            "starts_at": leave.starts_at,
            "ends_at": leave.ends_at,
            "reason": leave.reason,
        }
        upsert(self._connection, t.leave, ["id"], values)

    def remove_leave(self, leave_id: str) -> bool:
        return self._connection.execute(delete(t.leave).where(t.leave.c.id == leave_id)).rowcount == 1

    def patterns(self, reader_id: str | None = None) -> Sequence[Pattern]:
        query = select(t.session_pattern).order_by(t.session_pattern.c.id)
        if reader_id is not None:
            query = query.where(t.session_pattern.c.reader_id == reader_id)
        return [_pattern(row.id, row.reader_id, row.body) for row in self._connection.execute(query)]

    def put_pattern(self, pattern: Pattern) -> None:
        values = {"id": pattern.id, "reader_id": pattern.reader_id, "body": _body(pattern)}
        upsert(self._connection, t.session_pattern, ["id"], values)

    def remove_pattern(self, pattern_id: str) -> bool:
        this = t.session_pattern.c.id == pattern_id
        return self._connection.execute(delete(t.session_pattern).where(this)).rowcount == 1

    def clear_ahead(self, pattern_id: str, now: datetime, keep: Collection[str] = ()) -> int:
        s = t.session
        unused = ~exists().where(t.assignment.c.session_id == s.c.id)
        ahead = select(s.c.id).where(s.c.pattern_id == pattern_id, s.c.starts_at > now, unused)
        gone = [row.id for row in self._connection.execute(ahead) if row.id not in keep]
        for start in range(0, len(gone), 400):
            self._connection.execute(delete(s).where(s.c.id.in_(gone[start : start + 400])))
        return len(gone)


def _body(pattern: Pattern) -> dict[str, Any]:
    place = pattern.place
    return {
        "weekdays": list(pattern.weekdays),
        "starts": pattern.starts.isoformat(),
        "ends": pattern.ends.isoformat(),
        "first_day": pattern.first_day.isoformat(),
        "last_day": pattern.last_day.isoformat(),
        "kind": pattern.kind.value,
        "every_weeks": pattern.every_weeks,
        "except_days": sorted(day.isoformat() for day in pattern.except_days),
        "capacity_reads": pattern.capacity_reads,
        "capacity_minutes": pattern.capacity_minutes,
        "place": None if place is None else {"node": place.node, "ae_title": place.ae_title},
    }


def _pattern(pattern_id: str, reader_id: str, body: dict[str, Any]) -> Pattern:
    return Pattern(
        id=pattern_id,
        reader_id=reader_id,
        weekdays=tuple(body["weekdays"]),
        starts=time.fromisoformat(body["starts"]),
        ends=time.fromisoformat(body["ends"]),
        first_day=date.fromisoformat(body["first_day"]),
        last_day=date.fromisoformat(body["last_day"]),
        kind=SessionKind(body["kind"]),
        every_weeks=body["every_weeks"],
        except_days=frozenset(date.fromisoformat(day) for day in body["except_days"]),
        capacity_reads=body["capacity_reads"],
        capacity_minutes=body["capacity_minutes"],
        place=None if body["place"] is None else Workstation(**body["place"]),
    )
