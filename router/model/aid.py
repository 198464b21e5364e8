"""Mutual aid: what trusts agreed to read for each other, and the account of what was read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

DEFAULT_ACUTE_RESERVE = 0.2


@dataclass(frozen=True, slots=True)
class AidLimits:
    """What a trust gives (out: its readers' minutes for others) and takes (in: others' minutes for it) in a day.

    None means not limited. A day is one of local time (Europe/London). The limits of a group come on top of the
    overall ones. `acute_reserve` is the share of every limit that only acute reads may use.
    """

    trust: str
    reads_for: frozenset[str] = frozenset()
    minutes_out_per_day: float | None = None
    minutes_in_per_day: float | None = None
    group_minutes_out: Mapping[str, float] = field(default_factory=dict, hash=False)
    group_minutes_in: Mapping[str, float] = field(default_factory=dict, hash=False)
    acute_reserve: float = DEFAULT_ACUTE_RESERVE


@dataclass(frozen=True, slots=True)
class AidUse:
    """Minutes that were given out today by readers of `employer` to reads of `origin` and not handed back."""

    employer: str
    origin: str
    exam_group: str | None
    minutes: float


@dataclass(frozen=True, slots=True)
class AidBook:
    """Every trust's limits with today's use: what the rules need to say whether one more read fits.

    A trust that recorded no limits has none: its readers' credentials alone decide for whom they read.
    """

    limits: Mapping[str, AidLimits] = field(default_factory=dict, hash=False)
    used: tuple[AidUse, ...] = ()

    def minutes_out(self, trust: str, exam_group: str | None = None) -> float:
        """What the trust's readers give to others today, of one group or of all."""
        mine = (use for use in self.used if use.employer == trust)
        return sum(use.minutes for use in mine if exam_group in {None, use.exam_group})

    def minutes_in(self, trust: str, exam_group: str | None = None) -> float:
        """What others give to the trust today, of one group or of all."""
        mine = (use for use in self.used if use.origin == trust)
        return sum(use.minutes for use in mine if exam_group in {None, use.exam_group})


@dataclass(frozen=True, slots=True)
class AidEntry:
    """One signed read across trusts: a credit to the reader's employer, a debit to the origin, once for each read."""

    read_id: str
    at: datetime
    employer: str
    origin: str
    reader_id: str
    exam_group: str | None
    minutes: float
    reads: int = 1
    acute: bool = False


@dataclass(frozen=True, slots=True)
class AidBalance:
    """A trust's account with one other over a period: what it read for the other, and the other for it."""

    trust: str
    other: str
    credit_minutes: float
    credit_reads: int
    debit_minutes: float
    debit_reads: int

    @property
    def minutes(self) -> float:
        """Positive when the trust has given more than it took."""
        return self.credit_minutes - self.debit_minutes
