"""A reader asks for the next read: what the plan has for this reader now, claimed at once."""

import threading
from datetime import datetime, timedelta

from router.flows.hold_lease import claim_planned
from router.flows.kept_snapshot import PlannerMemory
from router.flows.ports import Store
from router.model.errors import NotAllowed, TransitionRefused
from router.model.read import Read
from router.rules.planning import Assign, ListLengths, plan

_TRIES = 3
"""Somebody else may be first, and then there is a next one."""
_KEPT_FOR = timedelta(minutes=5)
"""Then all is read anew, so that a mistake in keeping could last no longer."""


class PullMemory:
    """What is kept from one reader's question to the next one's; one is answered at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._memory = PlannerMemory()
        self._anew_at: datetime | None = None

    def planned(self, store: Store, reader_id: str, now: datetime, lists: ListLengths) -> Assign | None:
        """What the plan has for this reader now."""
        with self._lock:
            if self._anew_at is None or not self._anew_at - _KEPT_FOR <= now < self._anew_at:
                self._memory, self._anew_at = PlannerMemory(), now + _KEPT_FOR
            with store.read() as tx:
                snapshot = self._memory.snapshot.take(tx, now, lists)
            decisions = plan(snapshot, pulling=reader_id, kept=self._memory.kept)
        return next((decision for decision in decisions if isinstance(decision, Assign)), None)

    def forget(self, read_id: str) -> None:
        """What was planned of it was refused: read it again, whatever its version."""
        with self._lock:
            self._memory.snapshot.forget([read_id])


def claim_next(
    store: Store, reader_id: str, now: datetime, heartbeat_timeout_s: float, lists: ListLengths, memory: PullMemory
) -> Read | None:
    """The read, claimed; None when there is nothing for this reader now."""
    for _ in range(_TRIES):
        decision = memory.planned(store, reader_id, now, lists)
        if decision is None:
            return None
        try:
            with store.write() as tx:
                return claim_planned(tx, decision, now, heartbeat_timeout_s)
        except (NotAllowed, TransitionRefused):
            memory.forget(decision.read_id)
    return None
