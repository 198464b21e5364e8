"""The rota: leave, recurring patterns, and imports of files."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query

from router.flows.import_rota import RotaOutcome, take_rota
from router.model.errors import Invalid, NotFound
from router.model.rota import Pattern, Remark
from router.model.session import Leave, SessionKind, Workstation
from router.rota_files.csv_rota import read_csv_rota
from router.rota_files.ical_rota import read_ical_rota
from router.rules.rota import capacity_problem, entitlement_warnings, lay_out, leave_warnings, without_overlaps
from router.store.transaction import SqlTransaction
from router.web.errors import responses
from router.web.messages import WorkstationBody
from router.web.rota_messages import (
    LeaveBody,
    LeaveView,
    PatternBody,
    PatternResultView,
    PatternView,
    RemarkView,
    RotaImportBody,
    RotaImportView,
    RotaRowView,
)
from router.web.security import Staff
from router.web.services import WithServices

router = APIRouter()

OfReader = Annotated[str | None, Query(description="Only this reader's")]


class _DryRun(Exception):
    """Ends the transaction without a commit."""


@router.get("/leave", tags=["rota"], summary="Who is away when", responses=responses())
def get_leave(services: WithServices, _caller: Staff, reader_id: OfReader = None) -> list[LeaveView]:
    """Leave, earliest first."""
    with services.store.read() as tx:
        return [_leave_view(leave) for leave in tx.rota.leave(reader_id)]


@router.post("/leave", tags=["rota"], summary="Book leave", status_code=201, responses=responses())
def post_leave(body: LeaveBody, services: WithServices, _caller: Staff) -> LeaveView:
    """From now on the reader gets nothing in this time, whatever sessions are booked.

    Booked again with the same times and words, it is the one that is there already.
    """
    leave = Leave(str(uuid4()), body.reader_id, body.starts_at, body.ends_at, body.reason)
    with services.store.write() as tx:
        if tx.readers.get(body.reader_id, lock=True) is None:
            raise Invalid("reader_id: expected a known reader")
        same = [booked for booked in tx.rota.leave(body.reader_id) if replace(leave, id=booked.id) == booked]
        if same:
            return _leave_view(same[0])
        tx.rota.put_leave(leave)
    services.wake_planner()
    return _leave_view(leave)


@router.delete("/leave/{leave_id}", tags=["rota"], summary="Cancel leave", status_code=204, responses=responses(404))
def delete_leave(leave_id: str, services: WithServices, _caller: Staff) -> None:
    """The reader's sessions count again."""
    with services.store.write() as tx:
        if not tx.rota.remove_leave(leave_id):
            raise NotFound("no such leave")
    services.wake_planner()


@router.get("/patterns", tags=["rota"], summary="Recurring sessions", responses=responses())
def get_patterns(services: WithServices, _caller: Staff, reader_id: OfReader = None) -> list[PatternView]:
    """Every recurring pattern."""
    with services.store.read() as tx:
        return [_pattern_view(pattern) for pattern in tx.rota.patterns(reader_id)]


@router.post("/patterns", tags=["rota"], summary="Book recurring sessions", status_code=201, responses=responses())
def post_pattern(body: PatternBody, services: WithServices, _caller: Staff) -> PatternResultView:
    """Lay the pattern out and book its sessions; a day on which daylight saving skips or doubles a time is refused."""
    pattern = _pattern(str(uuid4()), body)
    sessions, remarks = lay_out(pattern)
    now = services.now()
    with services.store.write() as tx:
        _known(tx, body.reader_id)
        if body.place is not None and tx.network.node(body.place.node) is None:
            raise Invalid("place.node: expected a known node")
        readers = {reader.id: reader for reader in tx.readers.all() if reader.id == body.reader_id}
        for session in sessions[:1]:  # by the clock on the wall all are as long
            if problem := capacity_problem(session, readers[body.reader_id]):
                raise Invalid(problem)
        rows = [(f"{session.starts_at:%Y-%m-%d}", session) for session in sessions if session.ends_at > now]
        kept, overlapping = without_overlaps(rows, tx.readers.sessions(body.reader_id))
        tx.rota.put_pattern(pattern)
        for session in kept:
            tx.readers.put_session(session)
        taken = [(f"{s.starts_at:%Y-%m-%d}", s) for s in kept]
        warnings = [*entitlement_warnings(taken, readers), *leave_warnings(taken, tx.rota.leave(body.reader_id))]
    services.wake_planner()
    return PatternResultView(
        pattern=_pattern_view(pattern),
        sessions=len(kept),
        refused=_remarks([*remarks, *overlapping], is_refusal=True),
        warnings=_remarks(warnings, is_refusal=False),
    )


