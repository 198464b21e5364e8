"""Trusts and nodes in the database."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from dicom_nodes.contract import NodeHealth
from router.model.delivery import ReturnPolicy
from router.model.trust import Node, Trust
from router.store import tables as t
from router.store.memo import Kind, Memo
from router.store.statements import upsert

_TRUST = select(t.trust).where(t.trust.c.ods_code == bindparam("of_trust"))
_NODE = select(t.node).where(t.node.c.ods_code == bindparam("of_node"))
_HEARD = update(t.node).where(t.node.c.ods_code == bindparam("of_node"))


class SqlNetwork:
    def __init__(self, connection: Connection, memo: Memo) -> None:
        self._connection, self._memo = connection, memo

    def trusts(self) -> Sequence[Trust]:
        return [_trust(row) for row in self._connection.execute(select(t.trust).order_by(t.trust.c.ods_code))]

    def trust(self, ods_code: str) -> Trust | None:
        return self._memo.of(Kind.TRUST, ods_code, lambda: self._trust(ods_code))

    def _trust(self, ods_code: str) -> Trust | None:
        row = self._connection.execute(_TRUST, {"of_trust": ods_code}).one_or_none()
        return None if row is None else _trust(row)

    def nodes(self) -> Sequence[Node]:
        return [_node(row) for row in self._connection.execute(select(t.node).order_by(t.node.c.ods_code))]

    def node(self, ods_code: str) -> Node | None:
        row = self._connection.execute(_NODE, {"of_node": ods_code}).one_or_none()
        return None if row is None else _node(row)

    def put_trust(self, trust: Trust) -> None:
        values = {"ods_code": trust.ods_code, "name": trust.name, "returns": asdict(trust.returns)}
        self._memo.forget(Kind.TRUST)
        upsert(self._connection, t.trust, ["ods_code"], values)

    def put_node(self, node: Node) -> None:
        values = {"ods_code": node.ods_code, "ae_title": node.ae_title, "host": node.host, "port": node.port}
        upsert(self._connection, t.node, ["ods_code"], values)

    def expect_traffic(self, now: datetime) -> None:
        unheard = (t.node.c.last_traffic_at.is_(None), t.node.c.expected_since.is_(None))
        self._connection.execute(update(t.node).where(*unheard).values(expected_since=now))

    def record_traffic(self, ods_code: str, at: datetime, health: NodeHealth | None) -> None:
        values: dict[str, Any] = {"last_traffic_at": at}
        if health is not None:
            said: dict[str, Any] = health.model_dump(mode="json")
            if not math.isfinite(health.outbox_oldest_s):
                said["outbox_oldest_s"] = None
            values |= {"health": said, "health_at": at}
        self._connection.execute(_HEARD, {"of_node": ods_code, **values})


def _trust(row: Row[Any]) -> Trust:
    if row.returns is None:
        return Trust(row.ods_code, row.name)
    lists = {name: tuple(row.returns[name]) for name in ("channels", "closed_by")}
    return Trust(row.ods_code, row.name, ReturnPolicy(**{**row.returns, **lists}))


def _node(row: Row[Any]) -> Node:
    return Node(
        ods_code=row.ods_code,
        ae_title=row.ae_title,
        host=row.host,
        port=row.port,
        last_traffic_at=row.last_traffic_at,
        health=row.health,
        health_at=row.health_at,
        expected_since=row.expected_since,
    )
