"""What a person is asked about reports on their way home: opened when a node gives up."""

from datetime import datetime

from dicom_nodes.contract import OrderParked, ReturnReport
from router.flows.human_queue import About, ask_a_person, ask_again, is_asked
from router.flows.ports import IssuedOrder, Transaction


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
        f"{body.status}) by {channels}: gave up after {parked.attempts} attempts: {parked.reason}. Telephone the trust, "
        "then send it again"
    )
    about = About(
        study_instance_uid=body.study.study_instance_uid,
        read_id=issued.read_id,
        report_id=issued.report_id,
        order_id=issued.order.order_id,
        node=issued.node,
        resend_kind=body.kind,
        resend_key=issued.order.order_id,
    )
    if is_asked(tx, "phone_list", body.report_id):
        ask_a_person(tx, "phone_list", reason, key, now, about)
    else:
        ask_again(tx, "phone_list", reason, body.report_id, now, about, 0.0)
