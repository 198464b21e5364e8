"""Reads and their leases in the database. A read is changed only where it is still as the caller saw it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Exists,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from dicom_nodes.foundation.database import portions
from router.model.read import Assignment, Lease, Read, ReadState, Visibility
from router.model.reader import Level
from router.store import tables as t
from router.store.directives import directives_from_json, directives_to_json
from router.store.memo import UNKNOWN, Kind, Memo
from router.store.unwritten import Place, Unwritten

_TO_PLAN: list[ColumnElement[Any]] = [column for column in t.read.c if column.name != "waiting"]
_TO_PLAN.append(literal_column("NULL", JSON).label("waiting"))
"""A read without the explanation of why it waits, which is most of its row and no part of a plan."""

_ONE = select(t.read).where(t.read.c.id == bindparam("read_id"))
_LOCKED = _ONE.with_for_update()
_ASSIGNMENTS = select(t.assignment).where(t.assignment.c.read_id == bindparam("read_id")).order_by(t.assignment.c.epoch)
_OF_STUDY = select(t.read).where(t.read.c.study_instance_uid == bindparam("of_study")).order_by(t.read.c.ordinal)
_FIRST, _SECOND = _OF_STUDY.where(t.read.c.second_of.is_(None)), _OF_STUDY.where(t.read.c.second_of.is_not(None))
_FIRST_LOCKED, _SECOND_LOCKED = _FIRST.with_for_update(), _SECOND.with_for_update()
_VERSIONS = select(t.read.c.id, t.read.c.version).where(t.read.c.state.in_(bindparam("states", expanding=True)))
_ADD, _OPEN = insert(t.read), insert(t.assignment)
_ENDED = {name: bindparam(name, type_=t.assignment.c[name].type) for name in ("ended_at", "outcome", "reason")}
_CLOSE = (
    update(t.assignment)
    .where(t.assignment.c.read_id == bindparam("of_read"), t.assignment.c.epoch == bindparam("of_epoch"))
    .values(_ENDED)
)
_OF_STUDIES = (
    select(t.read)
    .where(t.read.c.study_instance_uid.in_(bindparam("of_studies", expanding=True)))
    .order_by(t.read.c.ordinal)
)
_REPLACE = (
    update(t.read)
    .where(
        t.read.c.id == bindparam("was"),
        t.read.c.state == bindparam("was_state"),
        t.read.c.epoch == bindparam("was_epoch"),
        t.read.c.transaction_uid.is_not_distinct_from(bindparam("was_token")),
    )
    .values(version=t.read.c.version + 1)
)
_EXPLAIN = (
    update(t.read)
    .where(t.read.c.id == bindparam("of_read"), t.read.c.state == ReadState.READY)
    .values(waiting=bindparam("said", type_=JSON))
)
"""No change of the read: its version stays."""

_ALWAYS = ("waiting",)
"""Written whatever it was before: a read that is planned is read without it."""


@lru_cache(maxsize=256)
def _replacing(names: tuple[str, ...]) -> Update:
    """Most changes of a read are of a few columns, and the columns are most of a statement's cost."""
    return _REPLACE.values({name: bindparam(name, type_=t.read.c[name].type) for name in names})


