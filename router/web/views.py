"""From the model to the bodies of the API."""

from dataclasses import asdict
from datetime import datetime
from urllib.parse import quote

from router.flows.fact_batch import kind_of
from router.flows.ports import Transaction
from router.flows.priors import Priors
from router.flows.take_report import text_digest
from router.model.delivery import OWED, Delivery, ListedDelivery
from router.model.fact import KeptFact
from router.model.imaging_order import ImagingOrder
from router.model.read import Read
from router.model.reader import Credential, Reader
from router.model.record import Entry, QueueItem
from router.model.report import Report
from router.model.session import Session
from router.model.study import Study
from router.model.trust import Node
from router.rules.read_states import STATES
from router.store.directives import directives_to_json
from router.web.messages import (
    CredentialView,
    DeliveryView,
    EntryView,
    FailedFactView,
    LeaseView,
    ListedDeliveryView,
    NodeView,
    OrderView,
    OutsourcerBody,
    PriorsView,
    QueueItemView,
    ReaderView,
    ReadView,
    ReportView,
    SectionBody,
    SessionView,
    StudyTrace,
    WorkstationBody,
)
from router.web.open_alerts import open_alerts


def node_view(node: Node, silent_after_s: float, now: datetime) -> NodeView:
    is_silent = node.last_traffic_at is None or node.is_silent(silent_after_s, now)
    told = {} if is_silent else node.health or {}
    return NodeView(
        ods_code=node.ods_code,
        ae_title=node.ae_title,
        host=node.host,
        port=node.port,
        last_traffic_at=node.last_traffic_at,
        health=node.health,
        health_at=node.health_at,
        silent=is_silent,
        outbox_oldest_s=told.get("outbox_oldest_s"),
        outbox_depth=told.get("outbox_depth"),
    )


def credential_view(credential: Credential) -> CredentialView:
    return CredentialView(
        id=credential.id,
        trust=credential.trust,
        valid_from=credential.valid_from,
        valid_until=credential.valid_until,
        revoked_at=credential.revoked_at,
    )


def reader_view(reader: Reader) -> ReaderView:
    return ReaderView.model_construct(
        id=reader.id,
        name=reader.name,
        registration=reader.registration,
        employer=reader.employer,
        modalities=sorted(reader.modalities),
        subspecialties=sorted(reader.subspecialties),
        profession=reader.profession.value,
        levels={name: level.word for name, level in sorted(reader.levels.items())},
        exam_scope=None if reader.exam_scope is None else sorted(reader.exam_scope),
        speeds=dict(reader.speeds),
        max_run=reader.max_run,
        break_after_minutes=reader.break_after_minutes,
        display_valid_until=reader.display_valid_until,
        delivery=reader.delivery.value,
        outsourcer=None
        if reader.outsourcer is None
        else OutsourcerBody(
            price_pence_per_read=reader.outsourcer.price_pence_per_read, queue_limit=reader.outsourcer.queue_limit
        ),
        workstation=WorkstationBody(node=reader.workstation.node, ae_title=reader.workstation.ae_title),
        active=reader.active,
        credentials=[credential_view(credential) for credential in reader.credentials],
    )


def session_view(session: Session) -> SessionView:
    return SessionView.model_construct(
        id=session.id,
        reader_id=session.reader_id,
        starts_at=session.starts_at,
        ends_at=session.ends_at,
        capacity_reads=session.capacity_reads,
        capacity_minutes=session.capacity_minutes,
        kind=session.kind.value,
        place=None
        if session.place is None
        else WorkstationBody(node=session.place.node, ae_title=session.place.ae_title),
        pattern_id=session.pattern_id,
    )


def read_view(read: Read) -> ReadView:
    lease = read.lease
    return ReadView(
        id=read.id,
        study_instance_uid=read.study_instance_uid,
        origin=read.origin,
        revision=read.revision,
        state=read.state,
        owner=STATES[read.state].owner,
        since=read.entered_at,
        created_at=read.created_at,
        modalities=list(read.modalities),
        subspecialty=read.subspecialty,
        expected_minutes=read.expected_minutes,
        priority=read.priority,
        due_at=read.due_at,
        lease=None
        if lease is None
        else LeaseView(
            reader_id=lease.reader_id,
            session_id=lease.session_id,
            epoch=read.epoch,
            assigned_at=lease.assigned_at,
            claimed_at=lease.claimed_at,
            until=lease.until,
        ),
        images_delivered_at=read.images_delivered_at,
        replaces=read.replaces,
        exam_code=read.exam_code,
        exam_group=read.exam_group,
        minimum_level=read.minimum_level.word,
        pathway=read.pathway,
        directives=directives_to_json(read.directives),
        second_of=read.second_of,
    )


def priors_view(priors: Priors | None) -> PriorsView | None:
    return None if priors is None else PriorsView.model_validate(asdict(priors))


def order_view(order: ImagingOrder) -> OrderView:
    return OrderView(**{name: getattr(order, name) for name in OrderView.model_fields})


