"""What became of a notification: taken by its channel, or given up. Neither answers the alert."""

from datetime import datetime

from router.flows.alert_life import change_alert, log_alert
from router.flows.ports import Transaction
from router.model.alert import AlertState, NotificationState
from router.rules.alert_states import AlertActor, AlertEvent


def record_sent(tx: Transaction, notification_id: str, reference: str, now: datetime) -> None:
    """A channel took it: the alert is NOTIFIED, which answers nothing."""
    told = tx.alerts.notification(notification_id)
    alert = tx.alerts.get(told.alert_id, lock=True) if told is not None else None
    if told is None or alert is None:
        return
    if not tx.alerts.settle_notification(told.id, NotificationState.SENT, now, None, reference):
        return
    detail = {"recipient": told.recipient.name, "channel": told.recipient.channel, "reference": reference}
    by = f"channel {told.recipient.channel}"
    if alert.state is AlertState.RAISED and told.round == alert.round:
        change_alert(tx, alert, AlertEvent.NOTIFY, AlertActor.CHANNEL, now, by=by, detail=detail)
    else:
        log_alert(tx, "alert.notified", alert, now, by, {"level": told.level, **detail})


def record_failed(tx: Transaction, notification_id: str, reason: str, now: datetime) -> None:
    """A channel gave up: the ladder looks at once whether anybody is left who was told."""
    told = tx.alerts.notification(notification_id)
    alert = tx.alerts.get(told.alert_id, lock=True) if told is not None else None
    if told is None or alert is None:
        return
    if not tx.alerts.settle_notification(told.id, NotificationState.FAILED, now, reason, None):
        return
    detail = {"recipient": told.recipient.name, "channel": told.recipient.channel, "reason": reason}
    log_alert(tx, "alert.notification_failed", alert, now, f"channel {told.recipient.channel}", detail)
    if alert.is_unanswered and told.round == alert.round:
        tx.alerts.look_at(alert.id, now)