class SqlReads:
    def __init__(self, connection: Unwritten, memo: Memo) -> None:
        self._connection, self._memo = connection, memo

    def get(self, read_id: str, *, lock: bool = False) -> Read | None:
        return self._memo.of(Kind.READ, read_id, lambda: self._one(_LOCKED if lock else _ONE, read_id))

    def _one(self, query: Select[Any], read_id: str) -> Read | None:
        row = self._connection.execute(query, {"read_id": read_id}).one_or_none()
        return None if row is None else _read(row)

    def of_study(self, study_instance_uid: str, *, lock: bool = False) -> Sequence[Read]:
        query = _FIRST_LOCKED if lock else _FIRST
        return self._of_study(Kind.FIRST_READS_OF_STUDY, study_instance_uid, query)

    def second_reads(self, study_instance_uid: str, *, lock: bool = False) -> Sequence[Read]:
        query = _SECOND_LOCKED if lock else _SECOND
        return self._of_study(Kind.SECOND_READS_OF_STUDY, study_instance_uid, query)

    def _of_study(self, kind: Kind, study_instance_uid: str, query: Select[Any]) -> Sequence[Read]:
        ids = self._memo.get(kind, study_instance_uid)
        known = [self._memo.get(Kind.READ, read_id) for read_id in ids] if ids is not UNKNOWN else [UNKNOWN]
        if UNKNOWN not in known:
            return known
        reads = [_read(row) for row in self._connection.execute(query, {"of_study": study_instance_uid})]
        self._note(kind, study_instance_uid, reads)
        return reads

    def _note(self, kind: Kind, study_instance_uid: str, reads: Sequence[Read]) -> None:
        self._memo.put(kind, study_instance_uid, tuple(read.id for read in reads))
        for read in reads:
            self._memo.put(Kind.READ, read.id, read)

    def foresee(self, study_instance_uids: Sequence[str]) -> None:
        """Read those of these studies together."""
        uids = self._memo.unknown(Kind.FIRST_READS_OF_STUDY, study_instance_uids)
        if not uids:
            return
        of_study: dict[str, list[Read]] = {uid: [] for uid in uids}
        for row in self._connection.execute(_OF_STUDIES, {"of_studies": uids}):
            of_study[row.study_instance_uid].append(_read(row))
        for uid, reads in of_study.items():
            self._note(Kind.FIRST_READS_OF_STUDY, uid, [read for read in reads if read.second_of is None])
            self._note(Kind.SECOND_READS_OF_STUDY, uid, [read for read in reads if read.second_of is not None])

    def next_ordinal(self, study_instance_uid: str) -> int:
        last = select(func.max(t.read.c.ordinal)).where(t.read.c.study_instance_uid == study_instance_uid)
        return (self._connection.execute(last).scalar_one() or 0) + 1

    def with_token(self, transaction_uid: str) -> Read | None:
        of_lease = select(t.assignment.c.read_id).where(t.assignment.c.transaction_uid == transaction_uid)
        read_id = self._connection.execute(of_lease).scalar_one_or_none()
        read = None if read_id is None else self.get(read_id)
        held = read is not None and read.lease is not None and read.lease.transaction_uid == transaction_uid
        return read if held else None

    def add(self, read: Read) -> None:
        self._connection.execute(_ADD, _values(read))

    def replace(self, before: Read, after: Read) -> bool:
        token = before.lease.transaction_uid if before.lease is not None else None
        seen = {"was": before.id, "was_state": before.state, "was_epoch": before.epoch, "was_token": token}
        earlier, later = _values(before), _values(after)
        changed = {name: value for name, value in later.items() if value != earlier[name] or name in _ALWAYS}
        if self._memo.get(Kind.READ, before.id) is not before:
            self._memo.forget_one(Kind.READ, before.id)
            return self._connection.execute_noted(_replacing(tuple(changed)), changed | seen).rowcount == 1
        waiting = self._connection.waiting(Place.READ, before.id)
        if waiting is not None:  # two changes of the same read are one, of what it was before both
            seen = {name: waiting[name] for name in seen}
            changed = {name: value for name, value in waiting.items() if name not in seen} | changed
        self._connection.put(Place.READ, before.id, _replacing(tuple(changed)), changed | seen)
        self._memo.put(Kind.READ, before.id, after)
        return True

    def explain_waiting(self, explanations: Sequence[tuple[str, dict[str, Any]]]) -> None:
        rows = [{"of_read": read_id, "said": explanation} for read_id, explanation in explanations]
        if rows:
            self._connection.execute(_EXPLAIN, rows)

    def waiting(self, read_ids: Sequence[str]) -> Sequence[tuple[str, dict[str, Any]]]:
        found: list[tuple[str, dict[str, Any]]] = []
        for some in portions(read_ids):
            query = select(t.read.c.id, t.read.c.waiting).where(t.read.c.id.in_(some))
            found += [(row[0], row[1]) for row in self._connection.execute(query) if row[1] is not None]
        return found

    def listing(
        self,
        states: Collection[ReadState] = (),
        origin: str | None = None,
        reader_id: str | None = None,
        after: str | None = None,
        limit: int | None = None,
        visible_to: Visibility | None = None,
    ) -> Sequence[Read]:
        query = select(t.read).order_by(t.read.c.id)
        if visible_to is not None:
            may_pick = and_(t.read.c.state == ReadState.READY, t.read.c.origin.in_(visible_to.trusts))
            query = query.where(or_(t.read.c.reader_id == visible_to.reader_id, may_pick))
        if states:
            query = query.where(t.read.c.state.in_(list(states)))
        if origin is not None:
            query = query.where(t.read.c.origin == origin)
        if reader_id is not None:
            query = query.where(t.read.c.reader_id == reader_id)
        if after is not None:
            query = query.where(t.read.c.id > after)
        if limit is not None:
            query = query.limit(limit)
        return [_read(row) for row in self._connection.execute(query)]

    def lapsed(self, states: Collection[ReadState], now: datetime) -> Sequence[str]:
        ran_out = or_(t.read.c.lease_until.is_(None), t.read.c.lease_until <= now)
        query = select(t.read.c.id).where(t.read.c.state.in_(list(states)), ran_out).order_by(t.read.c.id)
        return list(self._connection.execute(query).scalars())

    def overdue(
        self,
        entered_by: Mapping[ReadState, datetime],
        due_states: Collection[ReadState],
        asked_late_since: datetime,
        now: datetime,
    ) -> Sequence[str]:
        r, q = t.read, t.human_queue

        def asked(kind: str, since: datetime) -> Exists:
            lately = or_(q.c.resolved_at.is_(None), q.c.resolved_at > since)
            return exists().where(q.c.read_id == r.c.id, q.c.kind == kind, lately)

        too_long = [
            and_(
                r.c.state == state,
                r.c.entered_at <= at,
                ~asked("overdue", at).where(q.c.opened_at > r.c.entered_at),
            )
            for state, at in entered_by.items()
        ]
        late = and_(r.c.state.in_(list(due_states)), r.c.due_at <= now, ~asked("past_due", asked_late_since))
        query = select(r.c.id).where(or_(*too_long, late)).order_by(r.c.due_at, r.c.id)
        return list(self._connection.execute(query).scalars())

    def open_assignment(self, assignment: Assignment) -> None:
        values = {
            "read_id": assignment.read_id,
            "epoch": assignment.epoch,
            "reader_id": assignment.reader_id,
            "session_id": assignment.session_id,
            "transaction_uid": assignment.transaction_uid,
            "expected_minutes": assignment.expected_minutes,
            "assigned_at": assignment.assigned_at,
            "explanation": assignment.explanation,
        }
        self._connection.execute(_OPEN, values)

    def close_assignment(self, read_id: str, epoch: int, at: datetime, outcome: str, reason: str | None) -> None:
        values = {"ended_at": at, "outcome": outcome, "reason": reason}
        these = {"of_read": read_id, "of_epoch": epoch}
        self._connection.put(Place.ASSIGNMENT, (read_id, epoch), _CLOSE, these | values)

    def assignments(self, read_id: str) -> Sequence[Assignment]:
        rows = self._connection.execute(_ASSIGNMENTS, {"read_id": read_id})
        return [Assignment(**row._mapping) for row in rows]

    def arrived(self, since: datetime, until: datetime, most: int) -> tuple[Sequence[Read], int]:
        came = (t.read.c.created_at >= since, t.read.c.created_at < until)
        count = self._connection.execute(select(func.count()).select_from(t.read).where(*came)).scalar_one()
        step = -(-count // most) or 1
        turn = func.row_number().over(order_by=t.read.c.id)
        numbered = select(t.read.c.id, turn.label("turn")).where(*came).subquery()
        chosen = select(numbered.c.id).where(numbered.c.turn % step == 0)
        query = select(t.read).where(t.read.c.id.in_(chosen)).order_by(t.read.c.id)
        return [_read(row) for row in self._connection.execute(query)], step

    def versions(self, states: Collection[ReadState]) -> Sequence[tuple[str, int]]:
        found = self._connection.execute(_VERSIONS, {"states": list(states)})
        assert found.cursor is not None
        rows: Sequence[tuple[str, int]] = found.cursor.fetchall()  # as the driver has them: thousands a round
        found.close()
        return rows

    def to_plan(self, read_ids: Sequence[str]) -> Sequence[tuple[Read, int, Sequence[tuple[str, str]]]]:
        found: list[tuple[Read, int, Sequence[tuple[str, str]]]] = []
        for some in portions(read_ids):
            rows = self._connection.execute(select(*_TO_PLAN).where(t.read.c.id.in_(some))).all()
            past = self._past_of(some)  # after the versions: what comes in between is read again, not missed
            found += [(_read(row), row.version, past[row.id]) for row in rows]
        return found

    def _past_of(self, read_ids: Sequence[str]) -> Mapping[str, Sequence[tuple[str, str]]]:
        a = t.assignment.c
        query = select(a.read_id, a.reader_id, a.outcome).where(a.read_id.in_(read_ids), a.outcome.is_not(None))
        past: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for read_id, reader_id, outcome in self._connection.execute(query):
            past[read_id].append((reader_id, outcome))
        return past

    def past_holders(self, *states: ReadState) -> Sequence[tuple[str, str, str]]:
        a = t.assignment
        joined = a.join(t.read, t.read.c.id == a.c.read_id)
        query = select(a.c.read_id, a.c.reader_id, a.c.outcome).select_from(joined)
        rows = self._connection.execute(query.where(t.read.c.state.in_(states), a.c.outcome.is_not(None)))
        return [(row[0], row[1], row[2]) for row in rows]


def _values(read: Read) -> dict[str, Any]:
    lease = read.lease
    return {
        "id": read.id,
        "study_instance_uid": read.study_instance_uid,
        "ordinal": read.ordinal,
        "origin": read.origin,
        "revision": read.revision,
        "state": read.state,
        "entered_at": read.entered_at,
        "created_at": read.created_at,
        "modalities": list(read.modalities),
        "subspecialty": read.subspecialty,
        "expected_minutes": read.expected_minutes,
        "priority": read.priority,
        "due_at": read.due_at,
        "epoch": read.epoch,
        "reader_id": lease.reader_id if lease else None,
        "session_id": lease.session_id if lease else None,
        "transaction_uid": lease.transaction_uid if lease else None,
        "assigned_at": lease.assigned_at if lease else None,
        "lease_until": lease.until if lease else None,
        "claimed_at": lease.claimed_at if lease else None,
        "images_delivered_at": read.images_delivered_at,
        "replaces": read.replaces,
        "waiting": read.waiting,
        "exam_code": read.exam_code,
        "exam_group": read.exam_group,
        "minimum_level": int(read.minimum_level),
        "pathway": read.pathway,
        "directives": directives_to_json(read.directives),
        "second_of": read.second_of,
        "read_by": list(read.read_by) or None,
    }


def _read(row: Row[Any]) -> Read:
    lease = None
    if row.transaction_uid is not None:
        lease = Lease(
            reader_id=row.reader_id,
            session_id=row.session_id,
            transaction_uid=row.transaction_uid,
            assigned_at=row.assigned_at,
            until=row.lease_until,
            claimed_at=row.claimed_at,
        )
    return Read(
        id=row.id,
        study_instance_uid=row.study_instance_uid,
        ordinal=row.ordinal,
        origin=row.origin,
        revision=row.revision,
        state=ReadState(row.state),
        entered_at=row.entered_at,
        created_at=row.created_at,
        modalities=tuple(row.modalities),
        subspecialty=row.subspecialty,
        expected_minutes=row.expected_minutes,
        priority=row.priority,
        due_at=row.due_at,
        epoch=row.epoch,
        lease=lease,
        images_delivered_at=row.images_delivered_at,
        replaces=row.replaces,
        waiting=row.waiting,
        exam_code=row.exam_code,
        exam_group=row.exam_group,
        minimum_level=Level(row.minimum_level),
        pathway=row.pathway,
        directives=directives_from_json(row.directives),
        second_of=row.second_of,
        read_by=tuple(row.read_by or ()),
    )
