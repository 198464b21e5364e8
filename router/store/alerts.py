"""Alerts, their steps, notifications and one-time links in the database."""

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, or_, select, update

from dicom_nodes.foundation.inserts import inserted_unless_there
from router.flows.alert_ports import AlertCount
from router.model.alert import (
    Alert,
    AlertState,
    AlertStep,
    Link,
    Notification,
    NotificationState,
    Recipient,
    Urgency,
)
from router.store import alert_tables as t
from router.store.memo import Kind, Memo

_COLUMNS = tuple(field.name for field in fields(Alert))

_IN_ORDER = select(t.alert).order_by(t.alert.c.raised_at, t.alert.c.id)
_OF_STUDY = _IN_ORDER.where(t.alert.c.study_instance_uid == bindparam("of_study"))
_OF_STUDIES = _IN_ORDER.where(t.alert.c.study_instance_uid.in_(bindparam("of_studies", expanding=True)))


class SqlAlerts:
    def __init__(self, connection: Connection, memo: Memo) -> None:
        self._connection, self._memo = connection, memo

    def add(self, alert: Alert) -> bool:
        values = {**asdict(alert), "code_digest": _code_digest(alert.code, alert.scheme)}
        return inserted_unless_there(self._connection, t.alert, values)

    def get(self, alert_id: str, *, lock: bool = False) -> Alert | None:
        query = select(t.alert).where(t.alert.c.id == alert_id)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _alert(row)

    def raised_for(self, raised_for: str, code: str, scheme: str, *, lock: bool = False) -> Alert | None:
        digest = _code_digest(code, scheme)
        query = select(t.alert).where(t.alert.c.raised_for == raised_for, t.alert.c.code_digest == digest)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _alert(row)

    def of_study(self, study_instance_uid: str) -> Sequence[Alert]:
        return self._memo.of(Kind.ALERTS_OF_STUDY, study_instance_uid, lambda: self._of_study(study_instance_uid))

    def _of_study(self, study_instance_uid: str) -> tuple[Alert, ...]:
        rows = self._connection.execute(_OF_STUDY, {"of_study": study_instance_uid})
        return tuple(_alert(row) for row in rows)

    def foresee(self, study_instance_uids: Sequence[str]) -> None:
        """Read those of these studies together."""
        uids = self._memo.unknown(Kind.ALERTS_OF_STUDY, study_instance_uids)
        if not uids:
            return
        of_study: dict[str, list[Alert]] = {uid: [] for uid in uids}
        for row in self._connection.execute(_OF_STUDIES, {"of_studies": uids}):
            of_study[row.study_instance_uid].append(_alert(row))
        for uid, alerts in of_study.items():
            self._memo.put(Kind.ALERTS_OF_STUDY, uid, tuple(alerts))

    def put(self, alert: Alert) -> None:
        values = {name: value for name, value in asdict(alert).items() if name != "id"}
        self._connection.execute(update(t.alert).where(t.alert.c.id == alert.id).values(**values))

    def due(self, now: datetime, limit: int) -> Sequence[str]:
        query = select(t.alert.c.id).where(t.alert.c.look_at <= now).order_by(t.alert.c.look_at, t.alert.c.id)
        return [row.id for row in self._connection.execute(query.limit(limit))]

    def oldest_due(self) -> datetime | None:
        oldest: datetime | None = self._connection.execute(select(func.min(t.alert.c.look_at))).scalar_one()
        return oldest

    def look_at(self, alert_id: str, at: datetime) -> None:
        self._connection.execute(update(t.alert).where(t.alert.c.id == alert_id).values(look_at=at))

    def listing(
        self, states: Collection[AlertState], trust: str | None, raised_by: str | None, after: str | None, limit: int
    ) -> Sequence[Alert]:
        a = t.alert
        query = select(a).order_by(a.c.raised_at, a.c.id).limit(limit)
        if states:
            query = query.where(a.c.state.in_(list(states)))
        if trust is not None:
            query = query.where(a.c.trust == trust)
        if raised_by is not None:
            query = query.where(a.c.raised_by == raised_by)
        if after is not None:
            last = select(a.c.raised_at).where(a.c.id == after).scalar_subquery()
            query = query.where(or_(a.c.raised_at > last, and_(a.c.raised_at == last, a.c.id > after)))
        return [_alert(row) for row in self._connection.execute(query)]

    def add_steps(self, steps: Sequence[AlertStep]) -> None:
        for step in steps:
            self._connection.execute(insert(t.alert_step).values(**asdict(step)))

    def steps(self, alert_id: str) -> Sequence[AlertStep]:
        s = t.alert_step
        query = select(s).where(s.c.alert_id == alert_id).order_by(s.c.round, s.c.level)
        return [_step(row) for row in self._connection.execute(query)]

    def begin_step(self, step: AlertStep, at: datetime) -> None:
        s = t.alert_step.c
        this = (s.alert_id == step.alert_id, s.round == step.round, s.level == step.level)
        self._connection.execute(update(t.alert_step).where(*this).values(begun_at=at))

    def add_notification(self, notification: Notification, place: int) -> bool:
        recipient = notification.recipient
        values = {
            "id": notification.id,
            "alert_id": notification.alert_id,
            "round": notification.round,
            "level": notification.level,
            "place": place,
            "recipient": recipient.name,
            "channel": recipient.channel,
            "address": recipient.address,
            "state": notification.state,
            "created_at": notification.created_at,
            "updated_at": notification.updated_at,
        }
        return inserted_unless_there(self._connection, t.alert_notification, values)

    def notification(self, notification_id: str) -> Notification | None:
        query = select(t.alert_notification).where(t.alert_notification.c.id == notification_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _notification(row)

    def notifications(self, alert_id: str) -> Sequence[Notification]:
        n = t.alert_notification
        query = select(n).where(n.c.alert_id == alert_id).order_by(n.c.round, n.c.level, n.c.place)
        return [_notification(row) for row in self._connection.execute(query)]

    def settle_notification(
        self, notification_id: str, state: NotificationState, at: datetime, reason: str | None, reference: str | None
    ) -> bool:
        n = t.alert_notification
        open_states = [NotificationState.QUEUED]
        if state is NotificationState.SENT:  # it went out after all: told as it was
            open_states += [NotificationState.UNNEEDED, NotificationState.FAILED]
        this = (n.c.id == notification_id, n.c.state.in_(open_states))
        values = {"state": state, "updated_at": at, "reason": reason, "reference": reference}
        return self._connection.execute(update(n).where(*this).values(**values)).rowcount == 1

    def withdraw_notifications(self, alert_id: str, at: datetime) -> None:
        n = t.alert_notification
        waiting = (n.c.alert_id == alert_id, n.c.state == NotificationState.QUEUED)
        self._connection.execute(update(n).where(*waiting).values(state=NotificationState.UNNEEDED, updated_at=at))

    def add_link(self, link: Link) -> None:
        self._connection.execute(insert(t.alert_link).values(**asdict(link)))

    def link(self, digest: str) -> Link | None:
        row = self._connection.execute(select(t.alert_link).where(t.alert_link.c.digest == digest)).one_or_none()
        if row is None or not hmac.compare_digest(row.digest, digest):
            return None
        return Link(**row._mapping)

    def use_link(self, digest: str, at: datetime) -> None:
        self._connection.execute(update(t.alert_link).where(t.alert_link.c.digest == digest).values(used_at=at))

    def counts(self) -> Sequence[AlertCount]:
        a = t.alert
        query = (
            select(a.c.trust, a.c.state, func.count(), func.min(a.c.raised_at))
            .where(a.c.state != AlertState.CLOSED)
            .group_by(a.c.trust, a.c.state)
            .order_by(a.c.trust, a.c.state)
        )
        return [AlertCount(row[0], AlertState(row[1]), row[2], row[3]) for row in self._connection.execute(query)]

    def past_deadline(self, now: datetime) -> Mapping[str, int]:
        a = t.alert
        unanswered = [AlertState.RAISED, AlertState.NOTIFIED, AlertState.ESCALATED]
        query = select(a.c.trust, func.count()).where(a.c.state.in_(unanswered), a.c.deadline_at <= now)
        return {row[0]: row[1] for row in self._connection.execute(query.group_by(a.c.trust))}

    def notification_counts(self) -> Mapping[tuple[str, str], int]:
        n = t.alert_notification
        query = select(n.c.channel, n.c.state, func.count()).group_by(n.c.channel, n.c.state)
        return {(row[0], row[1]): row[2] for row in self._connection.execute(query)}


def _code_digest(code: str, scheme: str) -> str:
    return hashlib.sha256(f"{len(code)}:{code}{scheme}".encode()).hexdigest()


def _alert(row: Row[Any]) -> Alert:
    values = {name: row._mapping[name] for name in _COLUMNS}
    urgency = None if row.urgency is None else Urgency(row.urgency)
    return Alert(**{**values, "state": AlertState(row.state), "urgency": urgency})


def _step(row: Row[Any]) -> AlertStep:
    recipients = tuple(Recipient(**recipient) for recipient in row.recipients)
    return AlertStep(row.alert_id, row.round, row.level, row.who, row.due_at, recipients, row.begun_at)


def _notification(row: Row[Any]) -> Notification:
    return Notification(
        id=row.id,
        alert_id=row.alert_id,
        round=row.round,
        level=row.level,
        recipient=Recipient(row.recipient, row.channel, row.address),
        state=NotificationState(row.state),
        created_at=row.created_at,
        updated_at=row.updated_at,
        reason=row.reason,
        reference=row.reference,
    )
