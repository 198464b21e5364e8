"""What a trust's local exam code means. Codes that are not mapped go to a person."""

from dataclasses import dataclass

from router.model.reader import Level

DEFAULT_SIGMA = 0.5
"""Spread of log minutes where nothing is known: two thirds of reads within a factor of 1.65 of the median."""


@dataclass(frozen=True, slots=True)
class Exam:
    """A local code of a trust and what it stands for. `scheme` is the local code's, `None` for any.

    `standard_scheme` is NICIP or SNOMED CT. `expected_minutes` is the median of a log-normal with spread `sigma` of
    the logarithm. `pathway` is the one it is on unless an order or a rule says otherwise.
    """

    trust: str
    local_code: str
    standard_code: str
    standard_scheme: str
    group: str
    modality: str
    subspecialty: str
    expected_minutes: float
    body_part: str | None = None
    minimum_level: Level = Level.GENERAL
    sigma: float = DEFAULT_SIGMA
    scheme: str | None = None
    pathway: str | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what a trust sent in a period its code map knows."""

    trust: str
    mapped_codes: int
    studies: int
    mapped_studies: int
    uncoded_studies: int
    unmapped: tuple[tuple[str, str | None, int], ...] = ()
    """(code, scheme, studies), the most frequent first."""

    @property
    def share(self) -> float | None:
        """Of the studies with a code; None when there were none."""
        coded = self.studies - self.uncoded_studies
        return None if coded == 0 else self.mapped_studies / coded
