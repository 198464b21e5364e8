"""What nodes and router exchange, in the database: each fact once, and each node's ordered log of orders."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, Row, Select, Text, and_, bindparam, cast, func, insert, or_, select, update

from dicom_nodes.contract import DeliverStudy, FetchStudy, Order, OrderBody
from dicom_nodes.foundation.inserts import inserted_unless_there, unless_there
from router.model.fact import KeptFact
from router.model.read import LEASED
from router.model.sent_order import FAULTS_OF_AN_ORDER, BrokenOrder, SentOrder, notification_of
from router.store import tables as t
from router.store.manifests import SqlManifests
from router.store.memo import UNKNOWN, Kind, Memo
from router.store.statements import upserting
from router.store.unwritten import Place, Unwritten

_BODY: TypeAdapter[OrderBody] = TypeAdapter(OrderBody)
_OF_NEXT_RELEASE = {"extra_forbidden", "union_tag_invalid"}
_WITH_MANIFEST = ("fetch", "deliver")
_SOURCE = (t.fact_source.c.node == bindparam("of_node"), t.fact_source.c.outbox_id == bindparam("of_outbox"))
_LAST_SEQ = select(t.fact_source.c.last_seq).where(*_SOURCE).with_for_update()
_TAKEN = update(t.fact_source).where(*_SOURCE).values(last_seq=bindparam("last_seq"))
_NEXT_SEQ = (
    update(t.order_head)
    .where(t.order_head.c.node == bindparam("of_node"))
    .values(last_seq=t.order_head.c.last_seq + 1)
    .returning(t.order_head.c.last_seq)
)
_LAST = update(t.order_head).where(t.order_head.c.node == bindparam("of_node")).values(last_seq=bindparam("last_seq"))
_HEAD = select(t.order_head.c.last_seq).where(t.order_head.c.node == bindparam("of_node"))
_HEAD_LOCKED = _HEAD.with_for_update()
_OWN_LOG = select(t.order_head.c.log_id).where(t.order_head.c.node == bindparam("of_node"))
_LOG_OF_ALL = select(t.order_log.c.log_id).where(t.order_log.c.id == 1)
_ADD, _ISSUE = insert(t.fact), insert(t.node_order)


class SqlFacts:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def last_seq(self, node: str, outbox_id: str) -> int:
        source = {"of_node": node, "of_outbox": outbox_id}
        last = self._connection.execute(_LAST_SEQ, source).scalar_one_or_none()
        if last is None:
            inserted_unless_there(
                self._connection, t.fact_source, {"node": node, "outbox_id": outbox_id, "last_seq": 0}
            )
            last = self._connection.execute(_LAST_SEQ, source).scalar_one()
        return int(last)

    def add(self, facts: Sequence[KeptFact]) -> None:
        if not facts:
            return
        rows = [
            {
                "node": fact.node,
                "outbox_id": fact.outbox_id,
                "seq": fact.seq,
                "occurred_at": fact.occurred_at,
                "received_at": fact.received_at,
                "body": fact.body,
                "failure": fact.failure,
            }
            for fact in facts
        ]
        self._connection.execute(_ADD, rows)
        last = facts[-1]
        source = {"of_node": last.node, "of_outbox": last.outbox_id}
        self._connection.execute(_TAKEN, source | {"last_seq": last.seq})

    def between(self, node: str, outbox_id: str, first: int, last: int) -> Sequence[KeptFact]:
        f = t.fact
        query = select(f).where(f.c.node == node, f.c.outbox_id == outbox_id, f.c.seq >= first, f.c.seq <= last)
        return [KeptFact(**row._mapping) for row in self._connection.execute(query)]

    def get(self, node: str, outbox_id: str, seq: int) -> KeptFact | None:
        return next(iter(self.between(node, outbox_id, seq, seq)), None)

    def failed(self, limit: int) -> Sequence[KeptFact]:
        query = select(t.fact).where(t.fact.c.failure.is_not(None)).order_by(t.fact.c.received_at.desc()).limit(limit)
        return [KeptFact(**row._mapping) for row in self._connection.execute(query)]


@dataclass(frozen=True, slots=True)
class SqlIssuedOrder:
    """An order with what it belongs to and what became of it."""

    order: Order
    node: str
    read_id: str | None
    report_id: str | None
    epoch: int | None
    outcome: str | None


class SqlOrders:
    """Remembers in `issued_to` which nodes got an order in this transaction, so that their polls can be woken."""

    def __init__(self, connection: Unwritten, manifests: SqlManifests, memo: Memo) -> None:
        self._connection, self._memo = connection, memo
        self._manifests = manifests
        self.issued_to: set[str] = set()

    def log_id(self, node: str | None = None) -> str:
        own = {"of_node": node}
        name = self._connection.execute(_OWN_LOG, own).scalar_one_or_none() if node is not None else None
        return str(name or self._connection.execute(_LOG_OF_ALL).scalar_one())

    def head(self, node: str, *, lock: bool = False) -> int:
        if lock:
            self._begin_log(node)
        query = _HEAD_LOCKED if lock else _HEAD
        return self._connection.execute(query, {"of_node": node}).scalar_one_or_none() or 0

    def rename_log(self, node: str) -> None:
        head = t.order_head
        self._connection.execute(update(head).where(head.c.node == node).values(log_id=str(uuid4())))

    def issue(
        self,
        node: str,
        body: OrderBody,
        at: datetime,
        *,
        read_id: str | None = None,
        report_id: str | None = None,
        epoch: int | None = None,
    ) -> Order:
        order = Order(seq=self._next_seq(node), order_id=str(uuid4()), issued_at=at, body=body)
        values = {
            "order_id": order.order_id,
            "node": node,
            "seq": order.seq,
            "issued_at": at,
            "body": self._to_store(body),
            "read_id": read_id,
            "report_id": report_id,
            "epoch": epoch,
        }
        self._connection.put(Place.ORDER, order.order_id, _ISSUE, values)
        self.issued_to.add(node)
        return order

    def _to_store(self, body: OrderBody) -> dict[str, Any]:
        """Without the manifest where that is the revision's own, which stays as it is."""
        if isinstance(body, FetchStudy | DeliverStudy):
            uid = body.study.study_instance_uid
            if self._manifests.is_of(uid, body.revision, body.manifest):
                return body.model_dump(mode="json", exclude={"manifest"})
        return body.model_dump(mode="json")

    def after(self, node: str, seq: int, limit: int) -> Sequence[SentOrder | BrokenOrder]:
        asked = {"of_node": node, "after_seq": seq, "at_most": limit}
        return [self._sent_or_broken(row) for row in self._connection.execute(_AFTER, asked).all()]

    def _sent_or_broken(self, row: Row[Any]) -> SentOrder | BrokenOrder:
        """What one order lacks stops no other one; what the database cannot do now is not the order's fault."""
        try:
            return self._sent(row)
        except FAULTS_OF_AN_ORDER as error:
            told, is_newer = notification_of(row.body), _is_of_next_release(error)
            return BrokenOrder(row.seq, row.order_id, type(error).__name__, told, is_newer)

    def _sent(self, row: Row[Any]) -> SentOrder:
        body = json.loads(row.body)
        text = row.body
        if body["kind"] in _WITH_MANIFEST and "manifest" not in body:
            uid, revision = body["study"]["study_instance_uid"], body["revision"]
            text = f'{text.rstrip()[:-1]},"manifest":{self._manifests.text(uid, revision)}}}'
            body = body | {"manifest": {"entries": ()}}  # the revision's own was understood when it came
        _BODY.validate_python(body, strict=False)  # a node understands a batch as a whole or not at all
        head = json.dumps({"seq": row.seq, "order_id": row.order_id, "issued_at": row.issued_at.isoformat()})
        return SentOrder(row.seq, row.order_id, body["kind"], f'{head[:-1]},"body":{text}}}')

    def get(self, order_id: str) -> SqlIssuedOrder | None:
        return self._memo.of(Kind.ORDER, order_id, lambda: self._one(order_id))

    def _one(self, order_id: str) -> SqlIssuedOrder | None:
        row = self._connection.execute(_ONE, {"this_order": order_id}).one_or_none()
        return None if row is None else self._issued(row)

    def foresee(self, order_ids: Sequence[str]) -> list[SqlIssuedOrder]:
        """Read these together; those that are there."""
        ids = self._memo.unknown(Kind.ORDER, order_ids)
        if ids:
            found = {row.order_id: self._issued(row) for row in self._connection.execute(_THESE, {"these": ids}).all()}
            for order_id in ids:
                self._memo.put(Kind.ORDER, order_id, found.get(order_id))
        known = (self._memo.get(Kind.ORDER, order_id) for order_id in order_ids)
        return [order for order in known if order is not None and order is not UNKNOWN]

    def of_read(self, read_id: str) -> Sequence[SqlIssuedOrder]:
        query = _with_outcome().where(t.node_order.c.read_id == read_id)
        rows = self._connection.execute(query.order_by(t.node_order.c.issued_at)).all()
        return [self._issued(row) for row in rows]

    def conclude(self, order_id: str, outcome: str, at: datetime, reason: str | None = None) -> None:
        values = {"order_id": order_id, "outcome": outcome, "at": at, "reason": reason}
        self._connection.put(Place.OUTCOME, order_id, upserting(t.order_outcome, ("order_id",), tuple(values)), values)
        known = self._memo.get(Kind.ORDER, order_id)
        if known is not UNKNOWN and known is not None:
            self._memo.put(Kind.ORDER, order_id, replace(known, outcome=outcome))

    def _issued(self, row: Row[Any]) -> SqlIssuedOrder:
        body: Any = row.body
        if body["kind"] in _WITH_MANIFEST and "manifest" not in body:
            body = body | {"manifest": self._manifests.get(body["study"]["study_instance_uid"], body["revision"])}
        order = Order(
            seq=row.seq,
            order_id=row.order_id,
            issued_at=row.issued_at,
            body=_BODY.validate_python(body, strict=False),
        )
        return SqlIssuedOrder(order, row.node, row.read_id, row.report_id, row.epoch, row.outcome)

    def _next_seq(self, node: str) -> int:
        """The head's row lock is held until commit, so seqs become visible without gaps and in order."""
        last = self._memo.get(Kind.LAST_ORDER_OF_NODE, node)
        if last is not UNKNOWN:
            self._memo.put(Kind.LAST_ORDER_OF_NODE, node, last + 1)
            self._connection.put(Place.ORDER_HEAD, node, _LAST, {"of_node": node, "last_seq": last + 1})
            return int(last) + 1
        seq = self._connection.execute_noted(_NEXT_SEQ, {"of_node": node}).scalar_one_or_none()
        if seq is None:
            self._begin_log(node)
            seq = self._connection.execute_noted(_NEXT_SEQ, {"of_node": node}).scalar_one()
        self._memo.put(Kind.LAST_ORDER_OF_NODE, node, int(seq))
        return int(seq)

    def _begin_log(self, node: str) -> None:
        row = {"node": node, "last_seq": 0}
        self._connection.execute_noted(unless_there(t.order_head, tuple(row)), row)


