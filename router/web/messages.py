"""The bodies of the API, apart from those of the node exchange (`dicom_nodes.contract`)."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from dicom_nodes.foundation.expectation import Expectation
from dicom_nodes.foundation.settings_file import AeTitle, OdsCode
from router.code_map import ExamGroup, LevelName, Modality
from router.config import ProfessionName, Registration, ReturnsSeed, SessionKindName
from router.web.open_alerts import OpenAlertView

ReaderId = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", examples=["dr-ainsdale"])
Reason = Field(min_length=1, max_length=2000)


class Request(BaseModel):
    """Base of what callers send: unknown fields are refused, and so are Infinity and NaN, which JSON does not know."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class TrustBody(Request):
    ods_code: OdsCode = Field(examples=["RXL"])
    name: str = Field(min_length=1, examples=["Blackpool Teaching Hospitals"])
    returns: ReturnsSeed | None = Field(
        default=None, description="How it wants its reports back; left out: as it is, or by RIS and archive"
    )


class NodeBody(Request):
    """Where other nodes reach this one by DICOM."""

    ods_code: OdsCode = Field(examples=["RXL"])
    ae_title: AeTitle = Field(examples=["RXL_NODE"])
    host: str = Field(min_length=1, examples=["10.20.0.5"])
    port: int = Field(ge=1, le=65535, examples=[11112])


class NodeView(NodeBody):
    last_traffic_at: datetime | None = Field(description="When the node last called; health is proven by traffic")
    health: dict[str, Any] | None = Field(description="What the node last said of itself")
    health_at: datetime | None
    silent: bool = Field(description="Nothing was heard for too long, or never: what it last said is out of date")
    outbox_oldest_s: float | None = Field(
        description="Age of the oldest fact the node had not handed over; unknown while it is silent"
    )
    outbox_depth: int | None = Field(description="Facts it had not handed over; unknown while it is silent")


class WorkstationBody(Request):
    node: OdsCode
    ae_title: AeTitle


class CredentialBody(Request):
    """The right to read for a trust, from `valid_from` to just before `valid_until`."""

    trust: OdsCode
    valid_from: AwareDatetime
    valid_until: AwareDatetime

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "CredentialBody":
        if self.valid_until <= self.valid_from:
            raise Expectation("valid_until must be later than valid_from")
        return self


class CredentialView(CredentialBody):
    id: str
    revoked_at: datetime | None


class OutsourcerBody(Request):
    """A company that reads at a fixed rate; so many reads may wait with it at once."""

    price_pence_per_read: int = Field(ge=0, le=10_000_000)
    queue_limit: int = Field(ge=1, le=1_000_000)


class ReaderBody(Request):
    """What is left out has its default, also in a reader who exists; only speeds stay as they were learned."""

    name: str = Field(min_length=1)
    registration: Registration = Field(description="Professional registration", examples=["C1234567"])
    employer: OdsCode
    modalities: list[Modality]
    subspecialties: list[str] = Field(description="Those that `levels` does not name count as general")
    workstation: WorkstationBody
    active: bool = True
    profession: ProfessionName = "consultant"
    levels: dict[str, LevelName] = Field(default={}, description="By subspecialty")
    exam_scope: list[str] | None = Field(
        default=None, description="Exam groups or standard codes; none: not restricted. A radiographer must have one"
    )
    max_run: int | None = Field(default=None, ge=1, le=10_000, description="Reads of one exam group in a row")
    break_after_minutes: int | None = Field(default=None, ge=1, le=1440)
    display_valid_until: AwareDatetime | None = Field(
        default=None, description="End of the workstation's display check; none: not recorded"
    )
    delivery: Literal["push", "pull"] = "push"
    outsourcer: OutsourcerBody | None = None
    speeds: dict[str, Annotated[float, Field(ge=0.1, le=10)]] | None = Field(
        default=None, description="By exam group: 1.25 reads in 80 % of the group's minutes. Learned; none: as they are"
    )

    @model_validator(mode="after")
    def _radiographers_have_a_scope(self) -> "ReaderBody":
        if self.profession == "reporting_radiographer" and not self.exam_scope:
            raise Expectation("exam_scope: a reporting radiographer must have one")
        return self


class ReaderView(ReaderBody):
    id: str
    credentials: list[CredentialView]


class PutReaderView(ReaderView):
    warnings: list[str] = Field(description="Why nothing is given to the reader, as it is now")


class SessionBody(Request):
    """A booked block of reading time; exactly one of the capacities is given."""

    reader_id: str = ReaderId
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    capacity_reads: int | None = Field(default=None, ge=1, le=100_000)
    capacity_minutes: float | None = Field(default=None, gt=0)
    kind: SessionKindName = "elective"
    place: WorkstationBody | None = Field(default=None, description="None: the reader's own workstation")

    @model_validator(mode="after")
    def _says_how_much(self) -> "SessionBody":
        if self.ends_at <= self.starts_at:
            raise Expectation("ends_at must be later than starts_at")
        if (self.capacity_reads is None) == (self.capacity_minutes is None):
            raise Expectation("give exactly one of capacity_reads and capacity_minutes")
        return self


