"""The ledger and the human queue in the database."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from router.model.record import Entry, QueueItem
from router.store import tables as t
from router.store.statements import insert_if_new

_APPEND = insert(t.ledger)


class SqlLedger:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, entry: Entry) -> None:
        values = {
            "at": entry.at,
            "event": entry.event,
            "actor": entry.actor,
            "study_instance_uid": entry.study_instance_uid,
            "read_id": entry.read_id,
            "report_id": entry.report_id,
            "order_id": entry.order_id,
            "node": entry.node,
            "detail": entry.detail,
        }
        self._connection.execute(_APPEND, values)

    def of_study(self, study_instance_uid: str) -> Sequence[Entry]:
        query = select(t.ledger).where(t.ledger.c.study_instance_uid == study_instance_uid).order_by(t.ledger.c.id)
        return [Entry(**row._mapping) for row in self._connection.execute(query)]


class SqlHumanQueue:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self, item: QueueItem) -> bool:
        values = {
            "id": item.id,
            "kind": item.kind,
            "reason": item.reason,
            "dedupe_key": item.dedupe_key,
            "opened_at": item.opened_at,
            "study_instance_uid": item.study_instance_uid,
            "read_id": item.read_id,
            "report_id": item.report_id,
            "order_id": item.order_id,
            "node": item.node,
            "resend_kind": item.resend_kind,
            "resend_key": item.resend_key,
        }
        return insert_if_new(self._connection, t.human_queue, values)

    def get(self, item_id: str) -> QueueItem | None:
        query = select(t.human_queue).where(t.human_queue.c.id == item_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else QueueItem(**row._mapping)

    def by_key(self, dedupe_key: str) -> QueueItem | None:
        query = select(t.human_queue).where(t.human_queue.c.dedupe_key == dedupe_key)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else QueueItem(**row._mapping)

    def listing(self, *, kind: str | None, resolved: bool) -> Sequence[QueueItem]:
        q = t.human_queue
        query = select(q).order_by(q.c.opened_at, q.c.id)
        query = query.where(q.c.resolved_at.is_not(None) if resolved else q.c.resolved_at.is_(None))
        if kind is not None:
            query = query.where(q.c.kind == kind)
        return [QueueItem(**row._mapping) for row in self._connection.execute(query)]

    def is_open(self, kind: str, study_instance_uid: str, node: str) -> bool:
        q = t.human_queue.c
        these = (q.kind == kind, q.study_instance_uid == study_instance_uid, q.node == node, q.resolved_at.is_(None))
        return self._connection.execute(select(q.id).where(*these).limit(1)).first() is not None

    def resolve(self, item_id: str, by: str, at: datetime, note: str) -> bool:
        still_open = (t.human_queue.c.id == item_id, t.human_queue.c.resolved_at.is_(None))
        values = {"resolved_by": by, "resolved_at": at, "note": note}
        return self._connection.execute(update(t.human_queue).where(*still_open).values(**values)).rowcount == 1
