"""The way home of a report: to the immutable origin only, closed only by the origin's application ACK."""

from dataclasses import replace
from datetime import datetime

from dicom_nodes.contract import ExamCode, ReportAcknowledged, ReportAuthor, ReturnReport
from router.flows.human_queue import About, ask_a_person, resolve_open
from router.flows.images import identity_of
from router.flows.ports import IssuedOrder, Transaction
from router.flows.read_life import change_read
from router.flows.second_read import owe_second_read
from router.model.errors import TransitionRefused
from router.model.read import Read, ReadState
from router.model.record import Entry
from router.model.report import Delivery, DeliveryState, Report
from router.model.study import Study
from router.rules.read_states import Actor, Event

CHANNELS = ("ris", "archive")
_ACCEPTED_CODES = {"ris": {"AA"}, "archive": {"0000", "B000", "B006", "B007"}}
_WARNINGS = {
    "B000": "the archive changed data elements (coercion)",
    "B006": "the archive discarded data elements",
    "B007": "the archive found that the data set does not match its SOP class",
}
"""C-STORE answers that say the document is kept, though not as it was sent (DICOM PS3.4 B.2.3)."""


def return_report(tx: Transaction, report: Report, read: Read, study: Study, now: datetime) -> None:
    """Order the report back to the trust that made the images, with a delivery to follow on every channel."""
    code = study.exam_code
    body = ReturnReport(
        read_id=read.id,
        report_id=report.id,
        version=report.version or 1,
        study=identity_of(study),
        status="F",
        text=report.text,
        author=ReportAuthor(registration=report.registration, name=report.author_name),
        authored_at=report.authored_at,
        verified_at=now,
        exam_code=None if code is None else ExamCode(value=code[0], scheme=code[1], meaning=code[2]),
    )
    order = tx.orders.issue(study.origin, body, now, read_id=read.id, report_id=report.id, epoch=read.epoch)
    for channel in CHANNELS:
        tx.reports.put_delivery(Delivery(report.id, channel, order.order_id, DeliveryState.QUEUED, now))
    tx.ledger.append(
        Entry(
            event="order.return",
            at=now,
            actor="router",
            study_instance_uid=study.study_instance_uid,
            read_id=read.id,
            report_id=report.id,
            order_id=order.order_id,
            node=study.origin,
            detail={"version": body.version},
        )
    )
    if read.directives.second_read is not None:
        owe_second_read(tx, read, report, now)


def return_again(tx: Transaction, before: IssuedOrder, body: ReturnReport, now: datetime) -> None:
    """The same report once more under an order of its own; channels that acknowledged it keep that."""
    order = tx.orders.issue(before.node, body, now, read_id=body.read_id, report_id=body.report_id, epoch=before.epoch)
    for delivery in tx.reports.deliveries(body.report_id):
        if delivery.state not in {DeliveryState.ACKED, DeliveryState.FILED}:
            tx.reports.put_delivery(
                Delivery(body.report_id, delivery.channel, order.order_id, DeliveryState.QUEUED, now)
            )


