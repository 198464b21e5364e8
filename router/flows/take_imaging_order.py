"""A trust ordered imaging: the order is kept, joined by its study whenever that comes, and hurries its open read.

A study without an order goes on all the same. An order that says of its study what the images deny joins nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from dicom_nodes.contract import ImagingOrdered
from router.config import RoutingFile
from router.flows.apply_rules import route_by_rules
from router.flows.cancelled_orders import (
    ask_about_cancellation,
    ask_about_early_cancellation,
    open_reads,
    tell_of_revival,
)
from router.flows.doubted_studies import is_doubted
from router.flows.human_queue import About, ask_a_person
from router.flows.ports import Transaction
from router.model.imaging_order import ImagingOrder
from router.model.read import Read
from router.model.record import Entry
from router.model.study import Study
from router.model.study_identity import PatientKey
from router.rules.order_joining import denial, joins
from router.rules.order_priority import unanswered_flag
from router.rules.study_routing import Routed


def take_imaging_order(
    tx: Transaction, node: str, ordered: ImagingOrdered, routing: RoutingFile, key: str, now: datetime
) -> None:
    """Keep what was ordered, and let it reach the studies that are here already."""
    order = _order(node, ordered, now)
    known = tx.imaging_orders.get(order.accession_issuer, order.accession_number)
    if known is not None and known.origin != node:
        reason = f"node {node} told of an order under an accession number that {known.origin} gave; it was not taken"
        ask_a_person(tx, "foreign_order", reason, key, now, About(node=node))
        return
    if order.cancelled and known is not None:
        if _cancels_anothers(tx, order, known, key, now):
            return
        order = replace(known, cancelled=True, told_at=now)
    found = tx.studies.by_accession(order.accession_number, order.accession_issuer)
    studies = [study for study in found if study.origin == node]
    if _is_anothers(tx, order, studies, key, now):
        return
    tx.imaging_orders.put(order)
    is_revived = known is not None and known.cancelled and not order.cancelled
    for study in studies:
        if _reach(tx, study, order, routing, key, now) and is_revived:
            tell_of_revival(tx, study, order, key, now)


def join_order(tx: Transaction, study: Study, now: datetime) -> Study:
    """The study with the order that it belongs to, if that was told before; for a study that has just come."""
    if study.order is not None or not study.accession_number or not study.accession_issuer:
        return study
    order = tx.imaging_orders.get(study.accession_issuer, study.accession_number)
    if order is None or order.origin != study.origin:
        return study
    problem = joins(_as_of_now(tx, order), study)
    if problem is not None:
        _show_conflict(tx, study, problem, now)
        return study
    _log_join(tx, study, order, now)
    if order.cancelled:
        ask_about_early_cancellation(tx, study, order, now)
    return replace(study, order=order)


def ask_about_suspicion(tx: Transaction, study: Study, read: Read, routing: RoutingFile, now: datetime) -> None:
    """Where no priority is set for suspected cancer, a person hears of the flag: it is never lost."""
    if study.order is not None and unanswered_flag(study.order, routing):
        reason = "the order says suspected cancer, but routing.toml has no suspected_cancer_priority: route it by hand"
        about = About(study_instance_uid=read.study_instance_uid, read_id=read.id, node=read.origin)
        ask_a_person(tx, "suspected_cancer", reason, read.study_instance_uid, now, about)


def _cancels_anothers(
    tx: Transaction, cancellation: ImagingOrder, known: ImagingOrder, key: str, now: datetime
) -> bool:
    """Whether a cancellation names another patient than the order of its number: then nothing is cancelled.

    Which of both was meant only a person can ask (HAZARDS 2).
    """
    problem = denial(_as_of_now(tx, cancellation).patient, _as_of_now(tx, known).patient)
    if problem is None:
        return False
    found = tx.studies.by_accession(known.accession_number, known.accession_issuer)
    if any(_is_of_present_patient(tx, cancellation, study) for study in found if study.origin == known.origin):
        return False
    uid = next((study.study_instance_uid for study in found if study.origin == known.origin), None)
    reason = (
        f"a cancellation has the accession number of an order that is known, but {problem}: nothing was cancelled; ask "
        "there which order was meant, and cancel its read where that is wanted"
    )
    ask_a_person(tx, "order_conflict", reason, key, now, About(study_instance_uid=uid, node=known.origin))
    return True


def _is_of_present_patient(tx: Transaction, cancellation: ImagingOrder, study: Study) -> bool:
    """Whether it names who the patient of the order's study is now: an update of the trust's may have come between."""
    present = study.present_patient
    if study.order is None or present is None or is_doubted(tx, study.study_instance_uid, study.origin):
        return False
    return joins(_as_of_now(tx, cancellation), replace(study, patient=present)) is None


def _is_anothers(tx: Transaction, order: ImagingOrder, studies: Sequence[Study], key: str, now: datetime) -> bool:
    """Whether the order denies a study that has joined an earlier one: then that stays, whoever this one is for."""
    joined = [study for study in studies if study.order is not None]
    denied = [(study, problem) for study in joined if (problem := joins(_as_of_now(tx, order), study)) is not None]
    for study, problem in denied:
        reason = (
            f"another order came under the accession number of a study that has its order, but {problem}: the study "
            "keeps its order and the other one was not taken, so whatever it was for has none; ask there. It "
            f"{'was cancelled' if order.cancelled else 'was to be done'}, urgency {order.urgency or 'not said'}, "
            f"suspected cancer: {'yes' if order.suspected_cancer else 'not said'}"
        )
        about = About(study_instance_uid=study.study_instance_uid, node=study.origin)
        ask_a_person(tx, "order_conflict", reason, f"{study.study_instance_uid}:{key}", now, about)
    return bool(denied)


def _reach(tx: Transaction, study: Study, order: ImagingOrder, routing: RoutingFile, key: str, now: datetime) -> bool:
    """Whether the study has joined the order."""
    problem = joins(_as_of_now(tx, order), study)
    if problem is not None:
        _show_conflict(tx, study, problem, now)
        return False
    _log_join(tx, study, order, now)
    joined = replace(study, order=order)
    tx.studies.revise(joined)
    unsigned = open_reads(tx, study.study_instance_uid)
    if unsigned and order.cancelled:
        ask_about_cancellation(tx, study, unsigned[0], key, now)
        return True
    for read in unsigned:
        _hurry(tx, read, joined, routing, now)
        ask_about_suspicion(tx, joined, read, routing, now)
    return True


def _hurry(tx: Transaction, read: Read, study: Study, routing: RoutingFile, now: datetime) -> None:
    """Give an open read the shorter priority that its order asks for; it stays with whoever has it."""
    outcome = route_by_rules(tx, study, routing, now).outcome
    if not isinstance(outcome, Routed) or read.priority is None or read.due_at is None:
        return
    hours = routing.priorities
    if hours[outcome.priority] >= hours.get(read.priority, 0.0):
        return
    due = min(read.due_at, outcome.due_at)
    hurried = replace(read, priority=outcome.priority, due_at=due, pathway=outcome.pathway)
    if tx.reads.replace(read, hurried):
        detail = {"from": read.priority, "to": outcome.priority, "due": due.isoformat(), "reason": "its order"}
        uid = study.study_instance_uid
        tx.ledger.append(Entry("read.hurried", now, "router", uid, read.id, node=read.origin, detail=detail))


def _log_join(tx: Transaction, study: Study, order: ImagingOrder, now: datetime) -> None:
    detail = {
        "urgency": order.urgency,
        "suspected_cancer": order.suspected_cancer,
        "pathway": order.pathway,
        "cancelled": order.cancelled,
    }
    uid = study.study_instance_uid
    tx.ledger.append(Entry("order.joined", now, f"node {order.origin}", uid, node=order.origin, detail=detail))


def _show_conflict(tx: Transaction, study: Study, problem: str, now: datetime) -> None:
    reason = f"an order has the accession number of a study that is here, but {problem}; the study goes on without it"
    about = About(study_instance_uid=study.study_instance_uid, node=study.origin)
    ask_a_person(tx, "order_conflict", reason, f"{study.study_instance_uid}:{problem}", now, about)


def _as_of_now(tx: Transaction, order: ImagingOrder) -> ImagingOrder:
    """The order under the number that its patient has now."""
    patient = order.patient
    if not patient.issuer or not patient.patient_id:
        return order
    surviving = tx.patients.surviving_id(order.origin, patient.issuer, patient.patient_id)
    return replace(order, patient=replace(patient, patient_id=surviving))


def _order(node: str, ordered: ImagingOrdered, now: datetime) -> ImagingOrder:
    patient, referrer = ordered.patient, ordered.referrer
    return ImagingOrder(
        accession_issuer=ordered.accession_issuer,
        accession_number=ordered.accession_number,
        origin=node,
        patient=PatientKey(patient.issuer, patient.patient_id, patient.nhs_number, patient.birth_date),
        told_at=now,
        study_instance_uid=ordered.study_instance_uid,
        cancelled=ordered.cancelled,
        urgency=ordered.urgency,
        suspected_cancer=ordered.suspected_cancer,
        pathway=ordered.pathway,
        clinical_question=_kept(ordered.clinical_question),
        referrer_name=_kept(referrer.name) if referrer is not None else None,
        referrer_registration=referrer.registration if referrer is not None else None,
        referrer_contact=_kept(referrer.contact) if referrer is not None else None,
        critical_contact=_kept(ordered.critical_contact),
    )


def _kept(text: str | None) -> str | None:
    """Text as a database keeps it."""
    return text and text.replace("\x00", "\ufffd")
