"""The ledger and the human queue in the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from dicom_nodes.foundation.inserts import inserted_unless_there
from router.model.record import Entry, QueueItem
from router.store import tables as t

_APPEND = insert(t.ledger)
_QUEUED = t.human_queue.c
_BY_KEY = select(t.human_queue).where(_QUEUED.dedupe_key == bindparam("of_key"))
_OPEN = (
    select(_QUEUED.id)
    .where(
        _QUEUED.kind == bindparam("of_kind"),
        _QUEUED.study_instance_uid == bindparam("of_study"),
        _QUEUED.node == bindparam("of_node"),
        _QUEUED.resolved_at.is_(None),
    )
    .limit(1)
)


class SqlLedger:
    """Entries are written together, before anything of the ledger is read and at the transaction's end (`flush`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._unwritten: list[dict[str, Any]] = []

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
        self._unwritten.append(values)

    def flush(self) -> None:
        """Write what was appended."""
        if self._unwritten:
            entries, self._unwritten = self._unwritten, []
            self._connection.execute(_APPEND, entries)

    def drop_unwritten(self) -> None:
        """What the entries tell of is rolled back."""
        self._unwritten = []

    def of_study(self, study_instance_uid: str) -> Sequence[Entry]:
        self.flush()
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
        return inserted_unless_there(self._connection, t.human_queue, values)

    def get(self, item_id: str) -> QueueItem | None:
        query = select(t.human_queue).where(t.human_queue.c.id == item_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else QueueItem(**row._mapping)

    def by_key(self, dedupe_key: str) -> QueueItem | None:
        row = self._connection.execute(_BY_KEY, {"of_key": dedupe_key}).one_or_none()
        return None if row is None else QueueItem(**row._mapping)

    def listing(self, *, kind: str | None, resolved: bool) -> Sequence[QueueItem]:
        q = t.human_queue
        query = select(q).order_by(q.c.opened_at, q.c.id)
        query = query.where(q.c.resolved_at.is_not(None) if resolved else q.c.resolved_at.is_(None))
        if kind is not None:
            query = query.where(q.c.kind == kind)
        return [QueueItem(**row._mapping) for row in self._connection.execute(query)]

    def open_of_read(self, read_id: str) -> Sequence[QueueItem]:
        """What people are asked about the read, oldest first."""
        q = t.human_queue
        query = select(q).where(q.c.read_id == read_id, q.c.resolved_at.is_(None)).order_by(q.c.opened_at, q.c.id)
        return [QueueItem(**row._mapping) for row in self._connection.execute(query)]

    def is_open(self, kind: str, study_instance_uid: str, node: str) -> bool:
        these = {"of_kind": kind, "of_study": study_instance_uid, "of_node": node}
        return self._connection.execute(_OPEN, these).first() is not None

    def resolve(self, item_id: str, by: str, at: datetime, note: str) -> bool:
        still_open = (t.human_queue.c.id == item_id, t.human_queue.c.resolved_at.is_(None))
        values = {"resolved_by": by, "resolved_at": at, "note": note}
        return self._connection.execute(update(t.human_queue).where(*still_open).values(**values)).rowcount == 1
