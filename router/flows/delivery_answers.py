"""What the origin's node says of a return: each channel's answer, what it gave up on, and when all is done.

A channel's yes counts for its version for ever, under whichever order it came. Only its newest version takes a read on.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from dicom_nodes.contract import OrderParked, ReportAcknowledged
from router.flows.delivery_items import close_answered
from router.flows.human_queue import About, ask_a_person, resolve_open
from router.flows.overtaken_reads import close_all_overtaken, close_overtaken, newest_taken
from router.flows.ports import IssuedOrder, Transaction
from router.flows.read_life import change_read
from router.flows.return_report import policy_of, send_ready, stop
from router.model.delivery import DONE, OWED, STUCK, UNDER_WAY, Delivery, DeliveryState, ListedDelivery
from router.model.read import Read, ReadState
from router.model.record import Entry
from router.model.report import Report
from router.rules.read_states import Actor, Event
from router.rules.report_versions import overtaken

_STORED = frozenset({"0000", "B000", "B006", "B007"})
_ACCEPTED_CODES = {
    "ris": frozenset({"AA"}),
    "archive": _STORED,
    "pdf": _STORED,
    "fhir": frozenset({"200", "201"}),
}
_WARNINGS = {
    "B000": "the archive changed data elements (coercion)",
    "B006": "the archive discarded data elements",
    "B007": "the archive found that the data set does not match its SOP class",
}
"""C-STORE answers that say the document is kept, though not as it was sent (DICOM PS3.4 B.2.3)."""
UNACKNOWLEDGED = "report_unacknowledged"
"""Asked where a node is done with a return and a channel has not answered."""
_CONTENT_ERROR = "AE"
"""HL7 v2.5.1 ch. 2.9.2: what was sent is wrong, so a person has to look; AR is not about the content."""


def take_acknowledgement(
    tx: Transaction, issued: IssuedOrder, acknowledged: ReportAcknowledged, key: str, now: datetime
) -> None:
    """One channel answered. A yes may take the read on; a no is for a person. `key` names this occurrence."""
    report = tx.reports.get(issued.report_id or "")
    if report is None:
        return
    channel, order_id = acknowledged.channel, issued.order.order_id
    known = {delivery.channel: delivery for delivery in tx.deliveries.of_report(report.id)}
    present = known.get(channel) or Delivery(report.id, channel, order_id, DeliveryState.SENT, now, queued_at=now)
    if present.state in DONE:
        return
    accepted = acknowledged.code in _ACCEPTED_CODES[channel]
    _log_answer(tx, issued, report, acknowledged, accepted, now)
    code, reference = acknowledged.code, acknowledged.reference
    if accepted:
        is_last_word = issued.outcome == "RECALLED"  # its node's OrderCompleted says nothing that was not called off
        state = DeliveryState.FILED if is_last_word else DeliveryState.ACKED
        done = replace(present, state=state, updated_at=now, code=code, reference=reference, words=None, note=None)
        tx.deliveries.put(done)
        _go_on(tx, report, issued, issued.outcome == "COMPLETED", now)
    elif present.order_id == order_id and present.state in OWED - {DeliveryState.HELD}:
        state = DeliveryState.PARKED if code == _CONTENT_ERROR else DeliveryState.REJECTED
        words = acknowledged.words
        tx.deliveries.put(replace(present, state=state, updated_at=now, code=code, reference=reference, words=words))
        _ask(tx, "report_rejected", _refusal(issued, report, acknowledged), f"{key}:{channel}", issued, report, now)


def _refusal(issued: IssuedOrder, report: Report, acknowledged: ReportAcknowledged) -> str:
    said = f"the {acknowledged.channel} of {issued.node} answered {acknowledged.code}"
    said += f" to a report (version {report.version})" + (f": {acknowledged.words}" if acknowledged.words else "")
    if acknowledged.code == "AR":
        return f"{said}; it refuses messages like this one: tell whoever runs the interface there"
    return said


def take_return_completed(tx: Transaction, issued: IssuedOrder, now: datetime) -> None:
    """The node has nothing left to send of this order; without the origin's answers the version stays owed."""
    report = tx.reports.get(issued.report_id or "")
    if report is None:
        return
    order_id = issued.order.order_id
    deliveries = tx.deliveries.of_report(report.id)
    for delivery in deliveries:
        if delivery.state is DeliveryState.ACKED:
            tx.deliveries.put(replace(delivery, state=DeliveryState.FILED, updated_at=now))
    owed = [one.channel for one in deliveries if one.order_id == order_id and one.state in OWED - {DeliveryState.HELD}]
    if owed:
        reason = f"{issued.node} completed the return of a report without an acknowledgement of {', '.join(owed)}"
        _ask(tx, UNACKNOWLEDGED, reason, order_id, issued, report, now)
    _go_on(tx, report, issued, True, now)


