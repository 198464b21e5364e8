"""What machines cannot settle waits here for a named person; nothing in it is ever dropped."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from dicom_nodes.contract import DeliverStudy, FetchStudy, ReturnReport
from router.flows.ports import IssuedOrder, Transaction
from router.model.errors import Conflict, NotFound
from router.model.record import Entry, QueueItem

_LONGEST_KEY = 255
_LONGEST_REASON = 4000


@dataclass(frozen=True, slots=True)
class About:
    """What an item is about; every field may be missing."""

    study_instance_uid: str | None = None
    read_id: str | None = None
    report_id: str | None = None
    order_id: str | None = None
    node: str | None = None
    resend_kind: str | None = None
    resend_key: str | None = None


def about_order(issued: IssuedOrder) -> About:
    """Of an order, which resolving the item may have sent again; its study, where it concerns one."""
    return About(
        study_instance_uid=study_of_order(issued),
        read_id=issued.read_id,
        report_id=issued.report_id,
        order_id=issued.order.order_id,
        node=issued.node,
        resend_kind=issued.order.body.kind,
        resend_key=issued.order.order_id,
    )


def study_of_order(issued: IssuedOrder) -> str | None:
    """The Study Instance UID, where images or a report are on their way."""
    body = issued.order.body
    return body.study.study_instance_uid if isinstance(body, FetchStudy | DeliverStudy | ReturnReport) else None


def ask_again(
    tx: Transaction, kind: str, reason: str, key: str, now: datetime, about: About, again_after_s: float
) -> None:
    """Ask about something that lasts: once while an item is open, and anew so long after the last was resolved."""
    number = 1
    while (item := tx.queue.by_key(dedupe_key(kind, _numbered(key, number)))) is not None:
        if item.resolved_at is None or now < item.resolved_at + timedelta(seconds=again_after_s):
            return
        number += 1
    again = "" if number == 1 else f" (asked for the {number}. time; it still holds)"
    ask_a_person(tx, kind, reason + again, _numbered(key, number), now, about)


def is_asked(tx: Transaction, kind: str, key: str) -> bool:
    """Whether an item that `ask_again` opened under this key waits for a person."""
    number = 1
    while (item := tx.queue.by_key(dedupe_key(kind, _numbered(key, number)))) is not None:
        if item.resolved_at is None:
            return True
        number += 1
    return False


def _numbered(key: str, number: int) -> str:
    return key if number == 1 else f"{key}#{number}"


def ask_a_person(tx: Transaction, kind: str, reason: str, key: str, now: datetime, about: About) -> None:
    """Open an item once per `key`; the ledger remembers that somebody was asked."""
    item = QueueItem(
        id=str(uuid4()),
        kind=kind,
        reason=reason[:_LONGEST_REASON],
        dedupe_key=dedupe_key(kind, key),
        opened_at=now,
        study_instance_uid=about.study_instance_uid,
        read_id=about.read_id,
        report_id=about.report_id,
        order_id=about.order_id,
        node=about.node,
        resend_kind=about.resend_kind,
        resend_key=about.resend_key,
    )
    if tx.queue.open(item):
        tx.ledger.append(
            entry_about("queue.opened", item, now, "router", {"kind": kind, "reason": reason, "item": item.id})
        )


def resolve_item(tx: Transaction, item_id: str, by: str, note: str, now: datetime) -> QueueItem:
    """Close an item with what was done about it.

    Raises:
        NotFound, Conflict: no such item, somebody closed it before, or two persons have to decide it.
    """
    item = tx.queue.get(item_id)
    if item is None:
        raise NotFound("no such item in the human queue")
    _leave_to_two_persons(tx, item)
    if not tx.queue.resolve(item_id, by, now, note):
        raise Conflict(f"already resolved by {item.resolved_by}")
    tx.ledger.append(entry_about("queue.resolved", item, now, by, {"kind": item.kind, "item": item.id, "note": note}))
    resolved = tx.queue.get(item_id)
    assert resolved is not None
    return resolved


def _leave_to_two_persons(tx: Transaction, item: QueueItem) -> None:
    """A change of a patient leaves the queue by being decided only: one person alone ends no doubt about it."""
    if item.kind != "study_conflict" or item.resolved_at is not None:
        return
    for conflict in tx.patient_conflicts.undecided():
        if dedupe_key(item.kind, conflict.key) == item.dedupe_key:
            raise Conflict(
                f"two persons decide it: propose and confirm, or reject, the change of the patient (id {conflict.id}, "
                "readacross patients)"
            )


def resolve_open(tx: Transaction, kind: str, key: str, by: str, note: str, now: datetime) -> None:
    """Close the item that was opened under this kind and key, if it is still open."""
    item = tx.queue.by_key(dedupe_key(kind, key))
    if item is not None and item.resolved_at is None:
        resolve_item(tx, item.id, by, note, now)


def dedupe_key(kind: str, key: str) -> str:
    """What makes an item appear once. Long keys are told by their digest, so that none is mistaken for another."""
    whole = f"{kind}:{key}"
    return whole if len(whole) <= _LONGEST_KEY else f"{kind}:sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def entry_about(event: str, item: QueueItem, now: datetime, by: str, detail: dict[str, object]) -> Entry:
    """A ledger line about what the item is about."""
    return Entry(
        event=event,
        at=now,
        actor=by,
        study_instance_uid=item.study_instance_uid,
        read_id=item.read_id,
        report_id=item.report_id,
        order_id=item.order_id,
        node=item.node,
        detail=detail,
    )