class SessionView(SessionBody):
    id: str
    pattern_id: str | None = Field(default=None, description="Recurring pattern or calendar entry it was made of")


class BookedSessionView(SessionView):
    warnings: list[str] = Field(description="Why little or nothing will be given to it, as it is now")


class LeaseView(BaseModel):
    """Who holds the read. The fencing token is given once, to whoever claims, and never shown again."""

    reader_id: str
    session_id: str
    epoch: int
    assigned_at: datetime
    claimed_at: datetime | None
    until: datetime


class PriorView(BaseModel):
    study_instance_uid: str
    origin: str
    state: Literal["ordered", "at_node", "delivered", "unreachable"]
    reason: str | None = Field(description="Why it is unreachable")


class PriorsView(BaseModel):
    """`none` is said only when every node was heard; otherwise nothing found is `unreachable`."""

    rule: str
    outcome: Literal["found", "none", "unreachable"]
    studies: list[PriorView]
    not_heard: list[str] = Field(description="ODS codes of silent nodes, which may know of others")


class ReadView(BaseModel):
    """One study to be reported, where it is in its life and who owns the next step."""

    id: str
    study_instance_uid: str
    origin: str
    revision: int
    state: str
    owner: str = Field(description="Who has to act next")
    since: datetime
    created_at: datetime
    modalities: list[str]
    subspecialty: str | None
    expected_minutes: float | None
    priority: str | None
    due_at: datetime | None
    lease: LeaseView | None
    images_delivered_at: datetime | None
    replaces: str | None = Field(description="The read that this one took the place of")
    exam_code: str | None = Field(default=None, description="Standard code")
    exam_group: str | None = None
    minimum_level: LevelName = "general"
    pathway: str | None = None
    directives: dict[str, Any] | None = Field(
        default=None, description="What the routing rules say besides: rules that matched, who may have it, holds"
    )
    second_of: str | None = Field(default=None, description="The first read, of a second read")
    priors: PriorsView | None = Field(
        default=None, description="Of one read: priors ordered with its images; null where no rule asks for any"
    )
    open_alerts: list[OpenAlertView] | None = Field(default=None, description="Of one read: what its study has open")


class OrderView(BaseModel):
    """What a trust ordered, as far as it concerns the reader."""

    accession_number: str
    accession_issuer: str
    told_at: datetime
    cancelled: bool
    urgency: str | None
    suspected_cancer: bool = Field(description="The referrer's suspicion; a finding is an alert")
    pathway: str | None
    clinical_question: str | None
    referrer_name: str | None
    referrer_registration: str | None
    referrer_contact: str | None
    critical_contact: str | None = Field(description="Whom to tell of a critical finding, as the order says")


class ClaimView(BaseModel):
    read: ReadView
    transaction_uid: str = Field(description="Fencing token: present it with every further call and report")
    epoch: int


class ClaimToken(Request):
    transaction_uid: str = Field(description="Fencing token from the claim", examples=["2.25.1234567890"])


class HoldBody(ClaimToken):
    reason: str = Reason


class DeclineBody(Request):
    reason: str = Reason
    transaction_uid: str | None = Field(default=None, description="Needed once the read is claimed")


class ReasonBody(Request):
    reason: str = Reason


class RouteBody(Request):
    """What an unmapped exam is, said by a person."""

    subspecialty: str = Field(min_length=1)
    expected_minutes: float = Field(gt=0, le=1440)
    priority: str = Field(min_length=1)
    exam_group: ExamGroup | None = Field(default=None, description="None: outside every limited exam scope")
    minimum_level: LevelName = "general"


class AlertCodeBody(Request):
    """A code by which a reader asks for an alert."""

    value: str = Field(min_length=1, max_length=200, examples=["CRITICAL"])
    scheme: str = Field(min_length=1, max_length=200, examples=["99ALERT"])
    text: str | None = Field(default=None, max_length=2000)


class SectionBody(Request):
    """A part of the text under its heading."""

    title: str = Field(max_length=200)
    text: str = Field(max_length=1_000_000)


class ReportBody(ClaimToken):
    status: Literal["P", "F", "C", "X"] = Field(
        description="HL7 table 0085: preliminary, final; corrected or cancelled, where a final report stands"
    )
    text: str = Field(min_length=1, max_length=1_000_000)
    report_id: str | None = Field(
        default=None, min_length=8, max_length=64, description="Your own id; sending it twice files one report"
    )
    agreement: Literal["concordant", "discordant"] | None = Field(
        default=None, description="Of a second read's final report: whether it agrees with the first one"
    )
    alert_codes: list[AlertCodeBody] = Field(
        default=[], max_length=20, description="Each raises an alert, whatever becomes of the report"
    )
    sections: list[SectionBody] = Field(
        default=[], max_length=100, description="A view of the text, which is the whole; none: by its headings"
    )
    addendum: bool = Field(default=False, description="The text is added to the report that stands")


class AcceptBody(Request):
    """A person vouches that a held report is of this read."""

    read_id: str = Field(min_length=1, max_length=64)
    reason: str = Reason


