"""The bodies of the alerts' endpoints."""

from datetime import datetime

from pydantic import BaseModel, Field

from router.web.messages import AlertCodeBody, Request


class RaiseBody(Request):
    """The same request id, or without one the same code of the same read and lease, raises one alert only."""

    read_id: str = Field(min_length=1, max_length=64)
    code: AlertCodeBody
    request_id: str | None = Field(default=None, min_length=1, max_length=64)


class AnswerBody(Request):
    person: str = Field(min_length=2, max_length=200, description="Who has taken it on: a name and where to find them")
    reason: str = Field(min_length=1, max_length=2000, description="What was done, or how the person was told")


class StepView(BaseModel):
    """A step of the ladder; its time is fixed when the ladder begins."""

    level: int
    who: str
    recipients: list[str]
    due_at: datetime
    begun_at: datetime | None


class NotificationView(BaseModel):
    level: int
    recipient: str
    channel: str
    state: str = Field(description="SENT: the channel took it, which is no acknowledgement")
    updated_at: datetime
    reason: str | None = Field(description="Why it failed")


class AlertView(BaseModel):
    id: str
    state: str = Field(description="RAISED, NOTIFIED, ESCALATED, ACKNOWLEDGED or CLOSED")
    level: int = Field(description="The step of the ladder that was begun last")
    trust: str = Field(description="Whose ladder: the origin's, or the reading site's while the report waits")
    held_because: str | None = Field(description="Why the report waits for a person")
    code: str
    scheme: str
    code_text: str | None
    category: str | None
    urgency: str | None
    raised_by: str
    raised_at: datetime
    age_s: float = Field(description="Since it was raised, or until it was closed")
    deadline_at: datetime | None
    past_deadline: bool
    on_phone_list: bool
    study_instance_uid: str | None
    accession_number: str | None
    accession_issuer: str | None
    read_id: str | None
    report_id: str | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    acknowledged_note: str | None
    closed_by: str | None
    closed_at: datetime | None
    closed_note: str | None


class AlertDetailView(AlertView):
    contact: str | None = Field(description="Whom the order asks to tell, as the order gives it")
    steps: list[StepView] = Field(description="Of the present ladder")
    notifications: list[NotificationView] = Field(description="Of every ladder, in order")
