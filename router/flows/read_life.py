"""The only place where a read changes state: by a row of the transition table, conditionally, with its ledger line."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from router.flows.ports import Transaction
from router.model.errors import TransitionRefused
from router.model.read import LEASED, Read, ReadState
from router.model.record import Entry
from router.rules.read_states import Actor, Event, transition


def change_read(
    tx: Transaction,
    read: Read,
    event: Event,
    actor: Actor,
    now: datetime,
    *,
    by: str,
    detail: dict[str, Any] | None = None,
    report_id: str | None = None,
    changes: dict[str, Any] | None = None,
) -> Read:
    """Take `read` through `event`; `changes` are fields of the read that change with it.

    Leaving the leased states for READY drops the lease. `by` names the actor for people ("node RXN", "reader x").

    Raises:
        TransitionRefused: no such transition, or somebody else changed the read first.
    """
    row = transition(read.state, event, actor)
    entered_at = read.entered_at if row.target is read.state else now
    changed: dict[str, Any] = {"state": row.target, **(changes or {}), "entered_at": entered_at}
    after = replace(read, **changed)
    if not tx.reads.replace(read, after):
        raise TransitionRefused(f"{event.value}: somebody else changed the read first")
    if read.state in LEASED and row.target not in LEASED:
        _close_assignment(tx, read, event, now, detail)
    said = dict(detail or {})
    if row.target is ReadState.CLOSED:
        said |= _open_alerts(tx, read)
    if row.records is not None:
        tx.ledger.append(
            Entry(
                event=row.records,
                at=now,
                actor=by,
                study_instance_uid=read.study_instance_uid,
                read_id=read.id,
                report_id=report_id,
                detail={"from": read.state.value, "to": row.target.value, **said},
            )
        )
    return after


def _open_alerts(tx: Transaction, read: Read) -> dict[str, Any]:
    """A read that closes says which alerts of its study go on without it."""
    alerts = tx.alerts.of_study(read.study_instance_uid)
    unclosed = [alert.id for alert in alerts if alert.is_open]
    return {"open_alerts": unclosed} if unclosed else {}


def _close_assignment(tx: Transaction, read: Read, event: Event, now: datetime, detail: dict[str, Any] | None) -> None:
    reason = (detail or {}).get("reason")
    tx.reads.close_assignment(read.id, read.epoch, now, event.value, None if reason is None else str(reason))
