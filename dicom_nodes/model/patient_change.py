"""What the trust's ADT says of a patient: other data, or that two numbers are one person."""

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class PatientIdentifiers:
    """`issuer` qualifies `patient_id`."""

    issuer: str
    patient_id: str
    nhs_number: str | None = None
    birth_date: date | None = None


@dataclass(frozen=True, slots=True)
class PatientChange:
    """`prior` is the number that is no longer used; None where only the data of `present` changed.

    `unlinked`: `prior` and `present` are two persons.
    """

    present: PatientIdentifiers
    prior: PatientIdentifiers | None
    control_id: str
    original: bytes = field(default=b"", repr=False)
    unlinked: bool = False
