"""The ledger and the human queue in the database."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from dicom_nodes.foundation.inserts import inserted_unless_there
from router.model.record import Entry, QueueItem
from router.store import tables as t
from router.store.memo import UNKNOWN, Kind, Memo
from router.store.unwritten import Unwritten

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
_BY_KEYS = select(t.human_queue).where(_QUEUED.dedupe_key.in_(bindparam("of_keys", expanding=True)))
_OPEN_OF = select(_QUEUED.study_instance_uid, _QUEUED.kind, _QUEUED.node).where(
    _QUEUED.study_instance_uid.in_(bindparam("of_studies", expanding=True)), _QUEUED.resolved_at.is_(None)
)


class SqlLedger:
    """Entries are written together, before anything of the ledger is read and at the transaction's end (`flush`)."""

    def __init__(self, connection: Unwritten) -> None:
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
            self._connection.execute_beside(_APPEND, entries)

    def drop_unwritten(self) -> None:
        """What the entries tell of is rolled back."""
        self._unwritten = []

    def of_study(self, study_instance_uid: str) -> Sequence[Entry]:
        self.flush()
        query = select(t.ledger).where(t.ledger.c.study_instance_uid == study_instance_uid).order_by(t.ledger.c.id)
        return [Entry(**row._mapping) for row in self._connection.execute_beside(query)]


class SqlHumanQueue:
    def __init__(self, connection: Connection, memo: Memo) -> None:
        self._connection, self._memo = connection, memo

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
        return self._memo.of(Kind.ITEM_OF_KEY, dedupe_key, lambda: self._by_key(dedupe_key))

    def _by_key(self, dedupe_key: str) -> QueueItem | None:
        row = self._connection.execute(_BY_KEY, {"of_key": dedupe_key}).one_or_none()
        return None if row is None else QueueItem(**row._mapping)

    def foresee(self, dedupe_keys: Sequence[str], study_instance_uids: Sequence[str]) -> None:
        """Read the items of these keys, and the open ones of these studies, together."""
        keys = self._memo.unknown(Kind.ITEM_OF_KEY, dedupe_keys)
        if keys:
            found = {
                row.dedupe_key: QueueItem(**row._mapping)
                for row in self._connection.execute(_BY_KEYS, {"of_keys": keys})
            }
            for key in keys:
                self._memo.put(Kind.ITEM_OF_KEY, key, found.get(key))
        uids = self._memo.unknown(Kind.OPEN_ITEMS_OF_STUDY, study_instance_uids)
        if uids:
            items: dict[str, set[tuple[str, str | None]]] = {uid: set() for uid in uids}
            for uid, kind, node in self._connection.execute(_OPEN_OF, {"of_studies": uids}):
                items[uid].add((kind, node))
            for uid, open_items in items.items():
                self._memo.put(Kind.OPEN_ITEMS_OF_STUDY, uid, open_items)

    def listing(self, *, kind: str | None, resolved: bool) -> Sequence[QueueItem]:
        q = t.human_queue
        query = select(q).order_by(q.c.opened_at, q.c.id)
        query = query.where(q.c.resolved_at.is_not(None) if resolved else q.c.resolved_at.is_(None))
        if kind is not None:
            query = query.where(q.c.kind == kind)
        return [QueueItem(**row._mapping) for row in self._connection.execute(query)]

    def open_about(self, report_ids: Collection[str]) -> Sequence[QueueItem]:
        q = t.human_queue
        query = select(q).where(q.c.report_id.in_(report_ids), q.c.resolved_at.is_(None))
        return [QueueItem(**row._mapping) for row in self._connection.execute(query.order_by(q.c.opened_at, q.c.id))]

    def open_of_read(self, read_id: str) -> Sequence[QueueItem]:
        """What people are asked about the read, oldest first."""
        q = t.human_queue
        query = select(q).where(q.c.read_id == read_id, q.c.resolved_at.is_(None)).order_by(q.c.opened_at, q.c.id)
        return [QueueItem(**row._mapping) for row in self._connection.execute(query)]

    def is_open(self, kind: str, study_instance_uid: str, node: str) -> bool:
        known = self._memo.get(Kind.OPEN_ITEMS_OF_STUDY, study_instance_uid)
        if known is not UNKNOWN:
            return (kind, node) in known
        these = {"of_kind": kind, "of_study": study_instance_uid, "of_node": node}
        return self._connection.execute(_OPEN, these).first() is not None

    def resolve(self, item_id: str, by: str, at: datetime, note: str) -> bool:
        still_open = (t.human_queue.c.id == item_id, t.human_queue.c.resolved_at.is_(None))
        values = {"resolved_by": by, "resolved_at": at, "note": note}
        return self._connection.execute(update(t.human_queue).where(*still_open).values(**values)).rowcount == 1
