"""A report in one piece: as it came from a reader, and as it goes back to the origin."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from dicom_nodes.model.loss import Loss


class ReportChannel(StrEnum):
    HL7_ORU = "hl7_oru"
    DICOM_SR = "dicom_sr"
    ENCAPSULATED_PDF = "encapsulated_pdf"
    FHIR = "fhir"
    API = "api"


AuthorRole = Literal["author", "verifier", "assistant"]


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A part of the text under its heading; sections are a view, the report's `text` is the whole."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class ReportAuthor:
    """`registration` is a professional one such as GMC `C1234567`; `name` is DICOM PN with carets."""

    registration: str | None
    name: str | None = None
    role: AuthorRole = "author"


@dataclass(frozen=True, slots=True)
class AlertCode:
    """A coded value of a report that may mean an alert; whether it does, the router's list of codes says."""

    value: str
    scheme: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class IncomingReport:
    """What a message or document says; `None` means it does not say. Times are aware UTC.

    `patient_id` counts only with its `patient_id_issuer`, `accession_number` only with its `accession_issuer`.
    `status` is HL7 table 0085's P, F, C or X. `original_reference` is the message control id or SOP Instance UID.
    `author_…` is who signs; `authors` are all who are named. `part` counts the reports of one original from 1.
    """

    channel: ReportChannel
    study_instance_uid: str | None
    accession_number: str | None
    accession_issuer: str | None
    patient_id: str | None
    patient_id_issuer: str | None
    nhs_number: str | None
    birth_date: date | None
    status: str
    text: str
    author_registration: str | None
    author_name: str | None
    authored_at: datetime | None
    original_reference: str
    original: bytes
    sections: tuple[ReportSection, ...] = ()
    authors: tuple[ReportAuthor, ...] = ()
    addendum: bool = False
    alert_codes: tuple[AlertCode, ...] = ()
    part: int = 1


@dataclass(frozen=True, slots=True)
class ClaimedIdentity:
    """Of whom and of which study a refused message says that it is, where all of that could be read."""

    study_instance_uid: str | None
    accession_number: str | None
    accession_issuer: str | None
    patient_id: str | None
    patient_id_issuer: str | None
    nhs_number: str | None
    birth_date: date | None


@dataclass(frozen=True, slots=True)
class RefusedClaims:
    """What could be read of a refused message; not `looked_through`: it may name alert codes that nobody has seen."""

    alert_codes: tuple[AlertCode, ...] = ()
    identity: ClaimedIdentity | None = None
    looked_through: bool = True
    changes: bool = False
    """It corrects or adds to an earlier report, or does not say: then it may say something else under the same code."""


@dataclass(frozen=True, slots=True)
class RefusedReport:
    """What came as a report and cannot be read. `answer` is what its sender was told, `reason` quotes nothing of it."""

    channel: ReportChannel
    answer: str
    reason: str
    original: bytes
    claims: RefusedClaims = RefusedClaims()


@dataclass(frozen=True, slots=True)
class KeptRefusal:
    """A refused report in a list."""

    refusal_id: str
    channel: str
    answer: str
    reason: str
    received_at: datetime
    size_bytes: int


@dataclass(frozen=True, slots=True)
class OutgoingReport:
    """A report for the origin, under the origin's own identifiers. Times are aware UTC.

    `patient_name` (DICOM PN with carets), `patient_sex` and the study's date come from the origin's own images.
    Of an `addendum`, `text` is the whole report with what was added behind it, and `status` is C.
    """

    report_id: str
    version: int
    status: str
    text: str
    author_registration: str | None
    author_name: str | None
    authored_at: datetime
    verified_at: datetime
    study_instance_uid: str
    accession_number: str | None
    accession_issuer: str | None
    patient_id: str | None
    patient_id_issuer: str | None
    nhs_number: str | None
    birth_date: date | None
    patient_name: str | None
    patient_sex: str | None
    study_time: datetime | None
    study_description: str | None
    exam_code: tuple[str, str, str | None] | None
    modality: str | None
    sections: tuple[ReportSection, ...] = ()
    authors: tuple[ReportAuthor, ...] = ()
    addendum: bool = False
    addition: str | None = None
    """Of an addendum: what was added, alone."""
    has_moved: bool = False
    """The patient's identifiers are the present ones by the trust's ADT, and others than the images'."""

    @property
    def moved_to(self) -> str:
        """Belongs to what names a version: under other identifiers than the images' it is no repeat and is filed."""
        patient = (self.patient_id, self.patient_id_issuer, self.nhs_number, self.birth_date)
        return "".join(f"\n{value or ''}" for value in patient) if self.has_moved else ""

    @property
    def assistants(self) -> tuple[ReportAuthor, ...]:
        """Who else is named, in order; never the one who signs."""
        signed = (self.author_registration, self.author_name)
        return tuple(author for author in self.authors if (author.registration, author.name) != signed)


class AckCode(StrEnum):
    """MSA-1 in the original acknowledgement mode (HL7 v2.5.1 ch. 2.9.2)."""

    AA = "AA"
    AE = "AE"
    AR = "AR"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A RIS's answer to a report. `words` is its own text (MSA-3 or ERR), shown to a person, never logged.

    `losses` is what the message could not carry.
    """

    code: AckCode
    control_id: str
    words: str = ""
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelAnswer:
    """How one channel answered to a report; `words` are its own and may name the patient: kept at this node.

    `code` is MSA-1, a DIMSE status in hexadecimal, or an HTTP status; `reference` is what the channel calls the report.
    """

    accepted: bool
    code: str
    reference: str
    words: str = ""
    losses: tuple[Loss, ...] = ()
