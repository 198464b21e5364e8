"""The only place where an alert changes state: by a row of its transition table, with its ledger line."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from router.flows.human_queue import dedupe_key, resolve_item
from router.flows.ports import Transaction
from router.model.alert import Alert
from router.model.record import Entry
from router.rules.alert_states import AlertActor, AlertEvent, alert_transition


def change_alert(
    tx: Transaction,
    alert: Alert,
    event: AlertEvent,
    actor: AlertActor,
    now: datetime,
    *,
    by: str,
    detail: dict[str, Any] | None = None,
    changes: dict[str, Any] | None = None,
) -> Alert:
    """Take the locked `alert` through `event`; `changes` are fields that change with it.

    Raises:
        TransitionRefused: no such transition.
    """
    row = alert_transition(alert.state, event, actor)
    after = replace(alert, state=row.target, **(changes or {}))
    if row.target is not alert.state:
        after = replace(after, entered_at=now)
    tx.alerts.put(after)
    steps = {"from": alert.state.value, "to": row.target.value, "level": after.level}
    log_alert(tx, row.records, after, now, by, {**steps, **(detail or {})})
    return after


def item_key(alert: Alert) -> str:
    """Under which a person is asked about the alert in its present round."""
    return f"alert:{alert.id}:{alert.round}"


def resolve_items(tx: Transaction, alert: Alert, kind: str, by: str, note: str, now: datetime) -> None:
    """Close what is open of this kind about the alert, however often it was asked (`ask_again` numbers its keys)."""
    first = dedupe_key(kind, item_key(alert))
    for item in tx.queue.listing(kind=kind, resolved=False):
        if item.dedupe_key == first or item.dedupe_key.startswith(f"{first}#"):
            resolve_item(tx, item.id, by, note, now)


def log_alert(tx: Transaction, event: str, alert: Alert, now: datetime, by: str, detail: dict[str, Any]) -> None:
    """A ledger line about the alert."""
    tx.ledger.append(
        Entry(
            event=event,
            at=now,
            actor=by,
            study_instance_uid=alert.study_instance_uid,
            read_id=alert.read_id,
            report_id=alert.report_id,
            node=alert.trust or None,
            detail={"alert": alert.id, **detail},
        )
    )
