"""A trust's ADT changed a patient: its studies are known by the new identity, and reports on their way go out under it.

What the images say stays as it is, so that nodes can compare it; who that is now is kept beside it (ADR 113).
"""

from datetime import datetime

from dicom_nodes.contract import PatientChanged, PatientIdentity
from router.flows.human_queue import About, ask_a_person
from router.flows.merged_numbers import correct_survivor, joined_by
from router.flows.ports import Transaction
from router.flows.rekey_study import apply_change, show_conflict
from router.model.patient_change import PatientChange
from router.model.study_identity import PatientKey
from router.rules.patient_change import Conflict, judge_identity, refusal


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
    if not all(done):
        return  # studies to come follow no change that two persons still have to judge
    if prior is not None:
        tx.patients.record_merge(node, prior.patient_id or "", present, now)
    else:
        _correct_survivor(tx, node, change, key, now)


def _correct_survivor(tx: Transaction, node: str, change: PatientChange, key: str, now: datetime) -> None:
    """Studies to come that follow a merge into this number are known as the trust says now.

    Where it may be another person under the number, they do not follow the merge, and a person asks.
    """
    told = change.present
    into = tx.patients.merges_into(node, told.issuer or "", told.patient_id or "")
    others = [prior_id for prior_id, said in into.items() if isinstance(judge_identity(change, said), Conflict)]
    for prior_id in others:
        tx.patients.forget_merge(node, told.issuer or "", prior_id, told.patient_id or "")
    if others:
        reason = (
            f"node {node} told of a patient, into whose number others were merged, both another NHS number and another "
            "birth date: studies that come under the ended numbers keep them; ask there, and have the merge sent again"
        )
        ask_a_person(tx, "patient_change_refused", reason, key, now, About(node=node))
    correct_survivor(tx, node, told, now)


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
