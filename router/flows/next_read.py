"""A reader asks for the next read: what the plan has for this reader now, claimed at once."""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from router.flows.hold_lease import claim_planned
from router.flows.kept_snapshot import PlannerMemory
from router.flows.ports import Store, Transaction
from router.model.errors import AskAgain, NotAllowed, TransitionRefused
from router.model.read import Read
from router.rules.planning import Assign, ListLengths, Wait, plan

_TRIES = 4
"""Somebody else may be first, and then there is a next one; after so many, look and claim are one transaction.

What this reader may not claim is no try: it is left out, and the rest is looked at.
"""
_KEPT_FOR = timedelta(minutes=5)
"""Then all is read anew, so that a mistake in keeping could last no longer."""


class PullMemory:
    """What is kept from one reader's question to the next one's; one is answered at a time.

    `turn` is taken before a transaction is begun, never within one: who has the database's only turn to write and waits
    here for another reader's plan keeps everybody waiting.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._memory = PlannerMemory()
        self._anew_at: datetime | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else asks meanwhile."""
        with self._lock:
            yield

    def planned(
        self, tx: Transaction, reader_id: str, now: datetime, lists: ListLengths, without: Collection[str] = ()
    ) -> Assign | None:
        """What the plan has for this reader now, `without` the reads of these ids."""
        with self._lock:
            if self._anew_at is None or not self._anew_at - _KEPT_FOR <= now < self._anew_at:
                self._memory, self._anew_at = PlannerMemory(), now + _KEPT_FOR
            try:
                decisions = self._plan(tx, reader_id, now, lists, without)
            except Exception:  # in the middle of keeping, perhaps
                self._anew_at = None
                raise
        given = (decision for decision in decisions if isinstance(decision, Assign))
        return next((decision for decision in given if decision.read_id not in without), None)

    def _plan(
        self, tx: Transaction, reader_id: str, now: datetime, lists: ListLengths, without: Collection[str]
    ) -> Sequence[Assign | Wait]:
        snapshot = self._memory.snapshot.take(tx, now, lists)
        if without:
            left = tuple(read for read in snapshot.reads if read.need.read_id not in without)
            snapshot = replace(snapshot, reads=left)
        return plan(snapshot, pulling=reader_id, kept=self._memory.kept)

    def forget(self, read_id: str) -> None:
        """What was planned of it was refused: read it again, whatever its version."""
        with self._lock:
            self._memory.snapshot.forget([read_id])


def claim_next(
    store: Store, reader_id: str, now: datetime, heartbeat_timeout_s: float, lists: ListLengths, memory: PullMemory
) -> Read | None:
    """The read, claimed; None when there is nothing for this reader now.

    Raises:
        AskAgain: others were first each time, so that it was not found out whether there is anything.
    """
    asking = _Asking(store, reader_id, now, heartbeat_timeout_s, lists, memory)
    lost = 0
    while lost <= _TRIES:
        look = asking.look_and_claim if lost < _TRIES else asking.claim_at_once
        try:
            return look()
        except _NotGiven as refused:
            memory.forget(refused.read_id)
            if refused.is_allowed:  # somebody was first: a fresh look shows it no more
                lost += 1
            else:  # it would be planned again, and keep the reader from all the others
                asking.not_allowed.add(refused.read_id)
    raise AskAgain("others were first each time; reads may still wait for you: ask again")


@dataclass(frozen=True, slots=True)
class _Asking:
    """One reader's question, and what it has found that this reader may not claim."""

    store: Store
    reader_id: str
    now: datetime
    heartbeat_timeout_s: float
    lists: ListLengths
    memory: PullMemory
    not_allowed: set[str] = field(default_factory=set)

    def look_and_claim(self) -> Read | None:
        """Nobody waits for the look, and somebody may be first after it."""
        with self.memory.turn(), self.store.read() as tx:
            decision = self._planned(tx)
        if decision is None:
            return None
        with self.store.write() as tx:
            return self._claimed(tx, decision)

    def claim_at_once(self) -> Read | None:
        """Look and claim in one transaction: where one writes at a time, nobody can come in between."""
        with self.memory.turn(), self.store.write() as tx:
            decision = self._planned(tx)
            return None if decision is None else self._claimed(tx, decision)

    def _planned(self, tx: Transaction) -> Assign | None:
        return self.memory.planned(tx, self.reader_id, self.now, self.lists, self.not_allowed)

    def _claimed(self, tx: Transaction, decision: Assign) -> Read:
        try:
            return claim_planned(tx, decision, self.now, self.heartbeat_timeout_s)
        except NotAllowed:
            raise _NotGiven(decision.read_id, is_allowed=False) from None
        except TransitionRefused:
            raise _NotGiven(decision.read_id, is_allowed=True) from None


class _NotGiven(Exception):
    """What was planned could not be claimed; `is_allowed`: because somebody was first."""

    def __init__(self, read_id: str, *, is_allowed: bool) -> None:
        super().__init__(read_id)
        self.read_id, self.is_allowed = read_id, is_allowed
