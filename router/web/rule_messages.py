"""The bodies of the API for rule sets."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field

from router.web.messages import ReasonBody, Request

Moment = Annotated[AwareDatetime, Field(ge=datetime(1990, 1, 1, tzinfo=UTC), le=datetime(2190, 1, 1, tzinfo=UTC))]

_TEXT = """[[rules]]
name = "stroke"
owner = "stroke lead"
condition = 'study.description.contains("STROKE")'
[rules.effects]
priority = "urgent"

[default]
"""


class RuleSetBody(Request):
    """A new version: the whole text of a rules file (TOML)."""

    text: str = Field(min_length=1, max_length=1_000_000, examples=[_TEXT])
    comment: str = Field(min_length=1, max_length=2000, description="What this version changes, and why")


class RuleTextBody(Request):
    text: str = Field(min_length=1, max_length=1_000_000, examples=[_TEXT])


class ProblemView(BaseModel):
    severity: str = Field(description="error: it cannot be used. warning: look at it")
    where: str = Field(examples=["rules[2].condition"])
    message: str
    line: int | None = Field(description="Of the text, from 1")
    column: int | None = Field(description="From 1")
    suggestion: str | None = Field(description="What was perhaps meant")


class RuleSetEntryView(BaseModel):
    """A line of the audit, which only grows."""

    version: int
    event: str
    at: datetime
    actor: str
    detail: dict[str, Any]


class RuleSetView(BaseModel):
    version: int
    state: str = Field(description="draft, validated, approved, active, or retired")
    comment: str
    author: str
    created_at: datetime
    digest: str = Field(description="SHA-256 of the text")


class RuleView(BaseModel):
    name: str
    condition: str
    effects: dict[str, Any]
    owner: str
    comment: str
    valid_from: datetime | None
    valid_until: datetime | None


class WholeRuleSetView(RuleSetView):
    text: str
    rules: list[RuleView] | None = Field(description="None where the text cannot be read")
    default: dict[str, Any] | None
    history: list[RuleSetEntryView]


class ValidationView(BaseModel):
    rule_set: RuleSetView | None
    valid: bool
    problems: list[ProblemView]


class ApproveBody(Request):
    comment: str = Field(min_length=1, max_length=2000, description="What was looked at")


class ActivateBody(Request):
    expected_active: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="Refuse if another version than this is active by now"
    )


class LeaveRuleSetBody(ReasonBody):
    """Why, and which version the caller sees active: of two people who press at once, the second one is told."""

    expected_active: int = Field(
        ge=1, le=2**31 - 1, description="The version that is active as far as the caller knows; refused if another is"
    )


class RollBackView(BaseModel):
    active_version: int


class SwitchOffView(BaseModel):
    active_version: None = Field(default=None, description="The exam table alone routes")


class DryRunBody(Request):
    """One study, by UID or by accession number and its issuer."""

    study_instance_uid: str | None = Field(default=None, max_length=64)
    accession_number: str | None = Field(default=None, max_length=64)
    accession_issuer: str | None = Field(default=None, max_length=64)
    at: Moment | None = Field(default=None, description="As if it settled then; now where it is left out")


class AskedView(BaseModel):
    """One rule's answer."""

    rule: str
    value: bool | None = Field(description="None: not asked (outside of its period), or failed")
    failure: str | None
    decided: list[str] = Field(description="What it set")
    overruled: list[str] = Field(description="What it would have set, had no earlier rule set it")


class ChangeView(BaseModel):
    what: str
    before: str
    after: str


class RoutedView(BaseModel):
    subspecialty: str
    priority: str
    due_at: datetime
    expected_minutes: float
    directives: dict[str, Any] | None


class DryRunView(BaseModel):
    version: int
    study_instance_uid: str
    trust: str
    at: datetime
    reason: str | None = Field(description="Why the exam table does not route it; then no rule is asked")
    rules: list[AskedView]
    table: RoutedView | None = Field(description="By the exam table alone")
    before: RoutedView | None = Field(description="By the active rules at the same moment")
    after: RoutedView | None
    changes: list[ChangeView] = Field(description="From before to after")
    read_id: str | None = Field(description="The study's present read, which a dry run does not touch")
    read_state: str | None


class ReplayBody(Request):
    start: Moment = Field(description="Studies that first settled from then")
    end: Moment = Field(description="to just before then")
    baseline: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="Compare with this version; with the active one if left out"
    )
    limit: int = Field(default=20_000, ge=1, le=100_000, description="At most so many studies, the last ones")
    show: int = Field(default=200, ge=0, le=5000, description="At most so many studies in `studies`")


class CountedChangeView(ChangeView):
    studies: int


class DifferenceView(BaseModel):
    at: datetime
    study_instance_uid: str
    trust: str
    rules: list[str]
    changes: list[ChangeView]
    reader_before: str | None = Field(description="Who would have read it; none: nobody by the end, or it is held")
    reader_after: str | None


class ReaderLoadView(BaseModel):
    reader_id: str
    reads_before: int
    reads_after: int
    minutes_before: float
    minutes_after: float


class LateView(BaseModel):
    priority: str
    before: int
    after: int


class AidView(BaseModel):
    """Minutes that readers of one trust read for another."""

    reader_trust: str
    origin: str
    minutes_before: float
    minutes_after: float


class ReplayView(BaseModel):
    """What would have gone elsewhere. Loads, late reports and aid are those of a plain planner over both."""

    version: int
    baseline: int | None = Field(description="None: the exam table alone")
    considered: int
    unmapped: int
    cut: bool = Field(description="There were more than `limit`: the first ones are left out")
    different: int
    displaced: int = Field(description="Studies that are routed alike, and that another reader would have had")
    matches: dict[str, int] = Field(description="Studies that each rule matched")
    failures: dict[str, int] = Field(description="Studies for which each rule failed")
    counts: list[CountedChangeView]
    studies: list[DifferenceView]
    readers: list[ReaderLoadView]
    late: list[LateView]
    aid: list[AidView]
    held_before: int
    held_after: int
    unread_before: int
    unread_after: int


class NameView(BaseModel):
    """One name that conditions may use."""

    name: str
    kind: str
    means: str
