"""Recurring reading time as a person says it: days of the week and local times."""

from dataclasses import dataclass
from datetime import date, datetime, time

from router.model.session import SessionKind, Workstation


@dataclass(frozen=True, slots=True)
class Pattern:
    """On these weekdays (0 = Monday) of every `every_weeks`-th week, from `first_day` to `last_day`, both included.

    Times are local (Europe/London). An end that is not later than the start is on the day after.
    """

    id: str
    reader_id: str
    weekdays: tuple[int, ...]
    starts: time
    ends: time
    first_day: date
    last_day: date
    kind: SessionKind
    every_weeks: int = 1
    except_days: frozenset[date] = frozenset()
    capacity_reads: int | None = None
    capacity_minutes: float | None = None
    place: Workstation | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """What was refused (`is_refusal`) or only warned of, at which place of the file, and why."""

    row: str
    reason: str
    is_refusal: bool = True


@dataclass(frozen=True, slots=True)
class RotaBlock:
    """A block of a reader's time as a file says it; `kind` None is leave. `source` names a recurring entry."""

    row: str
    reader_id: str
    starts_at: datetime
    ends_at: datetime
    kind: SessionKind | None
    capacity_reads: int | None = None
    capacity_minutes: float | None = None
    place: Workstation | None = None
    source: str | None = None
    note: str = ""
