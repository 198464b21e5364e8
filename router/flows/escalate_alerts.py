"""The clock's part: lay an alert's ladder, begin the steps that are due, and put it on the phone list when nobody
answers. Every look is a commit of its own under the alert's lock, so several replicas may look at once.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

from router.alert_settings import AlertsFile, TrustAlerts
from router.flows.alert_contact import contact_of
from router.flows.alert_life import change_alert, item_key, log_alert
from router.flows.alert_ports import Checkpoint, no_checkpoint
from router.flows.human_queue import About, ask_a_person, ask_again
from router.flows.ports import Store, Transaction
from router.model.alert import Alert, AlertState, AlertStep, Notification, NotificationState, Recipient, Urgency
from router.rules.alert_states import AlertActor, AlertEvent
from router.rules.escalation import DUTY_MANAGER, Rung, due, lay_ladder

NOTIFY_JOB = "alert.notify"
_AT_ONCE = 200

OnFailure = Callable[[Exception], None]


def look_at_alerts(
    store: Store, settings: AlertsFile, now: datetime, on_failure: OnFailure, checkpoint: Checkpoint = no_checkpoint
) -> int:
    """Do what is due of every alert; returns how many were looked at. A failure keeps no other alert back."""
    with store.read() as tx:
        ids = tx.alerts.due(now, _AT_ONCE)
    for alert_id in ids:
        with store.write() as tx:
            failure = tx.attempt(partial(_look, tx, alert_id, settings, now))
            if failure is not None:
                on_failure(failure)
                _show_failure(tx, alert_id, failure, settings, now)
        checkpoint("alert.looked_at")
    return len(ids)


def _show_failure(tx: Transaction, alert_id: str, failure: Exception, settings: AlertsFile, now: datetime) -> None:
    reason = f"the ladder of an alert cannot go on ({type(failure).__name__}): look at the alert and telephone"
    alert = tx.alerts.get(alert_id)
    ask_a_person(tx, "phone_list", reason, item_key(alert) if alert else alert_id, now, _about(alert))
    tx.alerts.look_at(alert_id, now + timedelta(minutes=settings.phone_again_minutes))


def _look(tx: Transaction, alert_id: str, settings: AlertsFile, now: datetime) -> None:
    alert = tx.alerts.get(alert_id, lock=True)
    if alert is None or alert.look_at is None or alert.look_at > now:
        return  # another replica was first
    if alert.state is AlertState.ACKNOWLEDGED:
        _ask_to_close(tx, alert, settings, now)
        return
    if alert.phone_at is None:
        alert = _lay(tx, alert, settings, now)
    steps = [step for step in tx.alerts.steps(alert.id) if step.round == alert.round]
    told = [told for told in tx.alerts.notifications(alert.id) if told.round == alert.round]
    decision = due(alert, steps, told, now, settings.phone_again_minutes * 60)
    for step in steps:
        if step.level in decision.levels:
            alert = _begin(tx, alert, step, now)
    if decision.phone:
        alert = _phone(tx, alert, settings, now)
    tx.alerts.put(replace(alert, look_at=decision.look_at))


def _lay(tx: Transaction, alert: Alert, settings: AlertsFile, now: datetime) -> Alert:
    """Fix the steps and their times, counted from when the alert was raised (or redirected), not from now."""
    trust = settings.trust(alert.trust)
    own = trust.code(alert.code, alert.scheme) if trust is not None else None
    code = own or settings.strictest(alert.code, alert.scheme)
    started_at = alert.started_at or alert.raised_at
    minutes = code.deadline_minutes if code is not None else settings.unknown_code_minutes
    deadline_at = started_at + timedelta(minutes=minutes)
    rungs = _rungs(trust, only_duty_manager=own is None or alert.held_because is not None)
    ladder = lay_ladder(alert.id, alert.round, rungs, started_at, deadline_at)
    tx.alerts.add_steps(ladder.steps)
    laid = replace(
        alert,
        category=code.category if code is not None else "unknown code",
        urgency=Urgency(code.urgency) if code is not None else Urgency.CRITICAL,
        deadline_at=deadline_at,
        phone_at=ladder.phone_at,
    )
    tx.alerts.put(laid)
    if own is None:
        log_alert(tx, "alert.unknown_code", laid, now, "router", {"code": alert.code, "scheme": alert.scheme})
    return laid


def _rungs(trust: TrustAlerts | None, *, only_duty_manager: bool) -> tuple[Rung, ...]:
    """What is not known for sure (whose patient, what the code means) goes to the duty manager alone."""
    if trust is None:
        return ()
    return tuple(
        Rung(rung.who, rung.minutes, tuple(Recipient(r.name, r.channel, r.address) for r in rung.recipients))
        for rung in trust.ladder
        if rung.who == DUTY_MANAGER or not only_duty_manager
    )


def _begin(tx: Transaction, alert: Alert, step: AlertStep, now: datetime) -> Alert:
    tx.alerts.begin_step(step, now)
    detail = {"who": step.who, "recipients": [f"{r.name} by {r.channel}" for r in step.recipients]}
    begun = replace(alert, level=step.level)
    if step.level > 1:
        by, event = AlertActor.CLOCK, AlertEvent.ESCALATE
        begun = change_alert(tx, alert, event, by, now, by="clock", detail=detail, changes={"level": step.level})
    else:
        tx.alerts.put(begun)
        log_alert(tx, "alert.step_begun", begun, now, "clock", {"level": step.level, **detail})
    for place, recipient in enumerate(step.recipients):
        _tell(tx, begun, step, place, recipient, now)
    return begun


def _tell(tx: Transaction, alert: Alert, step: AlertStep, place: int, recipient: Recipient, now: datetime) -> None:
    queued = NotificationState.QUEUED
    told = Notification(str(uuid4()), alert.id, step.round, step.level, recipient, queued, now, now)
    if tx.alerts.add_notification(told, place):
        tx.jobs.enqueue(NOTIFY_JOB, told.id, recipient.channel)


def _phone(tx: Transaction, alert: Alert, settings: AlertsFile, now: datetime) -> Alert:
    """Nobody answered, or nobody could be told: a person telephones. Asked again while it lasts."""
    trust = alert.trust or "no known trust"
    what = f"{alert.category or 'unknown code'} ({alert.code}) for {trust}, raised {alert.raised_at:%Y-%m-%d %H:%M} UTC"
    steps = tx.alerts.steps(alert.id)
    told = ", ".join(step.who for step in steps if step.round == alert.round and step.begun_at) or "nobody"
    contact = contact_of(tx, alert)
    named = f" (the order names: {contact})" if contact else ""
    reason = f"alert not acknowledged: {what}; told so far: {told}. Telephone{named}, then acknowledge alert {alert.id}"
    ask_again(tx, "phone_list", reason, item_key(alert), now, _about(alert), settings.phone_again_minutes * 60)
    if alert.phoned_at is None:
        log_alert(tx, "alert.phone_list", alert, now, "clock", {"level": alert.level})
    return replace(alert, phoned_at=now)


def _ask_to_close(tx: Transaction, alert: Alert, settings: AlertsFile, now: datetime) -> None:
    reason = f"alert {alert.id} was acknowledged by {alert.acknowledged_by} and is not closed: what was done about it?"
    again_s = settings.close_within_minutes * 60
    ask_again(tx, "alert_unclosed", reason, item_key(alert), now, _about(alert), again_s)
    tx.alerts.put(replace(alert, look_at=now + timedelta(seconds=again_s)))


def _about(alert: Alert | None) -> About:
    if alert is None:
        return About()
    return About(alert.study_instance_uid, alert.read_id, alert.report_id, node=alert.trust or None)
