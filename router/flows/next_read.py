"""A reader asks for the next read: what the plan has for this reader now, claimed at once."""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
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
    not_allowed: set[str] = set()
    lost = 0
    while lost <= _TRIES:
        look = _look_and_claim if lost < _TRIES else _claim_at_once
        try:
            return look(store, reader_id, now, heartbeat_timeout_s, lists, memory, not_allowed)
        except _NotGiven as refused:
            memory.forget(refused.read_id)
            if refused.is_allowed:  # somebody was first: a fresh look shows it no more
                lost += 1
            else:  # it would be planned again, and keep the reader from all the others
                not_allowed.add(refused.read_id)
    raise AskAgain("others were first each time; reads may still wait for you: ask again")


def _look_and_claim(
    store: Store,
    reader_id: str,
    now: datetime,
    heartbeat_timeout_s: float,
    lists: ListLengths,
    memory: PullMemory,
    not_allowed: Collection[str],
) -> Read | None:
    """Nobody waits for the look, and somebody may be first after it."""
    with memory.turn(), store.read() as tx:
        decision = memory.planned(tx, reader_id, now, lists, not_allowed)
    if decision is None:
        return None
    with store.write() as tx:
        return _claimed(tx, decision, now, heartbeat_timeout_s)


def _claim_at_once(
    store: Store,
    reader_id: str,
    now: datetime,
    heartbeat_timeout_s: float,
    lists: ListLengths,
    memory: PullMemory,
    not_allowed: Collection[str],
) -> Read | None:
    """Look and claim in one transaction: where one writes at a time, nobody can come in between."""
    with memory.turn(), store.write() as tx:
        decision = memory.planned(tx, reader_id, now, lists, not_allowed)
        return None if decision is None else _claimed(tx, decision, now, heartbeat_timeout_s)


class _NotGiven(Exception):
    """What was planned could not be claimed; `is_allowed`: because somebody was first."""

    def __init__(self, read_id: str, *, is_allowed: bool) -> None:
        super().__init__(read_id)
        self.read_id, self.is_allowed = read_id, is_allowed


def _claimed(tx: Transaction, decision: Assign, now: datetime, heartbeat_timeout_s: float) -> Read:
    try:
        return claim_planned(tx, decision, now, heartbeat_timeout_s)
    except NotAllowed:
        raise _NotGiven(decision.read_id, is_allowed=False) from None
    except TransitionRefused:
        raise _NotGiven(decision.read_id, is_allowed=True) from None
