"""What a trust's ADT says of a patient: other data (A08), or that two numbers are one person (A40)."""

from dataclasses import dataclass

from router.model.study_identity import PatientKey


@dataclass(frozen=True, slots=True)
class PatientChange:
    """`prior` is the number that is no longer used; None where only what is known of `present` changed."""

    present: PatientKey
    prior: PatientKey | None = None

    @property
    def number(self) -> PatientKey:
        """The number under which studies of before are known."""
        return self.prior or self.present
