"""Alerts through the API: who is waiting for an answer and for how long, and a named person's answer."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from router.flows import answer_alert
from router.flows.alert_contact import contact_of
from router.flows.ports import Transaction
from router.flows.raise_alert import raise_by_hand
from router.model.alert import Alert, AlertState
from router.model.errors import NotFound
from router.model.report import AlertCode
from router.store.tokens import Caller
from router.web.access_record import record_list
from router.web.alert_messages import (
    AlertDetailView,
    AlertView,
    AnswerBody,
    NotificationView,
    RaiseBody,
    StepView,
)
from router.web.errors import responses
from router.web.security import ReaderCaller, StaffOrReader
from router.web.services import WithServices

router = APIRouter(prefix="/alerts", tags=["alerts"])


@router.get("", summary="List alerts", responses=responses())
def get_alerts(
    services: WithServices,
    caller: StaffOrReader,
    state: Annotated[list[AlertState] | None, Query(description="Only in these states")] = None,
    trust: Annotated[str | None, Query(description="ODS code of whose ladder it is", examples=["RXN"])] = None,
    after: Annotated[str | None, Query(description="Id of the last alert of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[AlertView]:
    """Alerts with their ages, oldest first. A reader sees those it raised."""
    raised_by = caller.name if caller.role == "reader" else None
    with services.store.read() as tx:
        found = tx.alerts.listing(set(state or ()), trust, raised_by, after, limit)
    now = services.now()
    record_list(services, caller, "alerts", [alert.id for alert in found], state=state, trust=trust, after=after)
    return [AlertView.model_validate(_fields(alert, now)) for alert in found]


@router.get("/{alert_id}", summary="One alert", responses=responses(404))
def get_alert(alert_id: str, services: WithServices, caller: StaffOrReader) -> AlertDetailView:
    """Where an alert is now: its ladder with its times, and who was told over which channel."""
    with services.store.read() as tx:
        return _detail(tx, _visible(tx, alert_id, caller), services.now())


@router.post("", status_code=201, summary="Raise an alert", responses=responses(404))
def post_alert(body: RaiseBody, services: WithServices, caller: ReaderCaller) -> AlertDetailView:
    """Raise an alert about a read that you hold or held; it does not wait for a report.

    Sent again with the same request id, or the same code under the same lease, it answers with the alert there is.
    """
    code = AlertCode(body.code.value, body.code.scheme, body.code.text)
    with services.store.write() as tx:
        read = tx.reads.get(body.read_id, lock=True)
        held = read is not None and any(past.reader_id == caller.subject for past in tx.reads.assignments(read.id))
        if read is None or not held:
            raise NotFound("no such read")
        alert = raise_by_hand(tx, read, code, caller.name, body.request_id, services.now())
        return _detail(tx, alert, services.now())


@router.post("/{alert_id}/acknowledge", summary="Acknowledge an alert", responses=responses(404, 409))
def post_acknowledge(alert_id: str, body: AnswerBody, services: WithServices, caller: StaffOrReader) -> AlertDetailView:
    """A named person has taken the alert on; nobody else is told any more. A reader: of an alert it raised.

    409: somebody acknowledged it before; the message says who.
    """
    with services.store.write() as tx:
        _visible(tx, alert_id, caller)
        settings, now = services.settings.alerts, services.now()
        alert = answer_alert.acknowledge(tx, alert_id, body.person, body.reason, caller.name, settings, now)
        return _detail(tx, alert, now)


@router.post("/{alert_id}/close", summary="Close an alert", responses=responses(404, 409))
def post_close(alert_id: str, body: AnswerBody, services: WithServices, caller: StaffOrReader) -> AlertDetailView:
    """Say what was done about an acknowledged alert, and by whom. A reader: of an alert it raised."""
    with services.store.write() as tx:
        _visible(tx, alert_id, caller)
        now = services.now()
        alert = answer_alert.close(tx, alert_id, body.person, body.reason, caller.name, now)
        return _detail(tx, alert, now)


def _visible(tx: Transaction, alert_id: str, caller: Caller) -> Alert:
    alert = tx.alerts.get(alert_id)
    if alert is None or (caller.role == "reader" and alert.raised_by != caller.name):
        raise NotFound("no such alert")
    return alert


def _fields(alert: Alert, now: datetime) -> dict[str, object]:
    own = {name: getattr(alert, name) for name in AlertView.model_fields if hasattr(alert, name)}
    return {
        **own,
        "age_s": ((alert.closed_at or now) - alert.raised_at).total_seconds(),
        "past_deadline": alert.is_past_deadline(now),
        "on_phone_list": alert.is_on_phone_list,
    }


def _detail(tx: Transaction, alert: Alert, now: datetime) -> AlertDetailView:
    steps = [
        StepView(
            level=step.level,
            who=step.who,
            recipients=[f"{recipient.name} by {recipient.channel}" for recipient in step.recipients],
            due_at=step.due_at,
            begun_at=step.begun_at,
        )
        for step in tx.alerts.steps(alert.id)
        if step.round == alert.round
    ]
    told = [
        NotificationView(
            level=told.level,
            recipient=told.recipient.name,
            channel=told.recipient.channel,
            state=told.state,
            updated_at=told.updated_at,
            reason=told.reason,
        )
        for told in tx.alerts.notifications(alert.id)
    ]
    own = {**_fields(alert, now), "contact": contact_of(tx, alert)}
    return AlertDetailView.model_validate({**own, "steps": steps, "notifications": told})
