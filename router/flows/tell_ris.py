"""The RIS as a channel: an order to the origin's node, in the commit that finishes the notification's job."""

from dataclasses import replace
from datetime import datetime
from functools import partial

from dicom_nodes.contract import AlertCode, Order, TellRis
from router.alert_settings import AlertsFile
from router.flows.alert_identity import as_of_now, present_number
from router.flows.alert_life import log_alert
from router.flows.alert_record import record_failed, record_sent
from router.flows.answer_alert import make_link
from router.flows.images import identity_of
from router.flows.order_log import OrdersToSend, show_broken
from router.flows.ports import IssuedOrder, Store, Transaction
from router.flows.report_whereabouts import whereabouts
from router.model.alert import Alert, Notification, Urgency
from router.model.sent_order import FAULTS_OF_AN_ORDER, BrokenOrder, SentOrder, notification_of
from router.model.study import Study
from router.rules.report_place_words import where_it_is


def order_ris(tx: Transaction, alert: Alert, told: Notification, now: datetime) -> None:
    """Order the node of the trust that made the images to tell its RIS; what cannot be ordered counts as failed."""
    study = tx.studies.get(alert.study_instance_uid) if alert.study_instance_uid is not None else None
    if study is None or alert.held_because is not None or tx.network.node(study.origin) is None:
        reason = "the RIS cannot be told: the report is matched to no study of a trust with a node"
        record_failed(tx, told.id, reason, now)
        return
    body = TellRis(
        alert_id=alert.id,
        notification_id=told.id,
        study=identity_of(study),
        report_id=alert.report_id,
        code=AlertCode(value=alert.code, scheme=alert.scheme, text=alert.code_text),
        category=alert.category or "unknown code",
        urgency=(alert.urgency or Urgency.CRITICAL).value,
        level=told.level,
        raised_at=alert.raised_at,
        deadline_at=alert.deadline_at or alert.raised_at,
        present_patient=present_number(tx, study),
    )
    read_id = alert.read_id or _newest_read(tx, study)  # by which it is found when the patient's number changes
    order = tx.orders.issue(study.origin, body, now, read_id=read_id, report_id=alert.report_id)
    detail = {"channel": told.recipient.channel, "order": order.order_id, "notification": told.id}
    log_alert(tx, "alert.ris_ordered", alert, now, "router", detail)


def _newest_read(tx: Transaction, study: Study) -> str | None:
    reads = tx.reads.of_study(study.study_instance_uid)
    return reads[-1].id if reads else None


def with_links(store: Store, node: str, batch: OrdersToSend, settings: AlertsFile, now: datetime) -> OrdersToSend:
    """The batch as it is handed to the node: an alert gets its one-time link now, so that the log keeps no secret.

    An order that can get none is shown to a person, and the node gets the others; what may pass fails the poll, which
    the node repeats.
    """
    if not any(order.kind == "tell_ris" for order in batch.orders):
        return batch
    orders: list[SentOrder] = []
    with store.write() as tx:
        for sent in batch.orders:
            failure = tx.attempt(partial(_add_linked, orders, tx, sent, settings, now))
            if isinstance(failure, FAULTS_OF_AN_ORDER):
                show_broken(tx, node, _broken(sent, failure), now)
            elif failure is not None:
                raise failure
    return replace(batch, orders=tuple(orders))


def _broken(sent: SentOrder, failure: Exception) -> BrokenOrder:
    return BrokenOrder(sent.seq, sent.order_id, type(failure).__name__, notification_of(sent.text))


def _add_linked(orders: list[SentOrder], tx: Transaction, sent: SentOrder, settings: AlertsFile, now: datetime) -> None:
    orders.append(_linked(tx, sent, settings, now))


def _linked(tx: Transaction, sent: SentOrder, settings: AlertsFile, now: datetime) -> SentOrder:
    if sent.kind != "tell_ris":
        return sent
    order = Order.model_validate_json(sent.text)
    assert isinstance(order.body, TellRis)
    told = tx.alerts.notification(order.body.notification_id)
    if told is None:
        return sent
    alert = tx.alerts.get(told.alert_id)
    place = None if alert is None else where_it_is(whereabouts(tx, alert))
    handed = {"link": make_link(tx, told, settings, now), "report_place": place}
    linked = as_of_now(tx, order.body).model_copy(update=handed)
    return replace(sent, text=order.model_copy(update={"body": linked}).model_dump_json())


def take_told(tx: Transaction, issued: IssuedOrder, body: TellRis, now: datetime) -> None:
    """The RIS has taken the message."""
    record_sent(tx, body.notification_id, issued.order.order_id, now)


def take_not_told(tx: Transaction, body: TellRis, reason: str, now: datetime) -> None:
    """The node gave up."""
    record_failed(tx, body.notification_id, reason, now)
