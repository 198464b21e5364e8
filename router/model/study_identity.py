"""Who a study, an order or a report is of. Identity is always (issuer, id)."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class PatientKey:
    """Who it is of; None means the sender did not say."""

    issuer: str | None
    patient_id: str | None
    nhs_number: str | None = None
    birth_date: date | None = None
