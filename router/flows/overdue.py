"""No state without a timeout: what lasted too long is changed by the clock or shown to a person.

There is one open item for each thing that lasts. Where its item is resolved and it still lasts, the timeout runs
again and then asks anew: no answer of a person silences a stuck read for ever.

The database picks what is overdue and not shown yet, so a round costs little however long the backlog is.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from router.config import Router
from router.flows.assign_reads import OnFailure, offer_again_after_lapse
from router.flows.human_queue import About, ask_a_person, ask_again
from router.flows.ports import Store, Transaction
from router.model.errors import TransitionRefused
from router.model.read import SIGNED, Read, ReadState
from router.rules.read_states import ENDS, STATES, Event

_LAPSING = frozenset(state for state, policy in STATES.items() if policy.on_timeout in {Event.LAPSE, Event.LOSE})
_READS_A_COMMIT = 100


def give_back(store: Store, now: datetime, on_failure: OnFailure) -> int:
    """Take back every lease that ran out, so that the next plan can give the read to somebody else."""
    with store.read() as tx:
        lapsed = tx.reads.lapsed(_LAPSING, now)
    for read_id in lapsed:
        with store.write() as tx:
            _alone(tx, read_id, now, on_failure, partial(_give_back, tx, read_id, now))
    return len(lapsed)


def tick(store: Store, settings: Router, now: datetime, on_failure: OnFailure) -> int:
    """Ask a person about every read and node that waits too long; returns how many. Runs under the planner lock."""
    with store.write() as tx:
        tx.network.expect_traffic(now)
    asked_late_since = now - timedelta(seconds=settings.past_due_again_s)
    with store.read() as tx:
        overdue = tx.reads.overdue(_deadlines(settings, now), set(STATES) - ENDS - SIGNED, asked_late_since, now)
        silent = [node for node in tx.network.nodes() if node.is_silent(settings.node_silent_s, now)]
    for start in range(0, len(overdue), _READS_A_COMMIT):
        with store.write() as tx:
            for read_id in overdue[start : start + _READS_A_COMMIT]:
                _alone(tx, read_id, now, on_failure, partial(_handle, tx, read_id, settings, now))
    for node in silent:
        with store.write() as tx:
            since = "ever" if node.last_traffic_at is None else f"since {node.last_traffic_at:%Y-%m-%d %H:%M} UTC"
            reason = f"nothing was heard of node {node.ods_code} {since}"
            key = f"{node.ods_code}:{node.last_traffic_at}"
            ask_again(tx, "node_silent", reason, key, now, About(node=node.ods_code), settings.node_silent_s)
    return len(overdue) + len(silent)


def _deadlines(settings: Router, now: datetime) -> dict[ReadState, datetime]:
    """Of each state that a person is asked about: a read that entered it by then has been in it too long."""
    return {
        state: now - timedelta(seconds=getattr(settings, policy.timeout))
        for state, policy in STATES.items()
        if policy.timeout is not None and state not in _LAPSING
    }


def _alone(tx: Transaction, read_id: str, now: datetime, on_failure: OnFailure, effect: Callable[[], None]) -> None:
    """Run `effect` so that its failure keeps no other read back."""
    failure = tx.attempt(effect)
    if failure is not None:
        on_failure(failure)
        reason = f"its timeout could not be dealt with: {type(failure).__name__}"
        ask_a_person(tx, "timeout_failed", reason, f"{read_id}:{type(failure).__name__}", now, About(read_id=read_id))


def _give_back(tx: Transaction, read_id: str, now: datetime) -> None:
    read = tx.reads.get(read_id, lock=True)
    event = STATES[read.state].on_timeout if read is not None else None
    if read is None or read.state not in _LAPSING or event is None:
        return
    if read.lease is not None and read.lease.until > now:
        return  # a heartbeat came meanwhile
    try:
        offer_again_after_lapse(tx, read, event, now)
    except TransitionRefused:
        return


def is_overdue(read: Read, settings: Router, now: datetime) -> bool:
    """Whether the read has been in its state for too long; a lease that ran out is another matter (`give_back`)."""
    deadline = _deadlines(settings, now).get(read.state)
    return deadline is not None and read.entered_at <= deadline


def is_late(read: Read, now: datetime) -> bool:
    """Whether the verified report is past due."""
    return read.state not in SIGNED and read.due_at is not None and read.due_at <= now


def _handle(tx: Transaction, read_id: str, settings: Router, now: datetime) -> None:
    read = tx.reads.get(read_id, lock=True)
    if read is None:
        return
    about = About(study_instance_uid=read.study_instance_uid, read_id=read.id, node=read.origin)
    if is_late(read, now):
        reason = f"the report was due at {read.due_at:%Y-%m-%d %H:%M} UTC; the read is {read.state.value}"
        ask_again(tx, "past_due", reason, read.id, now, about, settings.past_due_again_s)
    if not is_overdue(read, settings, now):
        return
    policy = STATES[read.state]
    since = f"{read.entered_at:%Y-%m-%d %H:%M} UTC"
    means, owner = policy.means, policy.owner
    if read.second_of is not None and read.state is ReadState.VERIFIED:
        means, owner = "a second read that a person has to settle, or on its way to the origin", "coordinator or origin"
    reason = f"{read.state.value} since {since}: {means}; owner: {owner}"
    timeout_s: float = getattr(settings, policy.timeout or "")
    ask_again(tx, "overdue", reason, f"{read.id}:{read.state.value}:{read.entered_at}", now, about, timeout_s)
