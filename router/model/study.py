"""A study as its origin made it. Identity is always (issuer, id); the origin never changes."""

from dataclasses import dataclass
from datetime import datetime

from router.model.imaging_order import ImagingOrder
from router.model.study_identity import PatientKey

__all__ = ["PatientKey", "Study", "StudyRevision"]


@dataclass(frozen=True, slots=True)
class Study:
    """`patient` is who the images say; `present_patient` who that is now by the origin's ADT, where it changed."""

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
    present_patient: PatientKey | None = None
    order: ImagingOrder | None = None


@dataclass(frozen=True, slots=True)
class StudyRevision:
    """One revision; `manifest` is the contract's, as JSON."""

    study_instance_uid: str
    revision: int
    manifest: dict[str, object]
    manifest_digest: str
    instance_count: int
    settled_at: datetime
