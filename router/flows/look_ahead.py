"""Plan the region ahead, beside the planner: late or failed, the planner goes on without."""

from collections import Counter
from datetime import datetime, timedelta

from router.flows.assign_reads import need_of, pathways_of, plannable, take_snapshot
from router.flows.human_queue import About, ask_again
from router.flows.ports import Store, Transaction
from router.model.read import ReadState
from router.model.session import Leave, Session
from router.rules.planning import Ahead, ListLengths, PlannableRead, Snapshot
from router.rules.planning.ahead import WEEK, Outlook, horizon, plan_ahead

_MOST_EXPECTED = 20_000
"""Reads of last week that the forecast is made of: a whole country's week is as like itself in a sample."""
_VALID_FOR = 1.5
"""Of the interval: one that fails to come leaves the last in force for a while."""
_TOLD_AGAIN_AFTER_S = 86400.0


def look_ahead(store: Store, now: datetime, every_s: float, lists: ListLengths) -> Ahead | None:
    """What the flow wants begun now."""
    with store.read() as tx:
        snapshot = take_snapshot(tx, tx.reads.listing(states={ReadState.READY}), now, lists)
        last_week, each = _last_week(tx, now)
        outlook = Outlook(_sessions_ahead(tx, now), last_week, each)
    ahead = plan_ahead(snapshot, outlook, timedelta(seconds=_VALID_FOR * every_s))
    if ahead is not None and (ahead.given_up or ahead.short):
        _tell_who_can_help(store, snapshot, ahead, now)
    return ahead


def _tell_who_can_help(store: Store, snapshot: Snapshot, ahead: Ahead, now: datetime) -> None:
    """Reads become late knowingly: a person hears of it while sessions can still be added, and which kinds they are.

    Asked anew a day after it was resolved, and at once when another pathway is among them.
    """
    firm = Counter(_kind(read) for read in snapshot.reads if read.need.read_id in ahead.short)
    room = Counter(_kind(read) for read in snapshot.reads if read.stakes in ahead.given_up)
    parts = [
        *([f"{_listed(firm)} may not wait, and will be late all the same"] if firm else []),
        *([f"{_listed(room)} make room for others"] if room else []),
    ]
    reason = (
        f"with the sessions of the coming week {firm.total() + room.total()} of {len(snapshot.reads)} waiting reads "
        f"cannot be in time: {'; '.join(parts)}; add sessions or aid, or raise what must not wait"
    )
    with store.write() as tx:
        ask_again(tx, "not_in_time", reason, ",".join(sorted({*firm, *room})), now, About(), _TOLD_AGAIN_AFTER_S)


def _kind(read: PlannableRead) -> str:
    return read.need.pathway or "no pathway"


def _listed(count: Counter[str]) -> str:
    return ", ".join(f"{name} {count[name]}" for name in sorted(count))


def _sessions_ahead(tx: Transaction, now: datetime) -> tuple[Session, ...]:
    leave = tx.rota.leave()
    until = now + horizon()
    ahead = (session for session in tx.readers.sessions() if session.ends_at > now and session.starts_at < until)
    return tuple(session for session in ahead if not any(_covers(away, session) for away in leave))


def _covers(away: Leave, session: Session) -> bool:
    return away.reader_id == session.reader_id and away.starts_at < session.ends_at and away.ends_at > session.starts_at


def _last_week(tx: Transaction, now: datetime) -> tuple[tuple[PlannableRead, ...], int]:
    """The reads of a week ago, and how many each stands for."""
    pathways = pathways_of(tx)
    came, each = tx.reads.arrived(now - WEEK, now - WEEK + horizon(), _MOST_EXPECTED)
    reads = []
    for read in came:
        need = need_of(read, (), pathways)
        if need is not None:
            reads.append(plannable(read, need, None, pathways))
    return tuple(reads), each
