"""Plan the region ahead, beside the planner: late or failed, the planner goes on without."""

from datetime import datetime, timedelta

from router.flows.assign_reads import need_of, pathways_of, plannable, take_snapshot
from router.flows.ports import Store, Transaction
from router.model.read import ReadState
from router.model.session import Leave, Session
from router.rules.planning import Ahead, ListLengths, PlannableRead
from router.rules.planning.ahead import WEEK, Outlook, horizon, plan_ahead

_VALID_FOR = 1.5
"""Of the interval: one that fails to come leaves the last in force for a while."""


def look_ahead(store: Store, now: datetime, every_s: float, lists: ListLengths) -> Ahead | None:
    """What the flow wants begun now."""
    with store.read() as tx:
        snapshot = take_snapshot(tx, tx.reads.listing(states={ReadState.READY}), now, lists)
        outlook = Outlook(_sessions_ahead(tx, now), _last_week(tx, now))
    return plan_ahead(snapshot, outlook, timedelta(seconds=_VALID_FOR * every_s))


def _sessions_ahead(tx: Transaction, now: datetime) -> tuple[Session, ...]:
    leave = tx.rota.leave()
    until = now + horizon()
    ahead = (session for session in tx.readers.sessions() if session.ends_at > now and session.starts_at < until)
    return tuple(session for session in ahead if not any(_covers(away, session) for away in leave))


def _covers(away: Leave, session: Session) -> bool:
    return away.reader_id == session.reader_id and away.starts_at < session.ends_at and away.ends_at > session.starts_at


def _last_week(tx: Transaction, now: datetime) -> tuple[PlannableRead, ...]:
    pathways = pathways_of(tx)
    reads = []
    for read in tx.reads.arrived(now - WEEK, now - WEEK + horizon()):
        need = need_of(read, (), pathways)
        if need is not None:
            reads.append(plannable(read, need, None, pathways))
    return tuple(reads)
