"""What node and router say to one another: facts go up, orders come down. Versioned; the router's only import.

Patient names are not here: the router decides by identifiers, and the origin node adds the name to a report from
its own images. Identity is always (issuer, id); `None` means the sender did not say, never "empty".
"""

import hashlib
from datetime import date
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

CONTRACT_VERSION = 1


class Message(BaseModel):
    """Base of everything on this wire: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PatientIdentity(Message):
    """Who the images or the report are of. `issuer` qualifies `patient_id` (DICOM (0010,0021), HL7 CX.4/CX.6)."""

    issuer: str | None
    patient_id: str | None
    nhs_number: str | None = None
    birth_date: date | None = None


class StudyIdentity(Message):
    """A study as its origin made it; `origin` is the ODS code of that trust and never changes."""

    study_instance_uid: str
    origin: str
    accession_number: str | None
    accession_issuer: str | None
    patient: PatientIdentity


class ManifestEntry(Message):
    """One instance; `digest` is the BLAKE3 (hex) of the data set's bytes as received, without file meta."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    digest: str
    size_bytes: int


class Manifest(Message):
    """All instances of a revision, ordered by SOP Instance UID."""

    entries: tuple[ManifestEntry, ...]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the ordered (SOP Instance UID, digest) pairs: equal means the same content."""
        lines = (f"{e.sop_instance_uid} {e.digest}\n" for e in self.entries)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


class ExamCode(Message):
    """Procedure code as the origin sent it ((0008,1032) or (0040,0260)): value, scheme, meaning."""

    value: str
    scheme: str
    meaning: str | None = None


class ReportAuthor(Message):
    """Who signs: a professional registration such as GMC `C1234567`; the name is for people."""

    registration: str | None
    name: str | None = None
    role: Literal["author", "verifier", "assistant"] = "author"


class ReportSection(Message):
    """A part of a report's text under its heading; sections are a view, `text` is the whole report."""

    title: str
    text: str


class AlertCode(Message):
    """A coded value of a report that may mean an alert; whether it does, the router's list of codes says."""

    value: str
    scheme: str
    text: str | None = None


ReportStatus = Literal["P", "F", "C", "X"]
"""HL7 table 0085: preliminary, final, corrected, cancelled."""
ReturnChannel = Literal["ris", "archive", "pdf", "fhir"]
"""How a report goes back: ORU^R01 to the RIS, SR and Encapsulated PDF to the archive, FHIR to an endpoint."""


# -- facts ---------------------------------------------------------------------------------------------------------
class StudySettled(Message):
    """A study stopped growing: revision `revision` with its manifest. Late instances make the next revision."""

    kind: Literal["study.settled"] = "study.settled"
    study: StudyIdentity
    revision: int
    study_time: AwareDatetime | None
    modalities: tuple[str, ...]
    description: str | None
    exam_code: ExamCode | None
    body_part: str | None
    sending_ae_title: str | None
    manifest: Manifest
    notices: tuple[str, ...] = ()
    """Sentences for a person, without patient data: what is odd about the study though it is taken as it is."""


class StudyArchived(Message):
    """Every instance of the revision was acknowledged by the origin's own archive."""

    kind: Literal["study.archived"] = "study.archived"
    study_instance_uid: str
    revision: int
    instance_count: int
    archive: str


class InstanceQuarantined(Message):
    """Something arrived that could not be taken as it is; it is kept, and a person must look."""

    kind: Literal["instance.quarantined"] = "instance.quarantined"
    quarantine_id: str
    reason: str
    study_instance_uid: str | None
    sop_instance_uid: str | None
    sending_ae_title: str


class ReportReceived(Message):
    """A report came in and its original is durable at the node; the router matches it to a read."""

    kind: Literal["report.received"] = "report.received"
    report_id: str
    channel: Literal["hl7_oru", "dicom_sr", "encapsulated_pdf", "fhir", "api"]
    study_instance_uid: str | None
    accession_number: str | None
    accession_issuer: str | None
    patient: PatientIdentity
    status: ReportStatus
    text: str
    author: ReportAuthor
    authored_at: AwareDatetime | None
    original_reference: str
    original_digest: str
    sections: tuple[ReportSection, ...] = ()
    authors: tuple[ReportAuthor, ...] = ()
    addendum: bool = False
    """The text is an addition to an earlier verified report, not a replacement."""
    alert_codes: tuple[AlertCode, ...] = ()