def _go_on(tx: Transaction, report: Report, issued: IssuedOrder, completed: bool, now: datetime) -> None:
    """After a yes: drop what it overtook, send what waited for it, take the read on, and close those it overtook."""
    uid = report.study_instance_uid or ""
    listed = tx.deliveries.of_study(uid)
    for one in listed:
        if one.delivery.state in STUCK:
            _drop_if_overtaken(tx, one, listed, now)
    send_ready(tx, uid, now)
    read = tx.reads.get(report.read_id or "", lock=True)
    newest = None if read is None else newest_taken(tx, read)
    if read is not None and newest is not None and newest.version == report.version:
        _take_read_on(tx, read, report, issued, completed, now)
    close_all_overtaken(tx, listed, now)
    close_answered(tx, uid, "router", "the origin has answered since", now)


def _take_read_on(
    tx: Transaction, read: Read, report: Report, issued: IssuedOrder, completed: bool, now: datetime
) -> None:
    """VERIFIED → DELIVERED when the origin's application answered yes, → CLOSED when every closing channel has it.

    The node's word that it is done is waited for, unless a channel that closes nothing keeps it from that.
    """
    policy, by = policy_of(tx, read.origin), f"node {issued.node}"
    deliveries = tx.deliveries.of_report(report.id)
    have = {delivery.channel for delivery in deliveries if delivery.state in DONE}
    if read.state is ReadState.VERIFIED and policy.answered_by <= have:
        read = change_read(tx, read, Event.ACKNOWLEDGE, Actor.ORIGIN, now, by=by, report_id=report.id)
    is_done = completed or any(delivery.state in OWED for delivery in deliveries)
    if read.state is not ReadState.DELIVERED or not set(policy.closed_by) <= have or not is_done:
        return
    for delivery in deliveries:
        if delivery.state is DeliveryState.ACKED:
            tx.deliveries.put(replace(delivery, state=DeliveryState.FILED, updated_at=now))
    change_read(tx, read, Event.FILE, Actor.ORIGIN, now, by=by, report_id=report.id)
    note = "acknowledged on every channel since"
    resolve_open(tx, UNACKNOWLEDGED, issued.order.order_id, "router", note, now)


def park_return(tx: Transaction, issued: IssuedOrder, parked: OrderParked, now: datetime) -> bool:
    """The node gave up for now; whether a person has to be asked, who was not yet asked about the refusals.

    What a later version overtook is no loss: it is dropped, and the ledger says so.
    """
    report = tx.reports.get(issued.report_id or "")
    listed = tx.deliveries.of_study(report.study_instance_uid or "") if report is not None else ()
    order_id = issued.order.order_id
    mine = [
        one
        for one in listed
        if one.delivery.order_id == order_id
        and one.delivery.state in OWED
        and parked.channel in {None, one.delivery.channel}
    ]
    stuck = [one for one in mine if not _drop_if_overtaken(tx, one, listed, now)]
    for one in stuck:
        state = DeliveryState.PARKED if one.delivery.state in UNDER_WAY else one.delivery.state
        words = one.delivery.words or parked.reason
        tx.deliveries.put(replace(one.delivery, state=state, updated_at=now, words=words))
    if stuck and all(one.delivery.state in STUCK for one in stuck):
        asked = tx.queue.listing(kind="report_rejected", resolved=False)
        return not any(item.order_id == order_id for item in asked)
    return bool(stuck) or not mine


def _drop_if_overtaken(tx: Transaction, one: ListedDelivery, listed: Sequence[ListedDelivery], now: datetime) -> bool:
    later = overtaken(one, listed)
    if later is not None:
        stop(tx, [one], DeliveryState.DROPPED, f"version {later} was filed before it", "router", now)
        close_overtaken(tx, one.read_id, later, now)
    return later is not None


def _log_answer(
    tx: Transaction,
    issued: IssuedOrder,
    report: Report,
    acknowledged: ReportAcknowledged,
    accepted: bool,
    now: datetime,
) -> None:
    channel, code = acknowledged.channel, acknowledged.code
    detail: dict[str, object] = {"channel": channel, "code": code, "reference": acknowledged.reference}
    detail["version"] = report.version
    if channel in {"archive", "pdf"} and code in _WARNINGS:
        detail["warning"] = _WARNINGS[code]
    if acknowledged.losses:
        detail["losses"] = list(acknowledged.losses)
    tx.ledger.append(
        Entry(
            event="report.acknowledged" if accepted else "report.rejected",
            at=now,
            actor=f"node {issued.node}",
            study_instance_uid=report.study_instance_uid,
            read_id=issued.read_id,
            report_id=report.id,
            order_id=issued.order.order_id,
            node=issued.node,
            detail=detail,
        )
    )


def _ask(tx: Transaction, kind: str, reason: str, key: str, issued: IssuedOrder, report: Report, now: datetime) -> None:
    about = About(
        study_instance_uid=report.study_instance_uid,
        read_id=issued.read_id,
        report_id=report.id,
        order_id=issued.order.order_id,
        node=issued.node,
        resend_kind="return",
        resend_key=issued.order.order_id,
    )
    ask_a_person(tx, kind, reason, key, now, about)
