"""An alert's message that lies at its node names the number of before a merge: the node is ordered to send it anew.

The node may have sent the earlier one, which nobody can call back: the ledger says that both may arrive. What a RIS
took before it knew of the merge it has merged itself (ADR 131).
"""

from datetime import datetime

from dicom_nodes.contract import TellRis
from router.flows.alert_identity import as_of_now
from router.flows.alert_life import log_alert
from router.flows.ports import IssuedOrder, Transaction
from router.model.alert import NotificationState
from router.model.study import Study


def tell_ris_anew(tx: Transaction, study: Study, now: datetime) -> None:
    """Order every message about the study once more that its node has not told of, under who the patient is now."""
    uid = study.study_instance_uid
    for read in (*tx.reads.of_study(uid), *tx.reads.second_reads(uid)):
        for issued in tx.orders.of_read(read.id):
            body = issued.order.body
            if isinstance(body, TellRis) and body.study.study_instance_uid == uid and issued.outcome is None:
                _order_anew(tx, issued, body, now)


def _order_anew(tx: Transaction, issued: IssuedOrder, body: TellRis, now: datetime) -> None:
    alert, told = tx.alerts.get(body.alert_id), tx.alerts.notification(body.notification_id)
    present = as_of_now(tx, body)
    is_wanted = told is not None and told.state is NotificationState.QUEUED
    if alert is None or not alert.is_unanswered or not is_wanted or present == body:
        return
    reason = "the patient's number changed while the message lay at its node; both may arrive"
    tx.orders.conclude(issued.order.order_id, "RECALLED", now, reason)  # a node that has not come for it never gets it
    order = tx.orders.issue(issued.node, present, now, read_id=issued.read_id, report_id=issued.report_id)
    detail = {"order": order.order_id, "instead_of": issued.order.order_id, "reason": reason}
    log_alert(tx, "alert.ris_ordered", alert, now, "router", {**detail, "notification": body.notification_id})
