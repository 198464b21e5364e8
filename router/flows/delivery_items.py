"""What a person is asked about reports on their way home; opened when a node gives up, closed when it is answered."""

from datetime import datetime

from dicom_nodes.contract import OrderParked, ReturnReport
from router.flows.human_queue import about_order, ask_a_person, ask_again, dedupe_key, is_asked, resolve_item
from router.flows.ports import IssuedOrder, Transaction
from router.model.delivery import OWED
from router.model.record import QueueItem


def telephone_about(
    tx: Transaction, issued: IssuedOrder, body: ReturnReport, parked: OrderParked, key: str, now: datetime
) -> None:
    """The node gave a return up: the trust is rung up, and the item has it sent again. `key` names this occurrence.

    Where somebody has the trust on the phone list for this report already, what happened now is an item of its own.
    """
    number, issuer = body.study.accession_number, body.study.accession_issuer
    accession = f"accession {number} of {issuer or 'an unknown issuer'}" if number else "without an accession number"
    channels = parked.channel or ", ".join(body.channels or ()) or "any channel"
    reason = (
        f"{issued.node} has not got a report ({accession}, report {body.report_id}, version {body.version}, "
        f"{body.status}) by {channels}: gave up after {parked.attempts} attempts: {parked.reason}. Telephone the "
        "trust, then send it again"
    )
    about = about_order(issued)
    if is_asked(tx, "phone_list", body.report_id):
        ask_a_person(tx, "phone_list", reason, key, now, about)
    else:
        ask_again(tx, "phone_list", reason, body.report_id, now, about, 0.0)


def close_answered(tx: Transaction, study_instance_uid: str, by: str, note: str, now: datetime) -> None:
    """Close what is asked about deliveries that are not owed any more; what a study's other reports owe stays asked.

    An item about a refusal concerns one channel; any other ends when nothing of its report is owed.
    """
    listed = tx.deliveries.of_study(study_instance_uid)
    owed = {(one.delivery.report_id, one.delivery.channel) for one in listed if one.delivery.state in OWED}
    for item in tx.queue.open_about({one.delivery.report_id for one in listed}):
        if _is_answered(item, owed):
            resolve_item(tx, item.id, by, note, now)


def _is_answered(item: QueueItem, owed: set[tuple[str, str]]) -> bool:
    report_id = item.report_id or ""
    mine = {channel for of, channel in owed if of == report_id}
    if item.kind == "report_rejected":
        return item.dedupe_key.rpartition(":")[2] not in mine if ":sha256:" not in item.dedupe_key else not mine
    is_overdue = item.dedupe_key.partition("#")[0] == dedupe_key("phone_list", report_id)
    is_return = item.resend_kind == "return" and item.kind in {"phone_list", "order", "report_unacknowledged"}
    return (is_overdue or is_return) and not mine