def delivery_view(delivery: Delivery) -> DeliveryView:
    return DeliveryView(
        channel=delivery.channel,
        state=delivery.state,
        code=delivery.code,
        reference=delivery.reference,
        updated_at=delivery.updated_at,
        queued_at=delivery.queued_at,
        order_id=delivery.order_id,
        words=delivery.words,
        note=delivery.note,
    )


def listed_delivery_view(listed: ListedDelivery, now: datetime) -> ListedDeliveryView:
    delivery = listed.delivery
    until = delivery.updated_at if delivery.state not in OWED else now
    return ListedDeliveryView(
        **delivery_view(delivery).model_dump(),
        report_id=delivery.report_id,
        version=listed.version,
        status=listed.status,
        addendum=listed.addendum,
        trust=listed.trust,
        study_instance_uid=listed.study_instance_uid,
        read_id=listed.read_id,
        age_s=round((until - (delivery.queued_at or delivery.updated_at)).total_seconds(), 3),
    )


def report_view(tx: Transaction, report: Report) -> ReportView:
    return ReportView(
        id=report.id,
        read_id=report.read_id,
        study_instance_uid=report.study_instance_uid,
        accession_number=report.accession_number,
        accession_issuer=report.accession_issuer,
        patient_id=report.patient.patient_id,
        patient_id_issuer=report.patient.issuer,
        channel=report.channel,
        status=report.status,
        version=report.version,
        disposition=report.disposition,
        reasons=list(report.reasons),
        registration=report.registration,
        author_name=report.author_name,
        authored_at=report.authored_at,
        received_at=report.received_at,
        text=report.text,
        text_sha256=text_digest(report.text),
        addendum=report.addendum,
        sections=[SectionBody.model_construct(title=one.title, text=one.text) for one in report.sections],
        deliveries=[delivery_view(delivery) for delivery in tx.deliveries.of_report(report.id)],
    )


def item_view(item: QueueItem) -> QueueItemView:
    return QueueItemView(
        id=item.id,
        kind=item.kind,
        reason=item.reason,
        opened_at=item.opened_at,
        study_instance_uid=item.study_instance_uid,
        read_id=item.read_id,
        report_id=item.report_id,
        order_id=item.order_id,
        node=item.node,
        failed_fact=_failed_fact(item),
        can_resend=None not in {item.node, item.resend_kind, item.resend_key},
        resolved_by=item.resolved_by,
        resolved_at=item.resolved_at,
        note=item.note,
    )


def _failed_fact(item: QueueItem) -> str | None:
    """A fact's key is `node:outbox:seq`; an outbox id may hold colons."""
    if item.kind != "fact_failed":
        return None
    node, _, rest = item.dedupe_key.removeprefix("fact_failed:").partition(":")
    outbox_id, _, seq = rest.rpartition(":")
    return f"/failed-facts/{quote(node, safe='')}/{quote(outbox_id, safe='')}/{seq}"


def failed_fact_view(fact: KeptFact) -> FailedFactView:
    return FailedFactView(
        node=fact.node,
        outbox_id=fact.outbox_id,
        seq=fact.seq,
        kind=kind_of(fact.body),
        failure=fact.failure or "",
        occurred_at=fact.occurred_at,
        received_at=fact.received_at,
    )


def entry_view(entry: Entry) -> EntryView:
    return EntryView(
        id=entry.id or 0,
        at=entry.at,
        event=entry.event,
        actor=entry.actor,
        read_id=entry.read_id,
        report_id=entry.report_id,
        order_id=entry.order_id,
        node=entry.node,
        detail=entry.detail,
    )


def study_trace(tx: Transaction, study: Study, now: datetime) -> StudyTrace:
    """Where the study is now, who holds it, and how it got there."""
    reads = tx.reads.of_study(study.study_instance_uid)
    seconds = tx.reads.second_reads(study.study_instance_uid)
    state = reads[-1].state if reads else None
    return StudyTrace(
        trust=study.origin,
        study_instance_uid=study.study_instance_uid,
        accession_number=study.accession_number,
        accession_issuer=study.accession_issuer,
        state=state,
        owner=None if state is None else STATES[state].owner,
        second_read=seconds[-1].state if seconds else None,
        open_alerts=open_alerts(tx, study.study_instance_uid, now),
        entries=[entry_view(entry) for entry in tx.ledger.of_study(study.study_instance_uid)],
    )


def traces(
    tx: Transaction,
    study_instance_uid: str | None,
    accession_number: str | None,
    accession_issuer: str | None,
    now: datetime,
) -> list[StudyTrace]:
    """All studies with this UID or accession number; several trusts may use the same number."""
    found: list[Study] = []
    if study_instance_uid is not None:
        study = tx.studies.get(study_instance_uid)
        found = [] if study is None else [study]
    elif accession_number is not None:
        found = list(tx.studies.by_accession(accession_number, accession_issuer))
    return [study_trace(tx, study, now) for study in found]
