"""A study as its origin made it. Identity is always (issuer, id); the origin never changes."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class PatientKey:
    """Who it is of; None means the sender did not say."""

    issuer: str | None
    patient_id: str | None
    nhs_number: str | None = None
    birth_date: date | None = None


@dataclass(frozen=True, slots=True)
class Study:
    study_instance_uid: str
    origin: str
    accession_number: str | None
    accession_issuer: str | None
    patient: PatientKey
    revision: int
    modalities: tuple[str, ...]
    description: str | None
    exam_code: tuple[str, str, str | None] | None
    body_part: str | None
    study_time: datetime | None


@dataclass(frozen=True, slots=True)
class StudyRevision:
    """One revision; `manifest` is the contract's, as JSON."""

    study_instance_uid: str
    revision: int
    manifest: dict[str, object]
    manifest_digest: str
    instance_count: int
    settled_at: datetime
