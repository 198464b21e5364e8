"""A study as the node's catalogue knows it, and a revision of it."""

from dataclasses import dataclass
from datetime import datetime

from dicom_nodes.model.instance import InstanceHeader, StoredObject


@dataclass(frozen=True, slots=True)
class GrowingStudy:
    """A study with instances that no revision has yet; `last_arrival` is aware UTC."""

    study_instance_uid: str
    last_arrival: datetime


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
