"""Blocks of time become sessions and leave: each row is taken or refused by itself, and nothing is guessed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from router.flows.ports import Transaction
from router.model.errors import Invalid
from router.model.reader import Profession, Reader
from router.model.record import Entry
from router.model.rota import Remark, RotaBlock
from router.model.session import Leave, Session
from router.rules.rota import capacity_problem, entitlement_warnings, leave_warnings, session_id, without_overlaps


@dataclass(frozen=True, slots=True)
class RotaOutcome:
    """What was taken (with the row of each), and what was not or only with a warning."""

    sessions: tuple[tuple[str, Session], ...]
    leave: tuple[tuple[str, Leave], ...]
    remarks: tuple[Remark, ...]
    removed: int = 0


def take_rota(tx: Transaction, blocks: Sequence[RotaBlock], trust: str | None, by: str, now: datetime) -> RotaOutcome:
    """Book what can be booked. Importing the same file again changes nothing.

    `trust` limits the import to readers whom that trust employs. A recurring entry that is imported again replaces
    its own sessions that have not begun and were never used.

    Raises:
        Invalid: the trust is unknown.
    """
    if trust is not None and trust not in {known.ods_code for known in tx.network.trusts()}:
        raise Invalid("trust: expected a known trust")
    readers = {reader.id: reader for reader in tx.readers.all()}
    remarks: list[Remark] = []
    good: list[RotaBlock] = []
    for block in blocks:
        problem = _problem(tx, block, readers.get(block.reader_id), trust, now)
        if problem is None:
            good.append(block)
        else:
            remarks.append(Remark(block.row, problem))
    sessions = [(block.row, _session(block)) for block in good if block.kind is not None]
    ids = {session.id for _, session in sessions}
    sources = sorted({block.source for block in blocks if block.source is not None})
    removed = sum(tx.rota.clear_ahead(source, now, keep=ids) for source in sources)
    concerned = sorted({session.reader_id for _, session in sessions})
    existing = [session for reader in concerned for session in tx.readers.sessions(reader) if session.ends_at > now]
    kept, overlapping = without_overlaps(sessions, existing)
    kept_ids = {session.id for session in kept}
    taken = [(row, session) for row, session in sessions if session.id in kept_ids]
    for _, session in taken:
        tx.readers.put_session(session)
    leave = [(block.row, _leave(block)) for block in good if block.kind is None]
    for _, away in leave:
        tx.rota.put_leave(away)
    booked = [away for reader in concerned for away in tx.rota.leave(reader)]
    remarks += [*overlapping, *entitlement_warnings(taken, readers), *_scope_warnings(taken, readers)]
    remarks += leave_warnings(taken, booked)
    detail = {"sessions": len(taken), "leave": len(leave), "refused": sum(r.is_refusal for r in remarks)}
    tx.ledger.append(Entry("rota.imported", now, by, detail={**detail, "removed": removed}))
    return RotaOutcome(tuple(taken), tuple(leave), tuple(remarks), removed)


def _problem(tx: Transaction, block: RotaBlock, reader: Reader | None, trust: str | None, now: datetime) -> str | None:
    if reader is None:
        return f"reader {block.reader_id!r} is not known"
    if trust is not None and reader.employer != trust:
        return f"reader {reader.id} is employed by {reader.employer}, not by {trust}"
    if block.ends_at <= now:
        return "is over already"
    if block.place is not None and tx.network.node(block.place.node) is None:
        return f"node: {block.place.node!r} is not a known node"
    return None if block.kind is None else capacity_problem(_session(block), reader)


def _scope_warnings(taken: Sequence[tuple[str, Session]], readers: dict[str, Reader]) -> list[Remark]:
    """A radiographer without a scope gets nothing, however long the session."""
    reason = "is a reporting radiographer without an exam scope: nothing will be given out"
    return [
        Remark(row, f"reader {session.reader_id} {reason}", is_refusal=False)
        for row, session in taken
        if readers[session.reader_id].profession is Profession.REPORTING_RADIOGRAPHER
        and readers[session.reader_id].exam_scope is None
    ]


def _session(block: RotaBlock) -> Session:
    assert block.kind is not None
    return Session(
        id=session_id(block.reader_id, block.starts_at, block.ends_at),
        reader_id=block.reader_id,
        starts_at=block.starts_at,
        ends_at=block.ends_at,
        capacity_reads=block.capacity_reads,
        capacity_minutes=block.capacity_minutes,
        kind=block.kind,
        place=block.place,
        pattern_id=block.source,
    )


def _leave(block: RotaBlock) -> Leave:
    name = f"leave/{block.reader_id}/{block.starts_at.isoformat()}/{block.ends_at.isoformat()}"
    return Leave(str(uuid5(NAMESPACE_URL, name)), block.reader_id, block.starts_at, block.ends_at, block.note)
