"""The way home of a report's versions: to the immutable origin only, each by every channel the origin asks for.

Versions go in their order: nothing waits for a destination but what belongs to that destination (ADR 111, 112).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from dicom_nodes import contract
from dicom_nodes.contract import ExamCode, RecallReport, ReturnReport
from dicom_nodes.foundation.addendum import whole_text
from dicom_nodes.foundation.line_ends import one_line_end
from router.flows.doubted_studies import refuse_undecided
from router.flows.images import identity_of, patient_identity
from router.flows.ports import Transaction
from router.flows.second_read import owe_second_read
from router.model.delivery import OWED, Delivery, DeliveryState, ListedDelivery, ReturnPolicy
from router.model.errors import NotFound
from router.model.read import Read
from router.model.record import Entry
from router.model.report import Disposition, Report
from router.model.study import Study
from router.rules.report_versions import is_out_of_date, must_wait, outgoing_status, useless_after


def return_report(tx: Transaction, report: Report, read: Read, study: Study, now: datetime) -> None:
    """Owe this version to the trust that made the images, by each of its channels, and order what may go now.

    A preliminary version goes only where the origin asks for those, and none is final yet; it is kept otherwise.
    """
    policy = policy_of(tx, study.origin)
    uid = study.study_instance_uid
    before = _earlier(tx, report, uid)
    if report.status == "P" and (not policy.preliminary or is_out_of_date(report, before)):
        why = "the origin has a final report" if policy.preliminary else "the origin asks for no preliminary reports"
        _keep(tx, report, study, why, now)
        return
    if report.status == "X" and not any(tx.deliveries.of_report(other.id) for other in before):
        _keep(tx, report, study, "the origin was sent nothing that this could cancel", now)
        return
    listed = tx.deliveries.of_study(uid)
    useless = useless_after(report.version or 1, report.status, report.addendum, listed)
    why = f"version {report.version} ({report.status}) takes its place"
    stop(tx, useless, DeliveryState.DROPPED, why, "router", now)
    for channel in policy.channels:
        tx.deliveries.put(Delivery(report.id, channel, None, DeliveryState.QUEUED, now, queued_at=now))
    send_ready(tx, uid, now)
    if report.status == "F" and read.directives.second_read is not None:
        owe_second_read(tx, read, report, now)


def _keep(tx: Transaction, report: Report, study: Study, why: str, now: datetime) -> None:
    _note(tx, "report.kept", report, study, now, {"version": report.version, "reason": why})


def policy_of(tx: Transaction, trust: str) -> ReturnPolicy:
    """How this trust wants its reports."""
    known = tx.network.trust(trust)
    return ReturnPolicy() if known is None else known.returns


def send_ready(tx: Transaction, study_instance_uid: str, now: datetime) -> None:
    """Order what waited for an earlier version on its channel and waits for none any more."""
    listed = tx.deliveries.of_study(study_instance_uid)
    ready: dict[str, list[ListedDelivery]] = {}
    for one in listed:
        is_waiting = one.delivery.order_id is None and one.delivery.state is DeliveryState.QUEUED
        if is_waiting and not must_wait(one.version, one.addendum, one.delivery.channel, listed):
            ready.setdefault(one.delivery.report_id, []).append(one)
    for report_id, deliveries in ready.items():
        report = tx.reports.get(report_id)
        if report is not None:
            _issue(tx, report, deliveries, now)


def _issue(tx: Transaction, report: Report, deliveries: Sequence[ListedDelivery], now: datetime) -> None:
    study = tx.studies.get(deliveries[0].study_instance_uid)
    read = tx.reads.get(report.read_id or "")
    if study is None or read is None:
        raise NotFound("the report's read or study is gone")
    channels = tuple(one.delivery.channel for one in deliveries)
    before = _earlier(tx, report, study.study_instance_uid)
    queued_at = deliveries[0].delivery.queued_at or now
    second = {one.id for one in tx.reads.second_reads(study.study_instance_uid)} if before else set()
    body = _body(report, read, study, before, queued_at).model_copy(
        update={"channels": channels, "status": outgoing_status(report, before, second)}
    )
    order = tx.orders.issue(study.origin, body, now, read_id=read.id, report_id=report.id, epoch=read.epoch)
    for one in deliveries:
        tx.deliveries.put(replace(one.delivery, order_id=order.order_id, updated_at=now))
    sent_by = [one.delivery.channel for one in deliveries]
    detail: dict[str, object] = {"version": body.version, "status": body.status, "channels": sent_by}
    _note(tx, "order.return", report, study, now, detail, order.order_id)


def _body(report: Report, read: Read, study: Study, before: Sequence[Report], verified_at: datetime) -> ReturnReport:
    """With one line end: many a RIS shows the CR of another system's CR LF as it is escaped (ADR 137)."""
    code = study.exam_code
    return ReturnReport(
        read_id=read.id,
        report_id=report.id,
        version=report.version or 1,
        study=identity_of(study),
        status=report.status,  # type: ignore[arg-type]
        text=one_line_end(report.text),
        author=contract.ReportAuthor(registration=report.registration, name=report.author_name),
        authored_at=report.authored_at,
        verified_at=verified_at,
        exam_code=None if code is None else ExamCode(value=code[0], scheme=code[1], meaning=code[2]),
        sections=tuple(contract.ReportSection(title=one.title, text=one_line_end(one.text)) for one in report.sections),
        authors=tuple(
            contract.ReportAuthor(registration=one.registration, name=one.name, role=one.role) for one in report.authors
        ),
        addendum=report.addendum,
        present_patient=None if study.present_patient is None else patient_identity(study.present_patient),
        standing_text=_standing_text(before) if report.addendum else None,
    )


