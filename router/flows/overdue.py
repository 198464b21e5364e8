"""No state without a timeout: what lasted too long is changed by the clock or shown to a person, once."""

from datetime import datetime, timedelta

from router.config import Router
from router.flows.assign_reads import offer_again_after_lapse
from router.flows.human_queue import About, ask_a_person
from router.flows.ports import Store, Transaction
from router.model.errors import TransitionRefused
from router.model.read import SIGNED, Read
from router.rules.read_states import ENDS, STATES, Event


def tick(store: Store, settings: Router, now: datetime) -> int:
    """Look at every open read and every node; returns how many things were overdue. Runs under the planner lock."""
    with store.write() as tx:
        tx.network.expect_traffic(now)
    with store.read() as tx:
        open_reads = tx.reads.listing(states=set(STATES) - ENDS)
        silent = [node for node in tx.network.nodes() if node.is_silent(settings.node_silent_s, now)]
    overdue = [read for read in open_reads if is_overdue(read, settings, now) or is_late(read, now)]
    for read in overdue:
        with store.write() as tx:
            _handle(tx, read.id, settings, now)
    for node in silent:
        with store.write() as tx:
            since = "ever" if node.last_traffic_at is None else f"since {node.last_traffic_at:%Y-%m-%d %H:%M} UTC"
            reason = f"nothing was heard of node {node.ods_code} {since}"
            key = f"{node.ods_code}:{node.last_traffic_at}"
            ask_a_person(tx, "node_silent", reason, key, now, About(node=node.ods_code))
    return len(overdue) + len(silent)


def is_overdue(read: Read, settings: Router, now: datetime) -> bool:
    """Whether the read's state has outlived its timeout (a leased one: whether its lease ran out)."""
    policy = STATES[read.state]
    if policy.timeout is None:
        return False
    if policy.on_timeout in {Event.LAPSE, Event.LOSE}:
        return read.lease is None or read.lease.until <= now
    timeout_s: float = getattr(settings, policy.timeout)
    return read.entered_at + timedelta(seconds=timeout_s) <= now


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
        ask_a_person(tx, "past_due", reason, read.id, now, about)
    if not is_overdue(read, settings, now):
        return
    policy = STATES[read.state]
    if policy.on_timeout in {Event.LAPSE, Event.LOSE}:
        try:
            offer_again_after_lapse(tx, read, policy.on_timeout, now)
        except TransitionRefused:
            return
    else:
        since = f"{read.entered_at:%Y-%m-%d %H:%M} UTC"
        reason = f"{read.state.value} since {since}: {policy.means}; owner: {policy.owner}"
        ask_a_person(tx, "overdue", reason, f"{read.id}:{read.state.value}:{read.entered_at}", now, about)
