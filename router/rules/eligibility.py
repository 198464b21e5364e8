"""Who may read what, now: every reason against a reader is named, so that a choice can be explained later."""

from dataclasses import dataclass
from datetime import datetime

from router.model.directives import NO_DIRECTIVES, Directives
from router.model.reader import Reader, ReaderOnDuty
from router.model.session import SessionLoad


@dataclass(frozen=True, slots=True)
class Need:
    """What a read asks of its reader; `had_by` held it before, and it lapsed, was lost or was taken back."""

    read_id: str
    origin: str
    modalities: frozenset[str]
    subspecialty: str
    expected_minutes: float
    declined_by: frozenset[str] = frozenset()
    had_by: frozenset[str] = frozenset()
    directives: Directives = NO_DIRECTIVES


def exclusions(need: Need, on_duty: ReaderOnDuty, now: datetime) -> tuple[str, ...]:
    """Every reason why this reader cannot take the read; empty means eligible."""
    reader = on_duty.reader
    reasons = list(entitlement_problems(reader, need.origin, now))
    missing = sorted(need.modalities - reader.modalities)
    if missing:
        reasons.append(f"modality {', '.join(missing)} is outside the reader's scope")
    if need.subspecialty not in reader.subspecialties:
        reasons.append(f"subspecialty {need.subspecialty} is outside the reader's scope")
    if reader.id in need.declined_by:
        reasons.append("declined this read")
    reasons += need.directives.reasons_against(reader.id, reader.employer)
    open_now = [load for load in on_duty.sessions if load.session.is_open(now)]
    if not open_now:
        reasons.append("no session is open")
    elif best_session(need, on_duty, now) is None:
        reasons.append("no capacity is left in the open session")
    return tuple(reasons)


def entitlement_problems(reader: Reader, origin: str, now: datetime) -> tuple[str, ...]:
    """Why the reader may not read for the origin at this moment (checked at assign, claim and sign)."""
    if not reader.active:
        return ("the reader is not active",)
    if not reader.is_credentialed(origin, now):
        return (f"no valid credential for trust {origin}",)
    return ()


def best_session(need: Need, on_duty: ReaderOnDuty, now: datetime) -> SessionLoad | None:
    """The open session with most room for this read, or None when none has room."""
    fitting = [
        load
        for load in on_duty.sessions
        if load.session.is_open(now) and load.minutes_left(need.expected_minutes) >= need.expected_minutes
    ]
    return max(fitting, key=lambda load: (load.minutes_left(need.expected_minutes), load.session.id), default=None)
