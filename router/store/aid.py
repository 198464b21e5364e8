"""Mutual aid in the database: what was agreed, what is used today, and the account of signed reads."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, or_, select

from router.model.aid import AidBalance, AidBook, AidEntry, AidLimits, AidUse
from router.store import tables as t
from router.store.memo import Kind, Memo
from router.store.readers import HANDED_BACK
from router.store.statements import upserting
from router.store.unwritten import Place, Unwritten

_KNOWN = select(t.aid_entry.c.read_id).where(t.aid_entry.c.read_id == bindparam("of_read"))
_KNOWN_OF = select(t.aid_entry.c.read_id).where(t.aid_entry.c.read_id.in_(bindparam("of_reads", expanding=True)))
_ADD = insert(t.aid_entry)
_LIMITS = select(t.aid_limits).order_by(t.aid_limits.c.trust)


class SqlAid:
    def __init__(self, connection: Unwritten, memo: Memo) -> None:
        self._connection, self._memo = connection, memo

    def limits(self) -> Sequence[AidLimits]:
        return [_limits(row) for row in self._connection.execute(_LIMITS)]

    def put_limits(self, limits: AidLimits) -> None:
        values = {
            "trust": limits.trust,
            "reads_for": sorted(limits.reads_for),
            "minutes_out_per_day": limits.minutes_out_per_day,
            "minutes_in_per_day": limits.minutes_in_per_day,
            "group_minutes_out": dict(limits.group_minutes_out),
            "group_minutes_in": dict(limits.group_minutes_in),
            "acute_reserve": limits.acute_reserve,
        }
        self._connection.execute(upserting(t.aid_limits, ("trust",), tuple(values)), values)

    def book(self, day_starts_at: datetime) -> AidBook:
        limits = {limits.trust: limits for limits in self.limits()}
        return AidBook(limits, tuple(self._used(day_starts_at)) if limits else ())

    def _used(self, since: datetime) -> Sequence[AidUse]:
        a, r, who = t.assignment, t.read, t.reader
        kept = or_(a.c.outcome.is_(None), a.c.outcome.not_in(HANDED_BACK))
        joined = a.join(r, r.c.id == a.c.read_id).join(who, who.c.id == a.c.reader_id)
        key = (who.c.employer, r.c.origin, r.c.exam_group)
        query = (
            select(*key, func.sum(a.c.expected_minutes))
            .select_from(joined)
            .where(a.c.assigned_at >= since, who.c.employer != r.c.origin, kept)
            .group_by(*key)
        )
        return [AidUse(row[0], row[1], row[2], float(row[3])) for row in self._connection.execute(query)]

    def add(self, entry: AidEntry) -> bool:
        if self._memo.of(Kind.AID_OF_READ, entry.read_id, lambda: self._is_known(entry.read_id)):
            return False  # asked first: SQLite's trigger refuses a second row before any ON CONFLICT is looked at
        values = {name: getattr(entry, name) for name in entry.__slots__}
        self._memo.put(Kind.AID_OF_READ, entry.read_id, True)
        self._connection.put(Place.AID, entry.read_id, _ADD, values)
        return True

    def _is_known(self, read_id: str) -> bool:
        return self._connection.execute(_KNOWN, {"of_read": read_id}).first() is not None

    def foresee(self, read_ids: Sequence[str]) -> None:
        """See together which of these are in the account."""
        ids = self._memo.unknown(Kind.AID_OF_READ, read_ids)
        if ids:
            known = set(self._connection.execute(_KNOWN_OF, {"of_reads": ids}).scalars())
            for read_id in ids:
                self._memo.put(Kind.AID_OF_READ, read_id, read_id in known)

    def entries(self, trust: str, since: datetime, until: datetime, limit: int) -> Sequence[AidEntry]:
        e = t.aid_entry
        query = (
            select(e)
            .where(or_(e.c.employer == trust, e.c.origin == trust), e.c.at >= since, e.c.at < until)
            .order_by(e.c.at, e.c.read_id)
            .limit(limit)
        )
        return [AidEntry(**row._mapping) for row in self._connection.execute(query)]

    def balances(self, trust: str, since: datetime, until: datetime) -> Sequence[AidBalance]:
        e = t.aid_entry
        query = (
            select(e.c.employer, e.c.origin, func.sum(e.c.minutes), func.sum(e.c.reads))
            .where(or_(e.c.employer == trust, e.c.origin == trust), e.c.at >= since, e.c.at < until)
            .group_by(e.c.employer, e.c.origin)
        )
        credit: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
        debit: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
        for employer, origin, minutes, reads in self._connection.execute(query):
            side, other = (credit, origin) if employer == trust else (debit, employer)
            side[other] = (float(minutes), int(reads))
        return [AidBalance(trust, other, *credit[other], *debit[other]) for other in sorted({*credit, *debit})]


def _limits(row: Row[Any]) -> AidLimits:
    return AidLimits(
        trust=row.trust,
        reads_for=frozenset(row.reads_for),
        minutes_out_per_day=row.minutes_out_per_day,
        minutes_in_per_day=row.minutes_in_per_day,
        group_minutes_out=row.group_minutes_out,
        group_minutes_in=row.group_minutes_in,
        acute_reserve=row.acute_reserve,
    )