class DeliveryView(BaseModel):
    """One channel of a version's way home."""

    channel: str
    state: str
    code: str | None
    reference: str | None
    updated_at: datetime
    queued_at: datetime | None = Field(default=None, description="Since when the origin has to get it")
    order_id: str | None = Field(default=None, description="None while it waits for an earlier version")
    words: str | None = Field(default=None, description="What the destination said, in its own words")
    note: str | None = Field(default=None, description="Why it was held, dropped or called off, and by whom")


class ListedDeliveryView(DeliveryView):
    """A delivery with the version it is of."""

    report_id: str
    version: int
    status: str
    addendum: bool
    trust: str
    study_instance_uid: str
    read_id: str | None
    age_s: float = Field(description="Seconds since the origin has to get it, or until it got it")


class ReportView(BaseModel):
    id: str
    read_id: str | None
    study_instance_uid: str | None
    accession_number: str | None = Field(default=None, description="As the report gives it")
    accession_issuer: str | None = None
    patient_id: str | None = Field(default=None, description="As the report gives it")
    patient_id_issuer: str | None = None
    channel: str
    status: str
    version: int | None
    disposition: str = Field(description="ACCEPTED, or WAITING for a person")
    reasons: list[str]
    registration: str | None
    author_name: str | None
    authored_at: datetime
    received_at: datetime
    text: str
    text_sha256: str
    addendum: bool = False
    sections: list[SectionBody] = Field(default=[], description="A view of the text, which is the whole")
    deliveries: list[DeliveryView]


class AssignmentView(BaseModel):
    epoch: int
    reader_id: str
    session_id: str
    assigned_at: datetime
    ended_at: datetime | None
    outcome: str | None
    reason: str | None
    explanation: dict[str, Any]
    sentences: list[str] = Field(default=[], description="The explanation in plain sentences")


class WhyView(BaseModel):
    """Every decision about a read, with who was eligible, who was not and why."""

    read_id: str
    second_of: str | None = Field(default=None, description="The first read, of a second read")
    state: str
    sentences: list[str] = Field(default=[], description="What rules said of it, and what people are asked about it")
    waiting: dict[str, Any] | None = Field(description="Why nobody has it now, as of the last plan")
    waiting_sentences: list[str] = Field(default=[], description="The same in plain sentences")
    open_alerts: list[OpenAlertView] = Field(default=[], description="Of its study, whatever became of the read")
    assignments: list[AssignmentView]


class QueueItemView(BaseModel):
    id: str
    kind: str
    reason: str
    opened_at: datetime
    study_instance_uid: str | None
    read_id: str | None
    report_id: str | None
    order_id: str | None
    node: str | None
    failed_fact: str | None = Field(description="`fact_failed` only: path of the fact, to read it and carry it out")
    can_resend: bool
    resolved_by: str | None
    resolved_at: datetime | None
    note: str | None


class NoteBody(Request):
    note: str = Field(min_length=1, max_length=2000, description="What was done about it")


class FailedFactView(BaseModel):
    """A fact that a node said and that could not be carried out when it came."""

    node: str
    outbox_id: str
    seq: int
    kind: str
    failure: str
    occurred_at: datetime
    received_at: datetime


class FailedFactBodyView(FailedFactView):
    body: dict[str, Any] = Field(description="What the node said, as it came")


class EntryView(BaseModel):
    id: int
    at: datetime
    event: str
    actor: str
    read_id: str | None
    report_id: str | None
    order_id: str | None
    node: str | None
    detail: dict[str, Any]


class StudyTrace(BaseModel):
    """A study's whole way, oldest first, under the trust that made it."""

    trust: str
    study_instance_uid: str
    accession_number: str | None
    accession_issuer: str | None
    state: str | None = Field(description="Of its present read; None when it has none")
    owner: str | None
    second_read: str | None = Field(default=None, description="State of its latest second read; None when it has none")
    open_alerts: list[OpenAlertView] = Field(default=[], description="That no named person has closed, with their ages")
    entries: list[EntryView]


class TokenBody(Request):
    role: Literal["admin", "coordinator", "reader", "node"]
    subject: str = Field(
        min_length=1, max_length=100, description="A reader's id, a node's ODS code, or who the token is for"
    )


class TokenView(BaseModel):
    id: str
    role: str
    subject: str
    created_at: datetime
    revoked_at: datetime | None = None


class NewTokenView(TokenView):
    token: str = Field(description="Shown this once")


class StateView(BaseModel):
    """One state of a read's or an alert's life."""

    state: str
    means: str
    owner: str
    timeout: str | None = Field(description="Name of the router's setting, or what ends the wait")
    on_timeout: str | None


class TransitionView(BaseModel):
    event: str
    sources: list[str]
    target: str
    who: list[str]
    guard: str
    records: str | None


class LifeView(BaseModel):
    """The transition table the router works by."""

    states: list[StateView]
    transitions: list[TransitionView]


class HealthView(BaseModel):
    state: Literal["ok", "degraded"]
    reasons: list[str] = Field(description="Why it is degraded")
    planned_at: datetime | None = Field(description="When a planner last finished a round, of whichever replica")
    database: str = Field(description="Proven by a query just now", examples=["postgresql"])
    log_id: str
