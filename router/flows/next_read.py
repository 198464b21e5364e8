"""A reader asks for the next read: what the plan has for this reader now, claimed at once."""

from datetime import datetime

from router.flows.assign_reads import take_snapshot
from router.flows.hold_lease import claim_planned
from router.flows.ports import Store
from router.model.errors import NotAllowed, TransitionRefused
from router.model.read import Read, ReadState
from router.rules.planning import Assign, ListLengths, plan

_TRIES = 3
"""Somebody else may be first, and then there is a next one."""


def claim_next(
    store: Store, reader_id: str, now: datetime, heartbeat_timeout_s: float, lists: ListLengths
) -> Read | None:
    """The read, claimed; None when there is nothing for this reader now."""
    for _ in range(_TRIES):
        with store.read() as tx:
            snapshot = take_snapshot(tx, tx.reads.listing(states={ReadState.READY}), now, lists)
        decision = next((d for d in plan(snapshot, pulling=reader_id) if isinstance(d, Assign)), None)
        if decision is None:
            return None
        try:
            with store.write() as tx:
                return claim_planned(tx, decision, now, heartbeat_timeout_s)
        except (NotAllowed, TransitionRefused):
            continue
    return None