@router.delete(
    "/patterns/{pattern_id}",
    tags=["rota"],
    summary="End a recurring pattern",
    status_code=204,
    responses=responses(404),
)
def delete_pattern(pattern_id: str, services: WithServices, _caller: Staff) -> None:
    """Its sessions that have not begun and were never used go with it."""
    with services.store.write() as tx:
        if not tx.rota.remove_pattern(pattern_id):
            raise NotFound("no such pattern")
        tx.rota.clear_ahead(pattern_id, services.now())


@router.post("/rota/import", tags=["rota"], summary="Import a rota from CSV or iCalendar", responses=responses())
def post_rota(body: RotaImportBody, services: WithServices, caller: Staff) -> RotaImportView:
    """Each row is taken or refused by itself, with the reason. The same file again changes nothing."""
    now = services.now()
    if body.format == "csv":
        blocks, remarks = read_csv_rota(body.text, body.reader_id)
    else:
        until = now + timedelta(weeks=body.weeks)
        blocks, remarks = read_ical_rota(body.text, now, until, body.reader_id, body.kind)
    try:
        with services.store.write() as tx:
            if body.reader_id is not None:
                _known(tx, body.reader_id)
            outcome = take_rota(tx, blocks, body.trust, caller.name, now)
            if body.dry_run:
                raise _DryRun
    except _DryRun:
        pass
    else:
        services.wake_planner()
    return _import_view(outcome, remarks, dry_run=body.dry_run)


def _import_view(outcome: RotaOutcome, remarks: list[Remark], *, dry_run: bool) -> RotaImportView:
    taken = [
        RotaRowView(
            row=row,
            reader_id=session.reader_id,
            starts_at=session.starts_at,
            ends_at=session.ends_at,
            kind=session.kind.value,
            capacity_reads=session.capacity_reads,
            capacity_minutes=session.capacity_minutes,
        )
        for row, session in outcome.sessions
    ]
    taken += [
        RotaRowView(row=row, reader_id=leave.reader_id, starts_at=leave.starts_at, ends_at=leave.ends_at, kind="leave")
        for row, leave in outcome.leave
    ]
    said = [*remarks, *outcome.remarks]
    return RotaImportView(
        taken=taken,
        refused=_remarks(said, is_refusal=True),
        warnings=_remarks(said, is_refusal=False),
        removed=outcome.removed,
        dry_run=dry_run,
    )


def _remarks(remarks: Iterable[Remark], *, is_refusal: bool) -> list[RemarkView]:
    return [RemarkView(row=r.row, reason=r.reason) for r in remarks if r.is_refusal is is_refusal]


def _known(tx: SqlTransaction, reader_id: str) -> None:
    if tx.readers.get(reader_id) is None:
        raise Invalid("reader_id: expected a known reader")


def _leave_view(leave: Leave) -> LeaveView:
    return LeaveView(
        id=leave.id,
        reader_id=leave.reader_id,
        starts_at=leave.starts_at,
        ends_at=leave.ends_at,
        reason=leave.reason,
    )


def _pattern(pattern_id: str, body: PatternBody) -> Pattern:
    return Pattern(
        id=pattern_id,
        reader_id=body.reader_id,
        weekdays=tuple(sorted(set(body.weekdays))),
        starts=body.starts,
        ends=body.ends,
        first_day=body.first_day,
        last_day=body.last_day,
        kind=SessionKind(body.kind),
        every_weeks=body.every_weeks,
        except_days=frozenset(body.except_days),
        capacity_reads=body.capacity_reads,
        capacity_minutes=body.capacity_minutes,
        place=None if body.place is None else Workstation(body.place.node, body.place.ae_title),
    )


def _pattern_view(pattern: Pattern) -> PatternView:
    place = pattern.place
    return PatternView(
        id=pattern.id,
        reader_id=pattern.reader_id,
        weekdays=list(pattern.weekdays),
        starts=pattern.starts,
        ends=pattern.ends,
        first_day=pattern.first_day,
        last_day=pattern.last_day,
        kind=pattern.kind.value,
        every_weeks=pattern.every_weeks,
        except_days=sorted(pattern.except_days),
        capacity_reads=pattern.capacity_reads,
        capacity_minutes=pattern.capacity_minutes,
        place=None if place is None else WorkstationBody(node=place.node, ae_title=place.ae_title),
    )
