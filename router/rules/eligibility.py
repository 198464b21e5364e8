"""Who may read what, now: every reason against a reader is named, so that a choice can be explained later.

`exclusions` is for one pair of read and reader. Its parts (`entitlement_problems`, `scope_problems`,
`history_problems`, `presence_problems`, `rules.aid.aid_problems`) are pure functions of the same arguments, for
callers that weigh many pairs at once and check each part once for a class of reads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from router.model.aid import AidBook
from router.model.directives import NO_DIRECTIVES, Directives
from router.model.reader import Level, Profession, Reader, ReaderOnDuty
from router.model.session import SessionKind, SessionLoad
from router.rules.aid import aid_problems

NO_AID_LIMITS = AidBook()
_LEVELS = {Level.GENERAL: "general", Level.SPECIAL_INTEREST: "special interest", Level.SPECIALIST: "specialist"}


@dataclass(frozen=True, slots=True)
class Need:
    """What a read asks of its reader; `had_by` held it before, and it lapsed, was lost or was taken back.

    `expected_minutes` are the exam group's; a reader's own are `Reader.minutes_for(expected_minutes, exam_group)`.
    `session_kinds` empty means any session. `read_by` (reader ids, registrations) have read the study already and may
    not read it again.
    """

    read_id: str
    origin: str
    modalities: frozenset[str]
    subspecialty: str
    expected_minutes: float
    declined_by: frozenset[str] = frozenset()
    had_by: frozenset[str] = frozenset()
    minimum_level: Level = Level.GENERAL
    exam_code: str | None = None
    exam_group: str | None = None
    pathway: str | None = None
    acute: bool = False
    session_kinds: frozenset[SessionKind] = frozenset()
    read_by: frozenset[str] = frozenset()
    directives: Directives = NO_DIRECTIVES


def exclusions(need: Need, on_duty: ReaderOnDuty, now: datetime, aid: AidBook = NO_AID_LIMITS) -> tuple[str, ...]:
    """Every reason why this reader cannot take the read, in plain sentences; empty means eligible."""
    reader = on_duty.reader
    reasons = [
        *entitlement_problems(reader, need.origin, now),
        *scope_problems(need, reader),
        *history_problems(need, reader),
        *need.directives.reasons_against(reader.id, reader.employer),
        *presence_problems(need, on_duty, now),
        *aid_problems(
            employer=reader.employer,
            origin=need.origin,
            exam_group=need.exam_group,
            minutes=reader.minutes_for(need.expected_minutes, need.exam_group),
            acute=need.acute,
            book=aid,
        ),
    ]
    return tuple(reasons)


def has_read(read_by: frozenset[str], reader: Reader) -> bool:
    """Whether the reader is among those who read the study: by id, and by registration however it is written."""
    if not read_by:
        return False
    registration = _plain(reader.registration)
    return reader.id in read_by or any(_plain(name) == registration for name in read_by)


def _plain(registration: str) -> str:
    return "".join(registration.split()).upper()


def entitlement_problems(reader: Reader, origin: str, now: datetime) -> tuple[str, ...]:
    """Why the reader may not read for the origin at this moment (checked at assign, claim and sign)."""
    if not reader.active:
        return ("the reader is not active",)
    if not reader.is_credentialed(origin, now):
        return (f"no valid credential for trust {origin}",)
    return ()


def display_problems(reader: Reader, now: datetime) -> tuple[str, ...]:
    """Why the reader's workstation is not fit to read; checked at assign and claim. Text already read may be signed."""
    if reader.display_valid_until is None or reader.display_valid_until > now:
        return ()
    return (f"the display check of the workstation ended on {reader.display_valid_until:%Y-%m-%d}",)


def scope_problems(need: Need, reader: Reader) -> tuple[str, ...]:
    """Why what is to be read is outside what the reader may read; depends on the exam alone, not on the time."""
    return tuple(_scope_problems(need, reader))


def history_problems(need: Need, reader: Reader) -> tuple[str, ...]:
    """Why the reader may not have this read because of what went before."""
    declined = ("declined this read",) if reader.id in need.declined_by else ()
    if has_read(need.read_by, reader):
        return (*declined, "has read this study already; the second reader must be somebody else")
    return declined


def presence_problems(need: Need, on_duty: ReaderOnDuty, now: datetime) -> tuple[str, ...]:
    """Why the reader cannot take it just now: leave, display, queue, session, capacity."""
    return tuple(_presence_problems(need, on_duty, now))


def is_at_leisure(on_duty: ReaderOnDuty, now: datetime, minutes: float) -> bool:
    """Whether no read of at most so many of the reader's minutes has `presence_problems`, if any session will do."""
    reader = on_duty.reader
    if on_duty.leave or reader.display_valid_until is not None or reader.outsourcer is not None:
        return False
    return any(load.session.is_open(now) and load.minutes_left(minutes) >= minutes for load in on_duty.sessions)


def best_session(need: Need, on_duty: ReaderOnDuty, now: datetime) -> SessionLoad | None:
    """The open session of a fitting kind with most room for this read at the reader's speed; None without room."""
    minutes = on_duty.reader.minutes_for(need.expected_minutes, need.exam_group)
    fitting = [load for load in _open_sessions(need, on_duty, now) if load.minutes_left(minutes) >= minutes]
    return max(fitting, key=lambda load: (load.minutes_left(minutes), load.session.id), default=None)


def _scope_problems(need: Need, reader: Reader) -> Iterator[str]:
    missing = sorted(need.modalities - reader.modalities)
    if missing:
        yield f"modality {', '.join(missing)} is outside the reader's scope"
    level = reader.levels.get(need.subspecialty)
    if level is None:
        yield f"subspecialty {need.subspecialty} is outside the reader's scope"
    elif level < need.minimum_level:
        yield f"level {_LEVELS[level]} in {need.subspecialty}, and {_LEVELS[need.minimum_level]} is needed"
    if reader.exam_scope is None and reader.profession is Profession.REPORTING_RADIOGRAPHER:
        yield "a reporting radiographer without an exam scope reads nothing"
    elif not reader.may_read_exam(need.exam_code, need.exam_group):
        exam = " of group ".join(name for name in (need.exam_code, need.exam_group) if name is not None)
        yield f"exam {exam or '(no code)'} is outside the reader's exam scope"


def _presence_problems(need: Need, on_duty: ReaderOnDuty, now: datetime) -> Iterator[str]:
    reader = on_duty.reader
    if any(leave.covers(now) for leave in on_duty.leave):
        yield "on leave"
    yield from display_problems(reader, now)
    limit = None if reader.outsourcer is None else reader.outsourcer.queue_limit
    if limit is not None and on_duty.waiting_reads >= limit:
        yield f"the outsourcer's queue is full ({on_duty.waiting_reads} of {limit} reads wait)"
    if not any(load.session.is_open(now) for load in on_duty.sessions):
        yield "no session is open"
    elif not _open_sessions(need, on_duty, now):
        yield f"no open session is of a kind that this pathway asks for ({', '.join(sorted(need.session_kinds))})"
    elif best_session(need, on_duty, now) is None:
        yield "no capacity is left in the open session"


def _open_sessions(need: Need, on_duty: ReaderOnDuty, now: datetime) -> list[SessionLoad]:
    return [
        load
        for load in on_duty.sessions
        if load.session.is_open(now) and (not need.session_kinds or load.session.kind in need.session_kinds)
    ]
