"""What a trust's ADT says of a patient: other data (A08), that two numbers are one person (A40) or two (A37)."""

from dataclasses import dataclass

from router.model.study_identity import PatientKey


@dataclass(frozen=True, slots=True)
class PatientChange:
    """`prior` is the number that is no longer used; None where only what is known of `present` changed.

    `unlinked`: both are persons of their own (A37).
    """

    present: PatientKey
    prior: PatientKey | None = None
    unlinked: bool = False

    @property
    def number(self) -> PatientKey:
        """The number under which studies of before are known."""
        return self.prior or self.present
