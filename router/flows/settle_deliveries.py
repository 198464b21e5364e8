"""What a person does about a delivery: have it sent again, or call it off. Both with a reason that the ledger keeps."""

from dataclasses import replace
from datetime import datetime

from dicom_nodes.contract import ResendJob
from router.flows.delivery_items import close_answered
from router.flows.doubted_studies import refuse_in_conflict
from router.flows.overtaken_reads import close_all_overtaken
from router.flows.ports import Transaction
from router.flows.return_report import delivery_entry, send_again, send_ready, stop
from router.model.delivery import DONE, UNDER_WAY, DeliveryState, ListedDelivery
from router.model.errors import Conflict, NotFound
from router.rules.report_versions import must_wait, overtaken


def resend_delivery(
    tx: Transaction, report_id: str, channel: str, by: str, reason: str, now: datetime
) -> ListedDelivery:
    """Have one channel of a version sent again: by the node that has it parked, or else by a fresh order.

    Raises:
        NotFound: no such delivery.
        Conflict: the origin has it or a later version, its node is still at it, it waits for an earlier version, or it
            is doubted whose study it is.
    """
    one, listed = _find(tx, report_id, channel)
    delivery = one.delivery
    later = overtaken(one, listed)
    refuse_in_conflict(tx, one.study_instance_uid, one.trust)
    if delivery.state in DONE:
        raise Conflict("the origin has acknowledged it")
    if later is not None:
        raise Conflict(f"the origin has version {later} already")
    if must_wait(one.version, one.addendum, channel, listed):
        raise Conflict("an earlier version has to reach the origin first")
    order = tx.orders.get(delivery.order_id or "")
    if delivery.state in UNDER_WAY and order is not None and order.outcome not in {"COMPLETED", "LOST"}:
        raise Conflict("the origin's node still tries; it can be called off")
    if delivery.state is DeliveryState.PARKED and order is not None and order.outcome == "PARKED":
        again = ResendJob(job_kind="return", job_key=order.order.order_id)
        tx.orders.issue(order.node, again, now, read_id=one.read_id, report_id=report_id)
        tx.deliveries.put(replace(delivery, state=DeliveryState.SENT, updated_at=now, note=None))
    else:
        send_again(tx, [delivery], one.study_instance_uid, now)
    _log(tx, "delivery.resent", one, by, reason, now)
    return _find(tx, report_id, channel)[0]


def cancel_delivery(
    tx: Transaction, report_id: str, channel: str, by: str, reason: str, now: datetime
) -> ListedDelivery:
    """Call one channel of a version off. The read does not close by that: only the origin's answer closes it.

    It may have been all that kept open a read which a later version of another read overtook.

    Raises:
        NotFound: no such delivery.
        Conflict: the origin has it, or it is not sent any more anyway.
    """
    one, _ = _find(tx, report_id, channel)
    if one.delivery.state in DONE:
        raise Conflict("the origin has acknowledged it")
    if one.delivery.state in {DeliveryState.CANCELLED, DeliveryState.DROPPED}:
        raise Conflict(f"it is {one.delivery.state.value}")
    stop(tx, [one], DeliveryState.CANCELLED, f"{by}: {reason}", by, now)
    send_ready(tx, one.study_instance_uid, now)
    close_all_overtaken(tx, tx.deliveries.of_study(one.study_instance_uid), now)
    close_answered(tx, one.study_instance_uid, by, f"called off: {reason}", now)
    return _find(tx, report_id, channel)[0]


def _find(tx: Transaction, report_id: str, channel: str) -> tuple[ListedDelivery, list[ListedDelivery]]:
    report = tx.reports.get(report_id, lock=True)
    if report is None:
        raise NotFound("no such report")
    listed = list(tx.deliveries.of_study(report.study_instance_uid or ""))
    for one in listed:
        if (one.delivery.report_id, one.delivery.channel) == (report_id, channel):
            return one, listed
    raise NotFound(f"the report is not returned by {channel!r}")


def _log(tx: Transaction, event: str, one: ListedDelivery, by: str, reason: str, now: datetime) -> None:
    detail: dict[str, object] = {"channel": one.delivery.channel, "version": one.version, "reason": reason}
    tx.ledger.append(delivery_entry(event, one, by, now, detail))
