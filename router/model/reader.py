"""Who reads: radiologists and reporting radiographers, with what they are entitled to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Literal

from router.model.session import Leave, RecentRead, SessionLoad, Workstation

__all__ = [
    "Credential",
    "DeliveryMode",
    "Level",
    "Outsourcer",
    "Profession",
    "Reader",
    "ReaderOnDuty",
    "Workstation",
]


class Profession(StrEnum):
    CONSULTANT = "consultant"
    REGISTRAR = "registrar"
    REPORTING_RADIOGRAPHER = "reporting_radiographer"


class Level(IntEnum):
    """How far a reader goes in a subspecialty; a higher level holds the lower ones."""

    GENERAL = 1
    SPECIAL_INTEREST = 2
    SPECIALIST = 3

    @property
    def word(self) -> Literal["general", "special_interest", "specialist"]:
        """As files and the API say it."""
        words: tuple[Literal["general", "special_interest", "specialist"], ...]
        words = ("general", "special_interest", "specialist")
        return words[self - 1]


class DeliveryMode(StrEnum):
    """Whether reads are given out to the reader, or the reader asks for the next one."""

    PUSH = "push"
    PULL = "pull"


@dataclass(frozen=True, slots=True)
class Outsourcer:
    """A company that reads at a fixed rate, and how many reads may wait with it at once."""

    price_pence_per_read: int
    queue_limit: int


@dataclass(frozen=True, slots=True)
class Credential:
    """The right to read for a trust, from `valid_from` to just before `valid_until`, unless revoked."""

    id: str
    trust: str
    valid_from: datetime
    valid_until: datetime
    revoked_at: datetime | None = None

    def holds(self, trust: str, now: datetime) -> bool:
        revoked = self.revoked_at is not None and self.revoked_at <= now
        return self.trust == trust and self.valid_from <= now < self.valid_until and not revoked


@dataclass(frozen=True, slots=True)
class Reader:
    """`levels` and `subspecialties` always have the same keys: a subspecialty without a level counts as general.

    `exam_scope` holds exam groups or standard codes; None means not restricted, and a radiographer must have one.
    `speeds` are personal, by exam group: 1.0 is the group's, 1.25 reads in 80 % of the group's minutes. `max_run` is
    how many reads of one exam group may follow each other before another one is rather given;
    `break_after_minutes` how long the reader reads without a break. `display_valid_until` None: not recorded.
    """

    id: str
    name: str
    registration: str
    employer: str
    modalities: frozenset[str]
    subspecialties: frozenset[str]
    workstation: Workstation
    credentials: tuple[Credential, ...] = ()
    active: bool = True
    profession: Profession = Profession.CONSULTANT
    levels: Mapping[str, Level] = field(default_factory=dict, hash=False)
    exam_scope: frozenset[str] | None = None
    speeds: Mapping[str, float] = field(default_factory=dict, hash=False)
    max_run: int | None = None
    break_after_minutes: int | None = None
    display_valid_until: datetime | None = None
    delivery: DeliveryMode = DeliveryMode.PUSH
    outsourcer: Outsourcer | None = None

    def __post_init__(self) -> None:
        levels = dict.fromkeys(self.subspecialties, Level.GENERAL) | dict(self.levels)
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "subspecialties", frozenset(levels))

    def is_credentialed(self, trust: str, now: datetime) -> bool:
        """Whether the reader may read for the trust at this moment."""
        return self.active and any(credential.holds(trust, now) for credential in self.credentials)

    def minutes_for(self, expected_minutes: float, exam_group: str | None) -> float:
        """The group's expected minutes at this reader's own speed."""
        return expected_minutes / (1.0 if exam_group is None else self.speeds.get(exam_group, 1.0))

    def may_read_exam(self, exam_code: str | None, exam_group: str | None) -> bool:
        """Whether the exam is in scope; what has neither code nor group is in nobody's limited scope."""
        return self.exam_scope is None or not self.exam_scope.isdisjoint({exam_code, exam_group} - {None})


@dataclass(frozen=True, slots=True)
class ReaderOnDuty:
    """A reader with the load of every session that is open now, leave that covers now, and reads that wait there.

    `recent` are the reads of the open sessions in the order of reading, kept where the reader wants breaks or changes.
    """

    reader: Reader
    sessions: tuple[SessionLoad, ...]
    leave: tuple[Leave, ...] = ()
    waiting_reads: int = 0
    recent: tuple[RecentRead, ...] = ()
