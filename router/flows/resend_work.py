"""A person has work done again: a parked job by the node that has it, anything else by a fresh order.

Images go again only to whoever still holds the read, at the revision and under the lease that they were ordered for.
"""

from datetime import datetime

from dicom_nodes.contract import DeliverStudy, FetchStudy, ResendJob, ReturnReport
from router.flows.doubted_studies import refuse_in_conflict
from router.flows.human_queue import entry_about, resolve_item
from router.flows.images import deliver_images, send_images
from router.flows.ports import IssuedOrder, Transaction
from router.flows.return_report import return_again
from router.model.errors import Conflict, NotFound
from router.model.read import LEASED, Read
from router.model.reader import Reader
from router.model.record import QueueItem
from router.rules.eligibility import entitlement_problems


def resend(tx: Transaction, item_id: str, by: str, note: str, now: datetime) -> QueueItem:
    """Order the item's work once more, and close the item.

    Raises:
        NotFound: no such item.
        Conflict: the item is not about work of a node, is closed, its images are nobody's any more, or a conflict
            about a report's study is open.
    """
    item = tx.queue.get(item_id)
    if item is None:
        raise NotFound("no such item in the human queue")
    if item.node is None or item.resend_kind is None or item.resend_key is None:
        raise Conflict("this item is not about parked work, so there is nothing to send again")
    order = tx.orders.get(item.resend_key)
    if order is not None and isinstance(order.order.body, ReturnReport):
        refuse_in_conflict(tx, order.order.body.study.study_instance_uid, order.order.body.study.origin)
    holder = None if order is None else _holder(tx, order, now)
    resolved = resolve_item(tx, item_id, by, note, now)
    if order is None or order.outcome == "PARKED":
        body = ResendJob(job_kind=item.resend_kind, job_key=item.resend_key)
        tx.orders.issue(item.node, body, now, read_id=item.read_id, report_id=item.report_id)
    else:
        _order_afresh(tx, order, holder, now)
    tx.ledger.append(entry_about("order.resent", item, now, by, {"kind": item.resend_kind}))
    return resolved


def _order_afresh(tx: Transaction, order: IssuedOrder, holder: tuple[Read, Reader] | None, now: datetime) -> None:
    if holder is not None:
        read, reader = holder
        send = send_images if isinstance(order.order.body, FetchStudy) else deliver_images
        send(tx, read, reader, now)
    elif isinstance(order.order.body, ReturnReport):
        return_again(tx, order.order.body, now)


def _holder(tx: Transaction, order: IssuedOrder, now: datetime) -> tuple[Read, Reader] | None:
    """Who the order's images are still for; None where the order is not about images."""
    body = order.order.body
    if not isinstance(body, FetchStudy | DeliverStudy):
        return None
    read = tx.reads.get(body.read_id, lock=True)
    if read is None or read.state not in LEASED or read.epoch != order.epoch or read.lease is None:
        raise Conflict("the read has moved on: its images are not sent to who held it then; resolve the item")
    if read.revision != body.revision:
        raise Conflict(f"revision {read.revision} took the place of these images; resolve the item")
    reader = tx.readers.get(read.lease.reader_id)
    if reader is None or reader.workstation.node != order.node:
        raise Conflict("the reader works elsewhere now; resolve the item")
    problems = entitlement_problems(reader, read.origin, now)
    if problems:
        raise Conflict(f"the holder is not entitled now: {'; '.join(problems)}")
    return read, reader
