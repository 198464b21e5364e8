"""A person answers an alert: by a one-time link or through the API. Only this ends the ladder."""

import hashlib
import secrets
from datetime import datetime, timedelta

from router.alert_settings import AlertsFile
from router.flows.alert_life import change_alert, resolve_items
from router.flows.ports import Transaction
from router.model.alert import UNANSWERED, Alert, Link, Notification
from router.model.errors import Conflict, NotFound
from router.rules.alert_states import AlertActor, AlertEvent


def acknowledge(
    tx: Transaction, alert_id: str, person: str, note: str, by: str, settings: AlertsFile, now: datetime
) -> Alert:
    """`person` takes the alert on; `by` says over which way, for the ledger.

    Raises:
        NotFound: no such alert.
        Conflict: somebody acknowledged it before; says who.
    """
    alert = _locked(tx, alert_id)
    if alert.state not in UNANSWERED:
        raise Conflict(f"already acknowledged by {alert.acknowledged_by}; the alert is {alert.state.value}")
    changes = {
        "acknowledged_by": person,
        "acknowledged_at": now,
        "acknowledged_note": note,
        "look_at": now + timedelta(minutes=settings.close_within_minutes),
    }
    detail = {"person": person, "note": note}
    event, actor = AlertEvent.ACKNOWLEDGE, AlertActor.PERSON
    after = change_alert(tx, alert, event, actor, now, by=by, detail=detail, changes=changes)
    tx.alerts.withdraw_notifications(alert.id, now)
    resolve_items(tx, alert, "phone_list", by, f"acknowledged by {person}", now)
    return after


def close(tx: Transaction, alert_id: str, person: str, note: str, by: str, now: datetime) -> Alert:
    """`person` says what was done; nothing is asked about this alert any more.

    Raises:
        NotFound: no such alert.
        TransitionRefused: nobody acknowledged it yet, or it is closed.
    """
    alert = _locked(tx, alert_id)
    changes = {"closed_by": person, "closed_at": now, "closed_note": note, "look_at": None}
    detail = {"person": person, "note": note}
    after = change_alert(tx, alert, AlertEvent.CLOSE, AlertActor.PERSON, now, by=by, detail=detail, changes=changes)
    resolve_items(tx, alert, "alert_unclosed", by, f"closed by {person}", now)
    return after


def make_link(tx: Transaction, told: Notification, settings: AlertsFile, now: datetime) -> str:
    """A one-time link for this recipient; only the digest of its secret is kept.

    Each attempt to send makes a new one: a killed attempt may have been received, so its link goes on to work.
    """
    secret = secrets.token_urlsafe(32)
    expires_at = now + timedelta(hours=settings.link_hours)
    tx.alerts.add_link(Link(_digest(secret), told.alert_id, told.id, told.recipient.name, now, expires_at))
    return f"{settings.public_url}/alert/{secret}"


def find_link(tx: Transaction, secret: str, now: datetime) -> tuple[Link, Alert]:
    """What a link is for.

    Raises:
        NotFound: no such link, or it has expired; which of them is not said.
    """
    link = tx.alerts.link(_digest(secret))
    alert = tx.alerts.get(link.alert_id) if link is not None else None
    if link is None or alert is None or link.expires_at <= now:
        raise NotFound("this link is not valid, or has expired")
    return link, alert


def expired_link(tx: Transaction, secret: str) -> Alert | None:
    """The alert of a link that was valid once, for whoever opens it too late; it answers nothing any more."""
    link = tx.alerts.link(_digest(secret))
    return None if link is None else tx.alerts.get(link.alert_id)


def acknowledge_by_link(tx: Transaction, secret: str, person: str, settings: AlertsFile, now: datetime) -> Alert:
    """As `acknowledge`, by whoever received the link.

    Raises:
        NotFound: no such link, or it has expired.
        Conflict: the link was used, or somebody acknowledged the alert before.
    """
    link, alert = find_link(tx, secret, now)
    told = tx.alerts.notification(link.notification_id)
    if told is None or told.round != alert.round:
        raise Conflict("the report was matched since: the trust that made the images is told, and answers for itself")
    if link.used_at is not None:
        raise Conflict(f"this link was used; the alert was acknowledged by {alert.acknowledged_by}")
    note = f"by the link sent to {link.recipient}"
    after = acknowledge(tx, alert.id, person, note, f"link of {link.recipient}", settings, now)
    tx.alerts.use_link(link.digest, now)
    return after


def _locked(tx: Transaction, alert_id: str) -> Alert:
    alert = tx.alerts.get(alert_id, lock=True)
    if alert is None:
        raise NotFound("no such alert")
    return alert


def _digest(secret: str) -> str:
    """The secret is 256 random bits, so a plain SHA-256 is as good as a slow hash (ADR 012)."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
