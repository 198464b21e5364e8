"""A trust's ADT changed a patient: its studies are known by the new identity, and reports on their way go out under it.

What the images say stays as it is, so that nodes can compare it; who that is now is kept beside it (ADR 113).
"""

from dataclasses import replace
from datetime import datetime

from dicom_nodes.contract import PatientChanged, PatientIdentity
from router.flows.human_queue import About, ask_a_person
from router.flows.ports import Transaction
from router.flows.return_report import send_again, stop
from router.flows.settle_patient import HELD_BECAUSE, is_asked, keep_conflict
from router.model.delivery import OWED, DeliveryState
from router.model.patient_change import PatientChange
from router.model.patient_conflict import How
from router.model.read import Read
from router.model.record import Entry
from router.model.study import Study
from router.model.study_identity import PatientKey
from router.rules.patient_change import Conflict, Rekey, Unchanged, judge, refusal, was_joined
from router.rules.read_states import ENDS

_HELD = DeliveryState.HELD


def take_patient_change(tx: Transaction, node: str, changed: PatientChanged, key: str, now: datetime) -> None:
    """Re-key every study of the patient that this node's trust made; the same message twice changes nothing."""
    prior_key = None if changed.prior is None else _key(changed.prior)
    change = PatientChange(_key(changed.present), prior_key, changed.unlinked)
    problem = refusal(change)
    if problem is not None:
        reason = f"node {node} told of a change of a patient that is not carried out: {problem}"
        ask_a_person(tx, "patient_change_refused", reason, key, now, About(node=node))
        return
    if change.unlinked:
        _unlink(tx, node, change, key, now)
        return
    present, prior = change.present, change.prior
    studies = list(tx.studies.of_patient(node, change.number.issuer or "", change.number.patient_id or ""))
    if prior is not None:
        tx.patients.record_merge(node, present.issuer or "", prior.patient_id or "", present.patient_id or "", now)
    for study in studies:
        verdict = judge(change, study)
        if isinstance(verdict, Conflict):
            how: How = "merged" if prior is not None else "updated"
            _show_conflict(tx, study, change, how, verdict.reason, key, now)
        elif isinstance(verdict, Rekey):
            rekey(tx, study, verdict, "merged" if prior is not None else "updated", f"node {node}", now)
        else:
            assert isinstance(verdict, Unchanged)


def _unlink(tx: Transaction, node: str, change: PatientChange, key: str, now: datetime) -> None:
    """Two numbers that were one person are two: studies to come are known by their own; two persons settle the rest."""
    one, other = change.present, change.prior or change.present
    issuer, ids = one.issuer or "", (one.patient_id or "", other.patient_id or "")
    known = {s.study_instance_uid: s for number in ids for s in tx.studies.of_patient(node, issuer, number)}
    joined = [study for study in known.values() if was_joined(change, study)]
    for study in joined:
        reason = "the trust unlinked two numbers that it had merged: of which of both persons is the study?"
        _show_conflict(tx, study, change, "unlinked", reason, key, now)
    if tx.patients.forget_merge(node, issuer, *ids) and not joined:
        reason = f"node {node} unlinked two numbers that it had merged; no study here is known by both"
        ask_a_person(tx, "patient_unlinked", reason, key, now, About(node=node))


def rekey(tx: Transaction, study: Study, verdict: Rekey, how: str, by: str, now: datetime) -> None:
    """Let the study be known by its patient's present identity, and see to its reads and reports."""
    tx.studies.revise(replace(study, present_patient=verdict.present))
    uid, detail = study.study_instance_uid, {"how": how, "changed": list(verdict.changed)}
    tx.ledger.append(Entry("patient.changed", now, by, study_instance_uid=uid, node=study.origin, detail=detail))
    for read in tx.reads.of_study(uid):
        if read.state not in ENDS:
            said: dict[str, object] = {"how": how, "state": read.state.value}
            tx.ledger.append(Entry("read.rekeyed", now, "router", uid, read.id, node=read.origin, detail=said))
    _hold_what_is_on_its_way(tx, uid, verdict, how, now)


def _hold_what_is_on_its_way(tx: Transaction, uid: str, verdict: Rekey, how: str, now: datetime) -> None:
    """Stop every return that the origin has not answered; without a doubt it goes out again under the new identity."""
    owed = [one for one in tx.deliveries.of_study(uid) if one.delivery.state in OWED]
    if verdict.doubt is None:
        going = [one for one in owed if one.delivery.order_id is not None and one.delivery.state is not _HELD]
        stop(tx, going, _HELD, f"the patient's record was {how} at the origin", "router", now)
        send_again(tx, [one.delivery for one in going], uid, now)
        return
    stop(tx, [one for one in owed if one.delivery.state is not _HELD], _HELD, verdict.doubt, "router", now)
    for report_id in sorted({one.delivery.report_id for one in owed}):
        first = next(one for one in owed if one.delivery.report_id == report_id)
        reason = (
            f"{verdict.doubt} at {first.trust} while a report (version {first.version}) was on its way: it is held; "
            "compare it, and send its deliveries again or call them off"
        )
        about = About(uid, first.read_id, report_id, first.delivery.order_id, first.trust)
        ask_a_person(tx, "report_held", reason, f"{report_id}:{now.isoformat()}", now, about)


def _show_conflict(
    tx: Transaction, study: Study, change: PatientChange, how: How, reason: str, key: str, now: datetime
) -> None:
    """A person decides; until then no report of the study is taken, and none on its way goes on."""
    uid = study.study_instance_uid
    if is_asked(tx, study, change, how):
        return
    owed = [one for one in tx.deliveries.of_study(uid) if one.delivery.state in OWED]
    going = [one for one in owed if one.delivery.state is not _HELD]
    stop(tx, going, _HELD, HELD_BECAUSE, "router", now)
    reads = tx.reads.of_study(uid)
    read: Read | None = reads[-1] if reads else None
    held = f"; {len({one.delivery.report_id for one in owed})} reports on their way are held" if owed else ""
    about = About(study_instance_uid=uid, read_id=None if read is None else read.id, node=study.origin)
    conflict_id = keep_conflict(tx, study, change, how, reason, f"{uid}:{key}", now)
    asked = f"a change of the patient: {reason}{held}; both sides: readacross patients, id {conflict_id}"
    ask_a_person(tx, "study_conflict", asked, f"{uid}:{key}", now, about)


def present_identity(tx: Transaction, study: Study) -> PatientKey | None:
    """Who the patient of a study that has just come is now, where its number was merged before."""
    patient = study.patient
    if not patient.issuer or not patient.patient_id:
        return None
    surviving = tx.patients.surviving_id(study.origin, patient.issuer, patient.patient_id)
    return None if surviving == patient.patient_id else replace(patient, patient_id=surviving)


def _key(identity: PatientIdentity) -> PatientKey:
    return PatientKey(identity.issuer, identity.patient_id, identity.nhs_number, identity.birth_date)
