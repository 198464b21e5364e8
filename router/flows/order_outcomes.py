"""What became of an order: proof is compared, the next order follows, and what is parked waits for a person."""

from dataclasses import replace
from datetime import datetime, timedelta

from dicom_nodes.contract import (
    DeliverStudy,
    FetchStudy,
    JobParked,
    OrderCompleted,
    OrderParked,
    ResendJob,
    ReturnReport,
    TellRis,
)
from router.flows.delivery_answers import park_return, take_return_completed
from router.flows.delivery_items import telephone_about
from router.flows.hold_lease import withdraw
from router.flows.human_queue import About, about_order, ask_a_person, study_of_order
from router.flows.images import deliver_images, place_of
from router.flows.ports import IssuedOrder, Transaction
from router.flows.priors import is_of_prior, prior_arrived
from router.flows.tell_ris import take_not_told, take_told
from router.model.delivery import DONE, DeliveryState
from router.model.read import LEASED, Read, ReadState
from router.model.record import Entry
from router.rules.eligibility import entitlement_problems
from router.rules.read_states import Actor


def own_order(tx: Transaction, node: str, order_id: str, now: datetime) -> IssuedOrder | None:
    """The order, if it was issued to this node; otherwise a person is asked and None returned."""
    issued = tx.orders.get(order_id)
    if issued is not None and issued.node == node:
        return issued
    reason = f"node {node} spoke of an order that was never issued to it"
    ask_a_person(tx, "unknown_order", reason, f"{node}:{order_id}", now, About(node=node))
    return None


def take_completed(
    tx: Transaction,
    node: str,
    completed: OrderCompleted,
    key: str,
    occurred_at: datetime,
    now: datetime,
    claim_timeout_s: float,
) -> None:
    """An order was carried out; a fetch or delivery counts only with the manifest's digest as proof.

    `occurred_at` is when, by the node's clock: the fact may come much later, when the router was away.
    `key` names this occurrence.
    """
    issued = own_order(tx, node, completed.order_id, now)
    if issued is None or issued.outcome in {"COMPLETED", "RECALLED"}:
        return
    body = issued.order.body
    if isinstance(body, FetchStudy | DeliverStudy):
        if completed.manifest_digest != body.manifest.digest:
            reason = f"node {node} completed a {body.kind}, but not with the content that was ordered"
            _ask(tx, "incomplete_images", reason, key, issued, now)
            return
        tx.orders.conclude(completed.order_id, "COMPLETED", now)
        _images_arrived(tx, issued, body, completed, occurred_at, now, claim_timeout_s)
    else:
        tx.orders.conclude(completed.order_id, "COMPLETED", now)
        if isinstance(body, ReturnReport):
            _log(tx, "report.filed", issued, now, {})
            take_return_completed(tx, issued, now)
        elif isinstance(body, TellRis):
            take_told(tx, issued, body, now)


def take_parked(tx: Transaction, node: str, parked: OrderParked, key: str, now: datetime) -> None:
    """An order ran out of attempts: a person sees it and can send it again. `key` names this occurrence."""
    issued = own_order(tx, node, parked.order_id, now)
    if issued is None or issued.outcome in {"COMPLETED", "RECALLED"}:
        return
    tx.orders.conclude(parked.order_id, "PARKED", now, parked.reason)
    if isinstance(issued.order.body, ResendJob):
        _resend_failed(tx, issued, issued.order.body, parked, key, now)
        return
    if isinstance(issued.order.body, TellRis):
        take_not_told(tx, issued.order.body, parked.reason, now)
    asks = not isinstance(issued.order.body, ReturnReport) or park_return(tx, issued, parked, now)
    detail = {"kind": issued.order.body.kind, "reason": parked.reason, "attempts": parked.attempts}
    read = tx.reads.get(issued.read_id or "")
    body = issued.order.body
    if read is not None and isinstance(body, FetchStudy | DeliverStudy) and is_of_prior(read, body):
        detail["prior"] = body.study.study_instance_uid
        _log(tx, "prior.unreachable", issued, now, detail, read)
    else:
        _log(tx, "order.parked", issued, now, detail)
    if not asks:
        return
    if isinstance(body, ReturnReport):
        telephone_about(tx, issued, body, parked, key, now)
        return
    reason = f"{body.kind} at {node} gave up after {parked.attempts} attempts: {parked.reason}"
    _ask(tx, "order", reason, key, issued, now)


def _resend_failed(
    tx: Transaction, issued: IssuedOrder, resent: ResendJob, parked: OrderParked, key: str, now: datetime
) -> None:
    """The node has no such job parked: the person who asked hears of it, and the next try is a fresh order."""
    _log(tx, "order.parked", issued, now, {"kind": "resend", "reason": parked.reason, "attempts": parked.attempts})
    original = tx.orders.get(resent.job_key)
    if original is not None and original.outcome == "PARKED":
        tx.orders.conclude(resent.job_key, "LOST", now, parked.reason)
    reason = f"{issued.node} could not try its {resent.job_kind} again: {parked.reason}"
    if original is not None and original.node == issued.node:
        _ask(tx, "order", reason, key, original, now)
    else:
        about = About(node=issued.node, resend_kind=resent.job_kind, resend_key=resent.job_key)
        ask_a_person(tx, "job", reason, key, now, about)


