"""Bodies of the API about reports that wait: both sides of a match, and what two persons do about it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class ComparedView(BaseModel):
    """One identifier on both sides."""

    what: str
    report: str | None
    read: str | None
    verdict: Literal["same", "differs", "not said"]


class SideView(BaseModel):
    """A read that the report may be of, beside what the report says."""

    read_id: str | None = Field(description="The present read of the study; none where it has none")
    study_instance_uid: str
    origin: str
    description: str | None
    study_time: datetime | None
    state: str | None
    holder: str | None = Field(description="Id of the reader who holds the read, or held it last")
    compared: list[ComparedView]
    contradictions: list[str]


class ProposedView(BaseModel):
    """A match by hand that waits for a second person."""

    read_id: str
    proposed_by: str
    proposed_at: datetime
    reason: str
    contradictions: list[str]


class SidesView(BaseModel):
    """What a held report says, beside the reads it may be of."""

    report_id: str
    reasons: list[str] = Field(description="Why it waits")
    channel: str
    node: str | None
    status: str
    addendum: bool
    registration: str | None
    author_name: str | None
    authored_at: datetime
    received_at: datetime
    text: str
    candidates: list[SideView]
    proposed: ProposedView | None