class ReportRefused(Message):
    """A report could not be read; its original is kept at the node, its sender was told, and a person must look."""

    kind: Literal["report.refused"] = "report.refused"
    refusal_id: str
    channel: Literal["hl7_oru", "dicom_sr", "encapsulated_pdf", "fhir", "api"]
    answer: str
    reason: str
    original_digest: str
    alert_codes: tuple[AlertCode, ...] = ()
    """Coded values of the original, as of a report that is taken."""
    looked_through: bool = True
    """False: a part of the original was never seen and may name an alert."""
    study_instance_uid: str | None = None
    accession_number: str | None = None
    accession_issuer: str | None = None
    patient: PatientIdentity | None = None
    """None: of whom it is could not be read as a whole."""
    changes: bool = False
    """It corrects or adds to an earlier report, or does not say whether it does."""


class MessageRefused(Message):
    """An order or a change of a patient could not be taken; kept and told as a refused report is, without a patient."""

    kind: Literal["message.refused"] = "message.refused"
    refusal_id: str
    channel: Literal["hl7_order", "hl7_adt"]
    answer: str
    reason: str
    original_digest: str


class OrderCompleted(Message):
    """An order was carried out in full; `instance_count`/`manifest_digest` prove a fetch or a delivery."""

    kind: Literal["order.completed"] = "order.completed"
    order_id: str
    instance_count: int | None = None
    manifest_digest: str | None = None
    channels: tuple[ReturnChannel, ...] = ()
    """Of a report's return: the channels that this trust wants, each of which has acknowledged."""


class OrderParked(Message):
    """An order ran out of attempts, or was refused for good; it waits for a person and can be sent again."""

    kind: Literal["order.parked"] = "order.parked"
    order_id: str
    reason: str
    attempts: int
    channel: ReturnChannel | None = None
    """Of a report's return: the channel that waits; the others go on without it."""


class ReportAcknowledged(Message):
    """One channel of a report's return answered: `AA` of the RIS, `0000` of the archive, `201` of FHIR; or no.

    `words` are the destination's own with a refusal, where they name no patient. `losses` are sentences for a person,
    without patient data: what the channel could not carry, though nothing that changes the meaning.
    """

    kind: Literal["report.acknowledged"] = "report.acknowledged"
    order_id: str
    channel: ReturnChannel
    code: str
    reference: str
    words: str | None = None
    losses: tuple[str, ...] = ()


class PatientChanged(Message):
    """The trust's ADT changed a patient: new data (A08, `prior` None), or `prior` was merged into `present` (A40).

    `unlinked` (A37): the two are not one person after all.
    """

    kind: Literal["patient.changed"] = "patient.changed"
    present: PatientIdentity
    prior: PatientIdentity | None = None
    reference: str
    """Message control id (MSH-10)."""
    unlinked: bool = False


class Referrer(Message):
    """Who asks for the imaging; `contact` is a telephone number or address as the order gives it."""

    name: str | None = None
    registration: str | None = None
    contact: str | None = None


class ImagingOrdered(Message):
    """The trust ordered imaging, changed the order or cancelled it; a study joins it by (issuer, accession number).

    `suspected_cancer` is what the referrer suspects; a finding of a report is an alert and is told by the report.
    A cancellation says no more than which order it is of.
    """

    kind: Literal["imaging.ordered"] = "imaging.ordered"
    accession_number: str = Field(min_length=1)
    accession_issuer: str = Field(min_length=1)
    patient: PatientIdentity
    study_instance_uid: str | None = None
    cancelled: bool = False
    urgency: Literal["stat", "urgent", "soon", "routine"] | None = None
    suspected_cancer: bool = False
    pathway: str | None = None
    clinical_question: str | None = None
    referrer: Referrer | None = None
    critical_contact: str | None = None


class StudyIncomplete(Message):
    """A modality or an archive announced instances of a study that are still not here; `notice` is for a person."""

    kind: Literal["study.incomplete"] = "study.incomplete"
    study_instance_uid: str
    announced_by: str
    announced: int
    missing: int
    notice: str


class ProcedureStepChanged(Message):
    """A modality began, went on with or ended a performed procedure step (MPPS).

    `instance_count` is what a COMPLETED step says it made; None where it does not say.
    """

    kind: Literal["procedure_step.changed"] = "procedure_step.changed"
    procedure_step_uid: str
    state: Literal["IN PROGRESS", "COMPLETED", "DISCONTINUED"]
    study_instance_uids: tuple[str, ...]
    performed_by: str
    modality: str
    series_count: int
    instance_count: int | None = None


class JobParked(Message):
    """Work of the node's own (such as forwarding to the archive) ran out of attempts."""

    kind: Literal["job.parked"] = "job.parked"
    job_kind: str
    job_key: str
    reason: str
    attempts: int


FactBody = Annotated[
    StudySettled
    | StudyArchived
    | InstanceQuarantined
    | ReportReceived
    | ReportRefused
    | MessageRefused
    | OrderCompleted
    | OrderParked
    | ReportAcknowledged
    | JobParked
    | StudyIncomplete
    | PatientChanged
    | ImagingOrdered
    | ProcedureStepChanged,
    Field(discriminator="kind"),
]


