"""Two persons settle a change of a patient that contradicts: one proposes to carry it out, another confirms (ADR 124).

Both sides are shown to them. Until they have, no report of the study is taken, and none on its way goes on.
"""

from dataclasses import replace
from datetime import datetime

from router.flows.doubted_studies import is_doubted
from router.flows.human_queue import resolve_open
from router.flows.merged_numbers import correct_survivor, joined_by, present_identity
from router.flows.ports import Transaction
from router.flows.rekey_study import (
    HELD_BECAUSE,
    apply_change,
    keep_reports_out,
    rekey,
    show_conflict,
    show_contradicted,
)
from router.flows.return_report import send_again, stop
from router.flows.tell_ris_anew import tell_ris_anew
from router.model.delivery import OWED, Delivery, DeliveryState
from router.model.errors import Conflict, NotFound
from router.model.patient_change import PatientChange
from router.model.patient_conflict import PatientConflict
from router.model.record import Entry
from router.model.study import Study
from router.rules.patient_change import Rekey, present_after
from router.rules.two_persons import require_second_person


def propose_change(tx: Transaction, conflict_id: str, by: str, reason: str, now: datetime) -> PatientConflict:
    """Say that the change is right although it contradicts; it is carried out when another person agrees.

    Raises:
        NotFound: no such conflict.
        Conflict: it is decided.
    """
    conflict = _undecided(tx, conflict_id)
    proposed = replace(conflict, proposed_by=by, proposed_at=now, proposed_why=reason)
    tx.patient_conflicts.put(proposed)
    _log(tx, "patient.change_proposed", proposed, by, reason, now)
    return proposed


def confirm_change(tx: Transaction, conflict_id: str, by: str, reason: str, now: datetime) -> PatientConflict:
    """Another person has looked at both sides: the study is known as the change says, and what is held goes out again.

    Raises:
        NotFound: no such conflict.
        NotAllowed: it is the person who proposed it.
        Conflict: nothing is proposed, it is decided, or the study's patient was changed since.
    """
    conflict = _undecided(tx, conflict_id)
    if conflict.proposed_by is None:
        raise Conflict("nobody has proposed to carry it out")
    require_second_person(by, conflict.proposed_by)
    study = tx.studies.get(conflict.study_instance_uid, lock=True)
    if study is None or (study.present_patient or study.patient) != conflict.study_patient:
        raise Conflict("the study's patient was changed since; reject it and have the message sent again")
    keep_reports_out(tx, study.study_instance_uid)
    _carry_out(tx, study, conflict, now)
    why = f"{conflict.proposed_why} ({conflict.proposed_by}); checked: {reason}"
    _log(tx, "patient.changed", conflict, by, why, now)
    decided = _decide(tx, conflict, "applied", by, reason, now)
    _recall_what_goes(tx, conflict.study_instance_uid, now)
    held = [one.delivery for one in tx.deliveries.of_study(conflict.study_instance_uid) if _is_held(one.delivery)]
    if not is_doubted(tx, conflict.study_instance_uid, conflict.origin):
        send_again(tx, held, conflict.study_instance_uid, now)
        tell_ris_anew(tx, study, now)
    if conflict.how != "unlinked" and not _is_doubted_elsewhere(tx, conflict):
        _let_studies_follow(tx, conflict, by, now)
    return decided


def reject_change(tx: Transaction, conflict_id: str, by: str, reason: str, now: datetime) -> PatientConflict:
    """The message is wrong: nothing is changed. What is held stays so until a person sends it or calls it off.

    Raises:
        NotFound: no such conflict.
        Conflict: it is decided.
    """
    conflict = _undecided(tx, conflict_id)
    _log(tx, "patient.change_rejected", conflict, by, reason, now)
    decided = _decide(tx, conflict, "rejected", by, reason, now)
    if conflict.how == "merged":
        _let_no_study_follow(tx, conflict, now)
        _follow_what_stands(tx, conflict, by, now)
    study = tx.studies.get(conflict.study_instance_uid)
    if study is not None and not is_doubted(tx, conflict.study_instance_uid, conflict.origin):
        tell_ris_anew(tx, study, now)  # of what was confirmed while this one was open
    return decided


def _is_doubted_elsewhere(tx: Transaction, conflict: PatientConflict) -> bool:
    """Whether of another study the same change waits for two persons, or one of them has rejected it since."""
    others = [one for one in tx.patient_conflicts.of_origin(conflict.origin) if one.id != conflict.id]
    same = [one for one in others if one.how == conflict.how and _numbers(one) == _numbers(conflict)]
    return any(
        one.decided is None or (one.decided == "rejected" and (one.decided_at or one.told_at) > conflict.told_at)
        for one in same
    )


