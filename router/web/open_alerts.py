"""Open alerts beside the reads of their study: a read that closes hides none (ADR 123)."""

from datetime import datetime

from pydantic import BaseModel, Field

from router.flows.ports import Transaction
from router.model.alert import Alert


class OpenAlertView(BaseModel):
    id: str
    state: str
    code: str
    category: str | None
    urgency: str | None
    read_id: str | None = Field(description="None: of a report that was refused or waits")
    age_s: float = Field(description="Since it was raised")
    deadline_at: datetime | None
    past_deadline: bool
    on_phone_list: bool
    acknowledged_by: str | None


def open_alerts(tx: Transaction, study_instance_uid: str, now: datetime) -> list[OpenAlertView]:
    """Those of the study that no named person has closed, oldest first, whichever of its reads they are of."""
    return [_view(alert, now) for alert in tx.alerts.of_study(study_instance_uid) if alert.is_open]


def _view(alert: Alert, now: datetime) -> OpenAlertView:
    return OpenAlertView(
        id=alert.id,
        state=alert.state,
        code=alert.code,
        category=alert.category,
        urgency=alert.urgency,
        read_id=alert.read_id,
        age_s=(now - alert.raised_at).total_seconds(),
        deadline_at=alert.deadline_at,
        past_deadline=alert.is_past_deadline(now),
        on_phone_list=alert.is_on_phone_list,
        acknowledged_by=alert.acknowledged_by,
    )