class Fact(Message):
    """A fact at its place in a node's outbox; `seq` counts from 1 without gaps."""

    seq: int = Field(ge=1)
    occurred_at: AwareDatetime
    body: FactBody


class NodeHealth(Message):
    """How the node is; `reasons` are sentences for people and hold no patient data."""

    state: Literal["ok", "degraded", "refusing"]
    reasons: tuple[str, ...]
    free_bytes: int
    parked_jobs: int
    quarantined: int
    outbox_depth: int
    outbox_oldest_s: float


class FactBatch(Message):
    """Body of `POST /node/v1/facts`. `outbox_id` names this life of the outbox: a new one starts again at 1."""

    version: Literal[1] = 1
    outbox_id: str
    facts: tuple[Fact, ...]
    health: NodeHealth


class FactReceipt(Message):
    """Answer: every fact up to and including this `seq` of this outbox is durable at the router."""

    accepted_through: int


# -- orders --------------------------------------------------------------------------------------------------------
class NodeAddress(Message):
    """Where a node listens for DICOM."""

    ods_code: str
    ae_title: str
    host: str
    port: int


class FetchStudy(Message):
    """Bring a revision from another node into this one's spool."""

    kind: Literal["fetch"] = "fetch"
    read_id: str
    study: StudyIdentity
    revision: int
    manifest: Manifest
    source: NodeAddress


class DeliverStudy(Message):
    """Send a revision, already at this node, to a workstation by C-STORE, and prove every instance."""

    kind: Literal["deliver"] = "deliver"
    read_id: str
    study: StudyIdentity
    revision: int
    manifest: Manifest
    workstation_ae_title: str


class ReturnReport(Message):
    """Return a report to this node's trust, which made the images: RIS (ORU^R01) and archive (SR)."""

    kind: Literal["return"] = "return"
    read_id: str
    report_id: str
    version: int = Field(ge=1)
    study: StudyIdentity
    status: ReportStatus
    text: str
    author: ReportAuthor
    authored_at: AwareDatetime
    verified_at: AwareDatetime
    exam_code: ExamCode | None = None
    sections: tuple[ReportSection, ...] = ()
    authors: tuple[ReportAuthor, ...] = ()
    addendum: bool = False
    present_patient: PatientIdentity | None = None
    """Who the patient is now by this trust's ADT, where that changed since the images; `study` says what they say."""
    standing_text: str | None = None
    """Of an addendum: the whole report that it is added to, for a RIS that replaces what it has by what it gets."""
    channels: tuple[ReturnChannel, ...] = ()
    """Only by these; empty: by all that the trust's file asks for."""


class RecallReport(Message):
    """Do not send an earlier return by these channels any more; what was acknowledged stays so. Done at once."""

    kind: Literal["recall"] = "recall"
    read_id: str
    order_id: str
    channels: tuple[ReturnChannel, ...]
    called_off: bool = False
    """By a person. Otherwise the version comes again, or one that takes its place."""


class TellRis(Message):
    """Tell this node's RIS of an alert about a study of its own trust; not a report, and no version of one.

    Completed when the RIS has taken the message (application ACK), which is no acknowledgement of the alert.
    """

    kind: Literal["tell_ris"] = "tell_ris"
    alert_id: str
    notification_id: str
    study: StudyIdentity
    report_id: str | None
    code: AlertCode
    category: str
    urgency: Literal["critical", "urgent", "significant"]
    level: int = Field(ge=1)
    raised_at: AwareDatetime
    deadline_at: AwareDatetime
    link: str | None = None
    """Where to acknowledge; made when the order is handed over, so that the router's log keeps no secret."""
    report_place: str | None = None
    """Where the report was when the order was handed over, in words for a person, and whom to ring about it."""
    present_patient: PatientIdentity | None = None
    """As of `ReturnReport`: who the patient is now by this trust's ADT."""


class ResendJob(Message):
    """A person wants parked work tried again: an earlier order (`job_key` = its id) or the node's own job."""

    kind: Literal["resend"] = "resend"
    job_kind: str
    job_key: str


OrderBody = Annotated[
    FetchStudy | DeliverStudy | ReturnReport | RecallReport | TellRis | ResendJob, Field(discriminator="kind")
]


class Order(Message):
    """An order at its place in the node's log; `seq` ascends from 1, `order_id` is unique in the network."""

    seq: int = Field(ge=1)
    order_id: str
    issued_at: AwareDatetime
    body: OrderBody


class OrderBatch(Message):
    """Answer of `GET /node/v1/orders?log_id=L&after=N&wait=S`.

    `log_id` names this life of the router's order log. A node that knows another one starts again after 0.
    """

    version: Literal[1] = 1
    log_id: str
    orders: tuple[Order, ...]
