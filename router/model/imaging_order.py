"""What a trust ordered: why, how soon, for whom. A study joins it by (issuer, accession number)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from router.model.study_identity import PatientKey

Urgency = Literal["stat", "urgent", "soon", "routine"]


@dataclass(frozen=True, slots=True)
class ImagingOrder:
    """`suspected_cancer` is what the referrer suspects beforehand; what a report finds is an alert's matter.

    `origin` is the trust whose node told it. The contacts are telephone numbers or addresses as the order gives them.
    """

    accession_issuer: str
    accession_number: str
    origin: str
    patient: PatientKey
    told_at: datetime
    study_instance_uid: str | None = None
    cancelled: bool = False
    urgency: Urgency | None = None
    suspected_cancer: bool = False
    pathway: str | None = None
    clinical_question: str | None = None
    referrer_name: str | None = None
    referrer_registration: str | None = None
    referrer_contact: str | None = None
    critical_contact: str | None = None
