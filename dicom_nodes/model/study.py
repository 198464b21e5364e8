"""A study as the node's catalogue knows it, and a revision of it."""

from dataclasses import dataclass
from datetime import date, datetime

from dicom_nodes.model.instance import InstanceHeader, StoredObject
from dicom_nodes.model.procedure import Announced


@dataclass(frozen=True, slots=True)
class GrowingStudy:
    """A study with instances that no revision has yet; `last_arrival` is aware UTC."""

    study_instance_uid: str
    last_arrival: datetime
    announced: Announced | None = None


@dataclass(frozen=True, slots=True)
class StudyOwner:
    """Whose study it is, as far as its instances have said; `patient_name` is folded for comparison."""

    origin: str
    patient_id_issuer: str | None
    patient_id: str | None
    nhs_number: str | None
    birth_date: date | None
    patient_name: str | None


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study with all its acquired instances, one header of them standing for its patient and study level."""

    header: InstanceHeader
    origin: str
    sending_ae_title: str
    modalities: tuple[str, ...]
    instances: tuple[StoredObject, ...]
    settled_revision: int
    """0 while no revision was made."""
