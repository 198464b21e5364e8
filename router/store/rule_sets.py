"""Versions of the routing rules in the database: texts and history only grow, one row names the active version."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from router.model.routing_rule import RuleSet, RuleSetEntry, RuleSetEvent
from router.store import tables as t

_HEAD = t.rule_set_head.c.id == 1


class SqlRuleSets:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        self._connection.execute(select(t.rule_set_head).where(_HEAD).with_for_update()).one()

    def active_version(self) -> int | None:
        version: int | None = self._connection.execute(select(t.rule_set_head.c.active_version).where(_HEAD)).scalar()
        return version

    def active(self) -> RuleSet | None:
        joined = t.rule_set.join(t.rule_set_head, t.rule_set_head.c.active_version == t.rule_set.c.version)
        row = self._connection.execute(select(t.rule_set).select_from(joined).where(_HEAD)).one_or_none()
        return None if row is None else _rule_set(row)

    def get(self, version: int) -> RuleSet | None:
        row = self._connection.execute(select(t.rule_set).where(t.rule_set.c.version == version)).one_or_none()
        return None if row is None else _rule_set(row)

    def listing(self) -> Sequence[RuleSet]:
        rows = self._connection.execute(select(t.rule_set).order_by(t.rule_set.c.version.desc()))
        return [_rule_set(row) for row in rows]

    def add(self, text: str, digest: str, comment: str, author: str, at: datetime) -> RuleSet:
        last = self._connection.execute(select(func.max(t.rule_set.c.version))).scalar()
        rule_set = RuleSet((last or 0) + 1, text, digest, comment, author, at)
        values = {
            "version": rule_set.version,
            "text": text,
            "digest": digest,
            "comment": comment,
            "author": author,
            "created_at": at,
        }
        self._connection.execute(insert(t.rule_set).values(**values))
        return rule_set

    def set_active(self, version: int | None) -> None:
        self._connection.execute(update(t.rule_set_head).where(_HEAD).values(active_version=version))

    def note(self, entry: RuleSetEntry) -> None:
        values = {
            "version": entry.version,
            "event": entry.event,
            "at": entry.at,
            "actor": entry.actor,
            "detail": entry.detail,
        }
        self._connection.execute(insert(t.rule_set_event).values(**values))

    def history(self, version: int | None = None) -> Sequence[RuleSetEntry]:
        query = select(t.rule_set_event).order_by(t.rule_set_event.c.id)
        if version is not None:
            query = query.where(t.rule_set_event.c.version == version)
        return [
            RuleSetEntry(row.version, RuleSetEvent(row.event), row.at, row.actor, row.detail, row.id)
            for row in self._connection.execute(query)
        ]


def _rule_set(row: Row[Any]) -> RuleSet:
    return RuleSet(row.version, row.text, row.digest, row.comment, row.author, row.created_at)
