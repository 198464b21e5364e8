"""What a trust's local exam code means. Codes that are not mapped go to a person."""

from dataclasses import dataclass
from datetime import datetime

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


@dataclass(frozen=True, slots=True)
class ReadingTime:
    """One signed read's time in hand: from the claim to the signature without holds, as natural log of minutes."""

    read_id: str
    reader_id: str
    exam_group: str
    log_minutes: float
    at: datetime


@dataclass(frozen=True, slots=True)
class TimeSums:
    """What a reader's reading times of one group add up to."""

    reader_id: str
    exam_group: str
    reads: int
    sum_log: float
    sum_log_squared: float


@dataclass(frozen=True, slots=True)
class GroupTime:
    """What was learned of a group's reading time: a log-normal with this median and spread of the logarithm.

    `prior_minutes` is what the code maps say, before any history.
    """

    exam_group: str
    prior_minutes: float
    median_minutes: float
    sigma: float
    reads: int
    learned_at: datetime

    @property
    def factor(self) -> float:
        """By what the minutes of the group's exams are to be multiplied."""
        return self.median_minutes / self.prior_minutes