def take_acknowledgement(tx: Transaction, issued: IssuedOrder, acknowledged: ReportAcknowledged, now: datetime) -> None:
    """One channel answered. The RIS's AA delivers the read; anything but acceptance is for a person."""
    report_id = issued.report_id or ""
    before = {delivery.channel: delivery for delivery in tx.reports.deliveries(report_id)}
    present = before.get(acknowledged.channel)
    if present is not None and present.state in {DeliveryState.ACKED, DeliveryState.FILED}:
        return
    accepted = acknowledged.code in _ACCEPTED_CODES[acknowledged.channel]
    state = DeliveryState.ACKED if accepted else DeliveryState.REJECTED
    order_id = issued.order.order_id
    tx.reports.put_delivery(
        Delivery(report_id, acknowledged.channel, order_id, state, now, acknowledged.code, acknowledged.reference)
    )
    read = tx.reads.get(issued.read_id or "", lock=True)
    uid = read.study_instance_uid if read is not None else None
    detail = {"channel": acknowledged.channel, "code": acknowledged.code, "reference": acknowledged.reference}
    if acknowledged.channel == "archive" and acknowledged.code in _WARNINGS:
        detail["warning"] = _WARNINGS[acknowledged.code]
    tx.ledger.append(
        Entry(
            event="report.acknowledged" if accepted else "report.rejected",
            at=now,
            actor=f"node {issued.node}",
            study_instance_uid=uid,
            read_id=issued.read_id,
            report_id=report_id,
            order_id=order_id,
            node=issued.node,
            detail=detail,
        )
    )
    if not accepted:
        reason = f"the {acknowledged.channel} of {issued.node} answered {acknowledged.code} to a report"
        _ask(tx, "report_rejected", reason, f"{order_id}:{acknowledged.channel}", issued, uid, now)
    elif acknowledged.channel == "ris" and read is not None and read.state is ReadState.VERIFIED:
        by = f"node {issued.node}"
        read = change_read(tx, read, Event.ACKNOWLEDGE, Actor.ORIGIN, now, by=by, report_id=report_id)
    if accepted and issued.outcome == "COMPLETED" and read is not None and read.state is ReadState.DELIVERED:
        _close(tx, issued, read, now)


def take_return_completed(tx: Transaction, issued: IssuedOrder, now: datetime) -> None:
    """The origin says it has filed the report everywhere; without the RIS's AA the read stays open."""
    report_id = issued.report_id or ""
    deliveries = {delivery.channel: delivery.state for delivery in tx.reports.deliveries(report_id)}
    read = tx.reads.get(issued.read_id or "", lock=True)
    uid = read.study_instance_uid if read is not None else None
    if deliveries.get("ris") not in {DeliveryState.ACKED, DeliveryState.FILED}:
        reason = f"{issued.node} completed the return of a report without its RIS's acknowledgement"
        _ask(tx, "report_unacknowledged", reason, issued.order.order_id, issued, uid, now)
        return
    if read is not None and read.state is ReadState.DELIVERED:
        _close(tx, issued, read, now)


def _close(tx: Transaction, issued: IssuedOrder, read: Read, now: datetime) -> None:
    order_id = issued.order.order_id
    unfiled = []
    for delivery in tx.reports.deliveries(issued.report_id or ""):
        if delivery.state is DeliveryState.ACKED:
            tx.reports.put_delivery(replace(delivery, state=DeliveryState.FILED, updated_at=now))
        elif delivery.state is not DeliveryState.FILED:
            unfiled.append(delivery.channel)
    if unfiled:
        reason = f"{issued.node} completed the return of a report without an acknowledgement of {', '.join(unfiled)}"
        _ask(tx, "report_unacknowledged", reason, order_id, issued, read.study_instance_uid, now)
        return
    try:
        by = f"node {issued.node}"
        change_read(tx, read, Event.FILE, Actor.ORIGIN, now, by=by, report_id=issued.report_id)
        resolve_open(tx, "report_unacknowledged", order_id, "router", "acknowledged on every channel since", now)
    except TransitionRefused:
        return


def park_return(tx: Transaction, issued: IssuedOrder, now: datetime) -> None:
    """The origin's node gave up for now: what is not acknowledged is parked."""
    tx.reports.mark_deliveries(
        issued.order.order_id, {DeliveryState.QUEUED, DeliveryState.SENT}, DeliveryState.PARKED, now
    )


def mark_sent(tx: Transaction, order_ids: list[str], now: datetime) -> None:
    """The origin's node has fetched these orders."""
    for order_id in order_ids:
        tx.reports.mark_deliveries(order_id, {DeliveryState.QUEUED}, DeliveryState.SENT, now)


def _ask(
    tx: Transaction, kind: str, reason: str, key: str, issued: IssuedOrder, uid: str | None, now: datetime
) -> None:
    about = About(
        study_instance_uid=uid,
        read_id=issued.read_id,
        report_id=issued.report_id,
        order_id=issued.order.order_id,
        node=issued.node,
        resend_kind="return",
        resend_key=issued.order.order_id,
    )
    ask_a_person(tx, kind, reason, key, now, about)
