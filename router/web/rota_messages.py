"""Bodies of the API about the rota: leave, patterns and imports."""

from datetime import date, datetime, time
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from dicom_nodes.foundation.expectation import Expectation
from router.config import SessionKindName
from router.web.messages import ReaderId, Request, WorkstationBody


class LeaveBody(Request):
    reader_id: str = ReaderId
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    reason: str = Field(default="", max_length=200, description="A word for the rota, no reason of health")

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "LeaveBody":
        if self.ends_at <= self.starts_at:
            raise Expectation("ends_at must be later than starts_at")
        return self


class LeaveView(LeaveBody):
    id: str


class PatternBody(Request):
    """Recurring sessions in local time. An end that is not later than the start is on the day after."""

    reader_id: str = ReaderId
    weekdays: list[int] = Field(min_length=1, max_length=7, description="0 is Monday")
    starts: time = Field(description="Local time, such as 09:00", examples=["09:00:00"])
    ends: time = Field(examples=["13:00:00"])
    first_day: date
    last_day: date
    kind: SessionKindName
    every_weeks: int = Field(default=1, ge=1, le=52)
    except_days: list[date] = Field(default=[], max_length=400)
    capacity_reads: int | None = Field(default=None, ge=1, le=100_000)
    capacity_minutes: float | None = Field(default=None, gt=0, description="None, and no reads: as long as it lasts")
    place: WorkstationBody | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> "PatternBody":
        if self.starts.tzinfo is not None or self.ends.tzinfo is not None:
            raise Expectation("starts and ends are local times without an offset")
        if any(not 0 <= day <= 6 for day in self.weekdays):
            raise Expectation("weekdays must be 0 (Monday) to 6 (Sunday)")
        if self.last_day < self.first_day or self.last_day.year > 9000:
            raise Expectation("last_day must not be before first_day")
        if self.capacity_reads is not None and self.capacity_minutes is not None:
            raise Expectation("give at most one of capacity_reads and capacity_minutes")
        return self


class RemarkView(BaseModel):
    row: str = Field(description="Row of the file, or the event or day")
    reason: str


class RotaRowView(BaseModel):
    """A row that was taken; `kind` is `leave` or what the session is for."""

    row: str
    reader_id: str
    starts_at: datetime
    ends_at: datetime
    kind: str
    capacity_reads: int | None = None
    capacity_minutes: float | None = None


class RotaImportView(BaseModel):
    taken: list[RotaRowView]
    refused: list[RemarkView]
    warnings: list[RemarkView]
    removed: int = Field(description="Sessions of recurring entries that are no longer in the file")
    dry_run: bool


class PatternView(PatternBody):
    id: str


class PatternResultView(BaseModel):
    """The pattern, how many sessions it made, and the days on which it could not."""

    pattern: PatternView
    sessions: int
    refused: list[RemarkView]
    warnings: list[RemarkView]


class RotaImportBody(Request):
    """A rota as text. CSV columns: reader, start, end, kind, capacity_minutes, capacity_reads, node, ae_title, note."""

    format: Literal["csv", "ical"]
    text: str = Field(max_length=5_000_000)
    reader_id: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="Whose rota it is")
    trust: str | None = Field(default=None, max_length=6, description="Only readers whom this trust employs")
    kind: SessionKindName | Literal["leave"] | None = Field(
        default=None, description="iCalendar only: of events that name none"
    )
    weeks: int = Field(default=26, ge=1, le=53, description="iCalendar only: how far ahead to lay out")
    dry_run: bool = False