def _standing_text(before: Sequence[Report]) -> str | None:
    """The whole report that an addendum is added to: the last that stands by itself, and what was added to it since."""
    text: str | None = None
    for other in before:
        if other.status in {"F", "C"} and not other.addendum:
            text = other.text
        elif text is not None and other.addendum:
            text = whole_text(text, other.text, other.author_name, other.registration, other.authored_at)
    return None if text is None else one_line_end(text)


def _earlier(tx: Transaction, report: Report, study_instance_uid: str) -> list[Report]:
    """Accepted versions of the study's reports before this one, in order."""
    accepted = [one for one in tx.reports.of_study(study_instance_uid) if one.disposition is Disposition.ACCEPTED]
    mine = report.version or 1
    versions = [(one.version, one) for one in accepted if one.version is not None]  # a second reader's has none
    return [one for version, one in sorted(versions, key=lambda pair: pair[0]) if version < mine]


def return_again(tx: Transaction, body: ReturnReport, now: datetime) -> None:
    """The same report once more under an order of its own, by the channels that have not acknowledged it."""
    owed = [one for one in tx.deliveries.of_report(body.report_id) if one.state in OWED]
    send_again(tx, owed, body.study.study_instance_uid, now)


def send_again(tx: Transaction, deliveries: Sequence[Delivery], study_instance_uid: str, now: datetime) -> None:
    """Order these deliveries afresh, under what is known of the patient now and in their turn.

    Raises:
        Conflict: two persons have yet to judge who the patient is.
    """
    refuse_undecided(tx, study_instance_uid)
    for one in deliveries:
        queued = Delivery(one.report_id, one.channel, None, DeliveryState.QUEUED, now)
        tx.deliveries.put(replace(queued, queued_at=one.queued_at))
    send_ready(tx, study_instance_uid, now)


def stop(
    tx: Transaction, deliveries: Iterable[ListedDelivery], state: DeliveryState, why: str, by: str, now: datetime
) -> None:
    """Send these no more, and tell the node that has them; what it has sent meanwhile still counts when it says so."""
    orders: dict[str, list[ListedDelivery]] = {}
    for one in deliveries:
        tx.deliveries.put(replace(one.delivery, state=state, updated_at=now, note=why))
        detail = {"channel": one.delivery.channel, "version": one.version, "reason": why}
        tx.ledger.append(delivery_entry(f"delivery.{state.value.lower()}", one, by, now, detail))
        if one.delivery.order_id is not None:
            orders.setdefault(one.delivery.order_id, []).append(one)
    for order_id, stopped in orders.items():
        first, channels = stopped[0], tuple(one.delivery.channel for one in stopped)
        left = [one for one in tx.deliveries.of_report(first.delivery.report_id) if one.order_id == order_id]
        if not any(one.state in OWED - {DeliveryState.HELD} for one in left):
            tx.orders.conclude(order_id, "RECALLED", now, why)
        called_off = state is DeliveryState.CANCELLED
        recall = RecallReport.model_validate(
            {"read_id": first.read_id or "", "order_id": order_id, "channels": channels, "called_off": called_off}
        )
        tx.orders.issue(first.trust, recall, now, read_id=first.read_id, report_id=first.delivery.report_id)


def delivery_entry(event: str, one: ListedDelivery, by: str, now: datetime, detail: dict[str, object]) -> Entry:
    """What the ledger keeps of one version's delivery by one channel."""
    return Entry(
        event=event,
        at=now,
        actor=by,
        study_instance_uid=one.study_instance_uid,
        read_id=one.read_id,
        report_id=one.delivery.report_id,
        order_id=one.delivery.order_id,
        node=one.trust,
        detail=detail,
    )


def _note(
    tx: Transaction,
    event: str,
    report: Report,
    study: Study,
    now: datetime,
    detail: dict[str, object],
    order_id: str | None = None,
) -> None:
    tx.ledger.append(
        Entry(
            event=event,
            at=now,
            actor="router",
            study_instance_uid=study.study_instance_uid,
            read_id=report.read_id,
            report_id=report.id,
            order_id=order_id,
            node=study.origin,
            detail=detail,
        )
    )