def _let_studies_follow(tx: Transaction, conflict: PatientConflict, by: str, now: datetime) -> None:
    """The change holds: studies to come are known by it, and what came meanwhile under the ended number is judged."""
    if conflict.how == "updated":
        correct_survivor(tx, conflict.origin, conflict.present, now)
        return
    issuer, prior_id, _ = _numbers(conflict)
    tx.patients.record_merge(conflict.origin, prior_id, conflict.present, now)
    change = PatientChange(conflict.present, conflict.prior)
    for study in tx.studies.of_patient(conflict.origin, issuer, prior_id):
        apply_change(tx, study, change, f"{conflict.id}:confirmed", by, now)


def _let_no_study_follow(tx: Transaction, conflict: PatientConflict, now: datetime) -> None:
    """The merge is wrong: studies to come do not follow it, and of those that have followed two persons are asked."""
    issuer, prior_id, present_id = _numbers(conflict)
    change = PatientChange(conflict.present, conflict.prior, unlinked=True)
    reason = "a merge was rejected that this study has followed: of which of both persons is it?"
    for study in joined_by(tx, conflict.origin, change):
        if study.study_instance_uid != conflict.study_instance_uid:
            show_conflict(tx, study, change, "unlinked", reason, f"{conflict.id}:rejected", now)
    tx.patients.forget_merge(conflict.origin, issuer, prior_id, present_id)


def _numbers(conflict: PatientConflict) -> tuple[str, str, str]:
    """Issuer, the number that ended, and the one that survives."""
    prior = conflict.prior or conflict.present
    return conflict.present.issuer or "", prior.patient_id or "", conflict.present.patient_id or ""


def _carry_out(tx: Transaction, study: Study, conflict: PatientConflict, now: datetime) -> None:
    if conflict.how == "unlinked":  # its images say whose it is, and the merges that stand
        present, contradicted = present_identity(tx, study)
        known = replace(study, present_patient=present)
        tx.studies.revise(known)
        if contradicted is not None:
            show_contradicted(tx, known, contradicted, conflict.id, now)
        return
    present = present_after(conflict.present, conflict.study_patient)
    known = replace(study, present_patient=present)
    tx.studies.revise(known)
    if conflict.how == "merged":  # the surviving number may have ended since
        following, contradicted = present_identity(tx, replace(known, patient=present))
        if contradicted is not None:
            show_contradicted(tx, known, contradicted, conflict.id, now)
        elif following is not None:
            tx.studies.revise(replace(known, present_patient=following))


def _follow_what_stands(tx: Transaction, conflict: PatientConflict, by: str, now: datetime) -> None:
    """A study that waited as its images say is known by the merges of its number that nobody doubts."""
    uid = conflict.study_instance_uid
    study = tx.studies.get(uid, lock=True)
    if study is None or study.present_patient is not None or tx.patient_conflicts.is_undecided(uid):
        return
    keep_reports_out(tx, uid)
    present, contradicted = present_identity(tx, study)
    if contradicted is not None:
        show_contradicted(tx, study, contradicted, conflict.id, now)
    elif present is not None:
        rekey(tx, study, Rekey(present, ("patient_id",)), "merged", by, now)


def _recall_what_goes(tx: Transaction, study_instance_uid: str, now: datetime) -> None:
    """What is on its way under who the patient was, however it got there, is held with the rest."""
    owed = [one for one in tx.deliveries.of_study(study_instance_uid) if one.delivery.state in OWED]
    going = [one for one in owed if one.delivery.state is not DeliveryState.HELD]
    stop(tx, going, DeliveryState.HELD, HELD_BECAUSE, "router", now)


def _undecided(tx: Transaction, conflict_id: str) -> PatientConflict:
    conflict = tx.patient_conflicts.get(conflict_id, lock=True)
    if conflict is None:
        raise NotFound("no such change of a patient waits")
    if conflict.decided is not None:
        raise Conflict(f"it was {conflict.decided} by {conflict.decided_by}")
    return conflict


def _decide(
    tx: Transaction, conflict: PatientConflict, how: str, by: str, reason: str, now: datetime
) -> PatientConflict:
    decided = replace(conflict, decided=how, decided_by=by, decided_at=now)  # type: ignore[arg-type]
    tx.patient_conflicts.put(decided)
    resolve_open(tx, "study_conflict", conflict.key, by, f"{how}: {reason}", now)
    return decided


def _is_held(delivery: Delivery) -> bool:
    return delivery.state is DeliveryState.HELD and delivery.note == HELD_BECAUSE


def _log(tx: Transaction, event: str, conflict: PatientConflict, by: str, reason: str, now: datetime) -> None:
    detail = {"how": conflict.how, "conflict": conflict.id, "reason": reason}
    uid, origin = conflict.study_instance_uid, conflict.origin
    tx.ledger.append(Entry(event, now, by, study_instance_uid=uid, node=origin, detail=detail))
