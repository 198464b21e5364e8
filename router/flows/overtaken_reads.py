"""A read whose report was overtaken: a later version of another read of the study reached the origin in its place.

Nothing of it is owed any more, so nobody would ever answer for it: it is closed, and the ledger says why (ADR 123).
"""

from collections.abc import Sequence
from datetime import datetime

from router.flows.ports import Transaction
from router.flows.read_life import change_read
from router.flows.return_report import policy_of
from router.model.delivery import DONE, OWED, DeliveryState, ListedDelivery
from router.model.read import Read, ReadState
from router.model.report import Disposition, Report
from router.rules.read_states import Actor, Event
from router.rules.report_versions import overtaken


def close_all_overtaken(tx: Transaction, listed: Sequence[ListedDelivery], now: datetime) -> None:
    """Of a study's deliveries: an overtaken version may be dropped on one channel long before it ends on another."""
    newest = {one.read_id: one.version for one in listed}  # the lowest version comes first
    laters: dict[str | None, list[int | None]] = {}
    for one in listed:
        if one.version == newest[one.read_id] and one.delivery.state is DeliveryState.DROPPED:
            laters.setdefault(one.read_id, []).append(overtaken(one, listed))
    for read_id, versions in laters.items():
        known = [version for version in versions if version is not None]
        if len(known) == len(versions):
            close_overtaken(tx, read_id, max(known), now)


def close_overtaken(tx: Transaction, read_id: str | None, later: int, now: datetime) -> None:
    """Close the read if its newest version, older than `later`, is on its way no more; calling off closes nothing."""
    read = tx.reads.get(read_id or "", lock=True)
    if read is None or read.state not in {ReadState.VERIFIED, ReadState.DELIVERED}:
        return
    newest = newest_taken(tx, read)
    if newest is None or (newest.version or 0) >= later:
        return
    states = {one.channel: one.state for one in tx.deliveries.of_report(newest.id)}
    ended = {channel for channel, state in states.items() if state in DONE | {DeliveryState.DROPPED}}
    if any(state in OWED for state in states.values()) or not set(policy_of(tx, read.origin).closed_by) <= ended:
        return
    detail = {"reason": f"version {later} of another read reached the origin in place of version {newest.version}"}
    change_read(tx, read, Event.OVERTAKE, Actor.ROUTER, now, by="router", detail=detail, report_id=newest.id)


def newest_taken(tx: Transaction, read: Read) -> Report | None:
    """The latest version of the read's report; None where none has a version yet."""
    of_study = tx.reports.of_study(read.study_instance_uid)
    taken = [one for one in of_study if one.read_id == read.id and one.disposition is Disposition.ACCEPTED]
    return max((one for one in taken if one.version), key=lambda one: one.version or 0, default=None)