def take_parked_job(tx: Transaction, node: str, parked: JobParked, key: str, now: datetime) -> None:
    """Work of the node's own ran out of attempts; or a return that was called off may have arrived all the same."""
    issued = tx.orders.get(parked.job_key.partition("/")[0]) if parked.job_kind == "return" else None
    if issued is not None and issued.node == node:
        _ask_whether_it_arrived(tx, issued, parked, key, now)
        return
    about = About(node=node, resend_kind=parked.job_kind, resend_key=parked.job_key)
    reason = f"{parked.job_kind} at {node} gave up after {parked.attempts} attempts: {parked.reason}"
    ask_a_person(tx, "job", reason, key, now, about)


def _ask_whether_it_arrived(tx: Transaction, issued: IssuedOrder, parked: JobParked, key: str, now: datetime) -> None:
    """Somebody has to look there; nothing can be sent again by this item.

    Not where it was answered since, or is dropped: then what took its place comes after it.
    """
    detail = {"kind": parked.job_kind, "reason": parked.reason, "attempts": parked.attempts}
    _log(tx, "order.parked", issued, now, detail)
    channel = parked.job_key.partition("/")[2]
    deliveries = tx.deliveries.of_report(issued.report_id or "")
    if any(one.channel == channel and one.state in DONE | {DeliveryState.DROPPED} for one in deliveries):
        return
    body = issued.order.body
    uid = body.study.study_instance_uid if isinstance(body, ReturnReport) else None
    about = About(uid, issued.read_id, issued.report_id, issued.order.order_id, issued.node)
    ask_a_person(tx, "recalled_report", f"a report at {issued.node}: {parked.reason}", key, now, about)


def _images_arrived(
    tx: Transaction,
    issued: IssuedOrder,
    body: FetchStudy | DeliverStudy,
    completed: OrderCompleted,
    occurred_at: datetime,
    now: datetime,
    claim_timeout_s: float,
) -> None:
    event = "images.fetched" if isinstance(body, FetchStudy) else "images.delivered"
    detail: dict[str, object] = {"revision": body.revision, "instances": completed.instance_count}
    read = tx.reads.get(body.read_id, lock=True)
    if read is not None and is_of_prior(read, body):
        event, detail = event.replace("images", "prior"), {**detail, "prior": body.study.study_instance_uid}
    _log(tx, event, issued, now, {**detail, "manifest_sha256": completed.manifest_digest}, read)
    if read is None or read.state not in LEASED or read.epoch != issued.epoch:
        return
    if is_of_prior(read, body):
        _prior_arrived(tx, issued, read, body, now)
        return
    if read.revision != body.revision:
        return
    if isinstance(body, DeliverStudy):
        _mark_delivered(tx, read, min(occurred_at, now), now, claim_timeout_s)
        return
    reader = tx.readers.get(read.lease.reader_id) if read.lease is not None else None
    if reader is None or place_of(tx, read, reader).node != issued.node:
        return
    problems = entitlement_problems(reader, read.origin, now)
    if not problems:
        deliver_images(tx, read, reader, now)
    elif read.state is ReadState.ASSIGNED:
        withdraw(tx, read, Actor.ROUTER, "router", "; ".join(problems), now)
    else:
        reason = f"images were not delivered to {reader.id}, who holds the read: {'; '.join(problems)}"
        about = About(study_instance_uid=read.study_instance_uid, read_id=read.id, node=read.origin)
        ask_a_person(tx, "images_withheld", reason, f"{read.id}:{read.epoch}", now, about)


def _prior_arrived(
    tx: Transaction, issued: IssuedOrder, read: Read, body: FetchStudy | DeliverStudy, now: datetime
) -> None:
    reader = tx.readers.get(read.lease.reader_id) if read.lease is not None else None
    if reader is not None and not entitlement_problems(reader, read.origin, now):
        prior_arrived(tx, issued, read, reader, body, now)


def _mark_delivered(tx: Transaction, read: Read, delivered_at: datetime, now: datetime, claim_timeout_s: float) -> None:
    """Images are there: an unclaimed offer has its full time from now on. A second delivery changes nothing."""
    if read.images_delivered_at is not None:
        return
    lease = read.lease
    if lease is not None and read.state is ReadState.ASSIGNED:
        until = max(lease.until, now + timedelta(seconds=claim_timeout_s))
        lease = replace(lease, until=until)
    tx.reads.replace(read, replace(read, lease=lease, images_delivered_at=delivered_at))


def _log(
    tx: Transaction,
    event: str,
    issued: IssuedOrder,
    now: datetime,
    detail: dict[str, object],
    read: Read | None = None,
) -> None:
    """In the ledger of the study that is read, where `read` is given; a prior is named in `detail`."""
    uid = study_of_order(issued) if read is None else read.study_instance_uid
    tx.ledger.append(
        Entry(
            event=event,
            at=now,
            actor=f"node {issued.node}",
            study_instance_uid=uid,
            read_id=issued.read_id,
            report_id=issued.report_id,
            order_id=issued.order.order_id,
            node=issued.node,
            detail=detail,
        )
    )


def _ask(tx: Transaction, kind: str, reason: str, key: str, issued: IssuedOrder, now: datetime) -> None:
    ask_a_person(tx, kind, reason, key, now, about_order(issued))