def _is_of_next_release(error: Exception) -> bool:
    """Whether nothing is wrong with a body but that it has more than this release knows."""
    return isinstance(error, ValidationError) and {one["type"] for one in error.errors()} <= _OF_NEXT_RELEASE


def _with_outcome() -> Select[Any]:
    joined = t.node_order.outerjoin(t.order_outcome, t.order_outcome.c.order_id == t.node_order.c.order_id)
    return select(t.node_order, t.order_outcome.c.outcome).select_from(joined)


def _waiting_orders() -> Select[Any]:
    """A node's orders that still have to be carried out; put together once, because a poll asks it again and again."""
    o, done, read = t.node_order, t.order_outcome, t.read
    joined = o.outerjoin(done, done.c.order_id == o.c.order_id).outerjoin(read, read.c.id == o.c.read_id)
    is_open = or_(done.c.outcome.is_(None), done.c.outcome.not_in(("COMPLETED", "RECALLED")))
    still_wanted = and_(
        read.c.state.in_(LEASED),
        or_(o.c.epoch.is_(None), o.c.epoch == read.c.epoch),
        or_(
            o.c.body["revision"].as_integer() == read.c.revision,
            o.c.body[("study", "study_instance_uid")].as_string() != read.c.study_instance_uid,  # a prior
        ),
    )
    kind = func.coalesce(o.c.body["kind"].as_string(), "")  # one without a kind is broken, which must be seen
    is_due = or_(kind.not_in(("fetch", "deliver")), still_wanted)
    columns = (o.c.seq, o.c.order_id, o.c.issued_at, cast(o.c.body, Text).label("body"))
    theirs = (o.c.node == bindparam("of_node"), o.c.seq > bindparam("after_seq"))
    query = select(*columns).select_from(joined).where(*theirs, is_open, is_due)
    return query.order_by(o.c.seq).limit(bindparam("at_most"))


_AFTER = _waiting_orders()
_ONE = _with_outcome().where(t.node_order.c.order_id == bindparam("this_order"))
_THESE = _with_outcome().where(t.node_order.c.order_id.in_(bindparam("these", expanding=True)))
