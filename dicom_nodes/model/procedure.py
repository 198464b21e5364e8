"""Procedure steps: scheduled by an order, performed by a modality (DICOM PS3.3 C.4.10, C.4.13–C.4.16)."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from dicom_nodes.model.attributes import Attributes
from dicom_nodes.model.commitment import InstanceReference


class StepState(StrEnum):
    """Performed Procedure Step Status (0040,0252)."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"

    @property
    def is_final(self) -> bool:
        return self is not StepState.IN_PROGRESS


@dataclass(frozen=True, slots=True)
class PerformedStep:
    """A modality performed procedure step as it stands; `attributes` is everything the modality said."""

    sop_instance_uid: str
    state: StepState
    performed_by: str
    """AE title of the peer that told us."""
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Announcement:
    """Somebody says that these instances of a study exist: those that do not come here are missing."""

    study_instance_uid: str
    announced_by: str
    instances: tuple[InstanceReference, ...]


@dataclass(frozen=True, slots=True)
class Announced:
    """What was announced of a study, against what is here."""

    instances: int
    missing: int
    announced_at: datetime
    """When the first of those missing was announced (aware UTC): later announcements do not hold the study longer."""
    steps_ended: bool = False
    """Its performed procedure steps have all ended, the completed ones (one at least) with their instances listed."""


class ScheduleState(StrEnum):
    """Where a scheduled step stands; only SCHEDULED is on the worklist."""

    SCHEDULED = "SCHEDULED"
    STARTED = "STARTED"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class OrderNumber:
    """A placer's or filler's order number; nothing is joined without its issuer."""

    number: str
    issuer: str


@dataclass(frozen=True, slots=True)
class PatientNumber:
    """A patient by number and who gave it: an order is one patient's for good."""

    number: str
    issuer: str


@dataclass(frozen=True, slots=True)
class ScheduledStep:
    """A step that an order schedules; `attributes` is its worklist item (DICOM PS3.4 table K.6-1)."""

    step_id: str
    study_instance_uid: str
    start_date: str
    """YYYYMMDD."""
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class KnownStep:
    """A scheduled step as it stands here, with what names its order and its patient."""

    order_key: str
    step_id: str
    state: ScheduleState
    placer: OrderNumber | None
    filler: OrderNumber | None
    patient: PatientNumber
    attributes: Attributes = field(compare=False, repr=False)


class OrderControl(StrEnum):
    """ORC-1 (HL7 table 0119), as far as it concerns a worklist."""

    NEW = "NW"
    CHANGE = "XO"
    STATUS = "SC"
    CANCEL = "CA"
    DISCONTINUE = "DC"


Urgency = Literal["stat", "urgent", "soon", "routine"]


@dataclass(frozen=True, slots=True)
class OrderPatient:
    """Whom an order is for, with every identifier that it gives; `accession_issuer` is for numbers that name none."""

    number: PatientNumber | None
    nhs_number: str | None
    birth_date: date | None
    accession_issuer: str


@dataclass(frozen=True, slots=True)
class OrderDetails:
    """What an order asks besides its procedure, for whoever reads the study. No names of patients."""

    patient: OrderPatient
    urgency: Urgency | None = None
    suspected_cancer: bool = False
    pathway: str | None = None
    clinical_question: str | None = None
    referrer_name: str | None = None
    referrer_registration: str | None = None
    referrer_contact: str | None = None
    critical_contact: str | None = None


@dataclass(frozen=True, slots=True)
class ImagingOrder:
    """What one ORC group of an order message wants. `state` is set by a status change only."""

    control: OrderControl
    placer: OrderNumber | None
    filler: OrderNumber | None
    steps: tuple[ScheduledStep, ...] = ()
    state: ScheduleState | None = None
    original: bytes = field(default=b"", repr=False)
    patient: PatientNumber = field(kw_only=True)
    details: OrderDetails | None = field(default=None, kw_only=True)

    @property
    def key(self) -> str:
        """What names the order here; see `order_key`."""
        return order_key(self.placer, self.filler)


def order_key(placer: OrderNumber | None, filler: OrderNumber | None) -> str:
    """The filler's number, else the placer's, with its kind: the two count separately and may be equal by chance."""
    kind, number = ("F", filler) if filler is not None else ("P", placer)
    if number is None:
        raise ValueError("an order has a placer's or a filler's number")
    return json.dumps([kind, number.issuer, number.number], ensure_ascii=False)
