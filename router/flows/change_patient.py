"""A trust's ADT changed a patient: its studies are known by the new identity, and reports on their way go out under it.

What the images say stays as it is, so that nodes can compare it; who that is now is kept beside it (ADR 113).
"""

from datetime import datetime

from dicom_nodes.contract import PatientChanged, PatientIdentity
from router.flows.human_queue import About, ask_a_person
from router.flows.merged_numbers import joined_by
from router.flows.ports import Transaction
from router.flows.rekey_study import apply_change, show_conflict
from router.model.patient_change import PatientChange
from router.model.study_identity import PatientKey
from router.rules.patient_change import refusal


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
    done = [apply_change(tx, study, change, key, f"node {node}", now) for study in studies]
    if prior is not None and all(done):  # studies to come follow no merge that two persons still have to judge
        tx.patients.record_merge(node, prior.patient_id or "", present, now)


def _unlink(tx: Transaction, node: str, change: PatientChange, key: str, now: datetime) -> None:
    """Two numbers that were one person are two: studies to come are known by their own; two persons settle the rest."""
    one, other = change.present, change.prior or change.present
    joined = joined_by(tx, node, change)
    for study in joined:
        reason = "the trust unlinked two numbers that it had merged: of which of both persons is the study?"
        show_conflict(tx, study, change, "unlinked", reason, key, now)
    was_merged = tx.patients.forget_merge(node, one.issuer or "", one.patient_id or "", other.patient_id or "")
    if was_merged and not joined:
        reason = (
            f"node {node} unlinked two numbers that it had merged; no study was found that the merge had joined: "
            "ask there which studies are of which person, and look at what is here of both"
        )
        ask_a_person(tx, "patient_unlinked", reason, key, now, About(node=node))


def _key(identity: PatientIdentity) -> PatientKey:
    return PatientKey(identity.issuer, identity.patient_id, identity.nhs_number, identity.birth_date)
