"""Facts come in: consecutive, each once, each with its effects in one commit.

A fact whose effects fail is kept and shown to a person; it never blocks the ones behind it. A failure of the
database itself is no fact's fault: it is raised, and the node sends again.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from dicom_nodes.contract import (
    Fact,
    FactBatch,
    FactReceipt,
    InstanceQuarantined,
    JobParked,
    OrderCompleted,
    OrderParked,
    ReportAcknowledged,
    ReportReceived,
    StudyArchived,
    StudySettled,
)
from router.config import RouterSettings
from router.flows.human_queue import About, ask_a_person
from router.flows.order_outcomes import own_order, take_completed, take_parked, take_parked_job
from router.flows.ports import Store, Transaction
from router.flows.return_report import take_acknowledgement
from router.flows.route_study import take_archived_study, take_settled_study
from router.flows.take_report import report_of, take_report
from router.model.errors import FactGap
from router.model.record import Entry

OnFailure = Callable[[Exception], None]


def take_facts(
    store: Store, node: str, batch: FactBatch, settings: RouterSettings, now: datetime, on_failure: OnFailure
) -> FactReceipt:
    """Take what is new of the batch and say how far this outbox is durable here.

    Raises:
        FactGap: facts are missing before the first new one; names the seq that is expected.
    """
    through = 0
    with store.write() as tx:
        tx.network.record_traffic(node, now, batch.health)
        through = tx.facts.last_seq(node, batch.outbox_id)
    for fact in batch.facts:
        if fact.seq > through:
            through = _take(store, node, batch.outbox_id, fact, settings, now, on_failure)
    return FactReceipt(accepted_through=through)


def _take(
    store: Store,
    node: str,
    outbox_id: str,
    fact: Fact,
    settings: RouterSettings,
    now: datetime,
    on_failure: OnFailure,
) -> int:
    with store.write() as tx:
        last = tx.facts.last_seq(node, outbox_id)
        if fact.seq <= last:
            return last
        if fact.seq != last + 1:
            raise FactGap(last + 1)
        key = f"{node}:{outbox_id}:{fact.seq}"
        failure = tx.attempt(partial(apply_fact, tx, node, fact, key, settings, now))
        tx.facts.add(node, outbox_id, fact, now, None if failure is None else type(failure).__name__)
        if failure is not None:
            on_failure(failure)
            reason = f"fact {fact.seq} ({fact.body.kind}) of {node} could not be carried out: {type(failure).__name__}"
            ask_a_person(tx, "fact_failed", reason, key, now, About(node=node))
        return fact.seq


def apply_fact(tx: Transaction, node: str, fact: Fact, key: str, settings: RouterSettings, now: datetime) -> None:
    """Carry out what one fact means; `key` names the fact in the whole network."""
    body = fact.body
    match body:
        case StudySettled():
            take_settled_study(tx, node, body, settings.routing, now)
        case StudyArchived():
            take_archived_study(tx, node, body, now)
        case InstanceQuarantined():
            _take_quarantined(tx, node, body, now)
        case ReportReceived():
            take_report(tx, report_of(node, body, fact.occurred_at, now), now)
        case OrderCompleted():
            take_completed(tx, node, body, now, settings.router.claim_timeout_s)
        case OrderParked():
            take_parked(tx, node, body, key, now)
        case ReportAcknowledged():
            issued = own_order(tx, node, body.order_id, now)
            if issued is not None:
                take_acknowledgement(tx, issued, body, now)
        case JobParked():
            take_parked_job(tx, node, body, key, now)


def _take_quarantined(tx: Transaction, node: str, quarantined: InstanceQuarantined, now: datetime) -> None:
    uid = quarantined.study_instance_uid
    detail = {"reason": quarantined.reason, "quarantine_id": quarantined.quarantine_id}
    by = f"node {node}"
    tx.ledger.append(Entry("instance.quarantined", now, by, study_instance_uid=uid, node=node, detail=detail))
    about = About(study_instance_uid=uid, node=node)
    reason = f"node {node} quarantined an instance from {quarantined.sending_ae_title}: {quarantined.reason}"
    ask_a_person(tx, "instance_quarantined", reason, f"{node}:{quarantined.quarantine_id}", now, about)
