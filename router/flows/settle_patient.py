"""Two persons settle a change of a patient that contradicts: one proposes to carry it out, another confirms (ADR 124).

Both sides are shown to them. Until they have, no report of the study is taken, and none on its way goes on.
"""

import hashlib
from dataclasses import replace
from datetime import datetime

from router.flows.human_queue import resolve_open
from router.flows.ports import Transaction
from router.flows.return_report import send_again
from router.model.delivery import Delivery, DeliveryState
from router.model.errors import Conflict, NotAllowed, NotFound
from router.model.patient_change import PatientChange
from router.model.patient_conflict import How, PatientConflict
from router.model.record import Entry
from router.model.study import Study
from router.rules.patient_change import present_after

HELD_BECAUSE = "the patient's record was changed at the origin, and contradicts"


def keep_conflict(
    tx: Transaction, study: Study, change: PatientChange, how: How, reason: str, key: str, now: datetime
) -> str:
    """Keep both sides under `key` of the human-queue item that asks about them; returns the conflict's id."""
    conflict_id = hashlib.sha256(key.encode()).hexdigest()[:32]
    known = study.present_patient or study.patient
    uid, sides = study.study_instance_uid, (known, change.present, change.prior)
    tx.patient_conflicts.add(PatientConflict(conflict_id, key, uid, study.origin, how, reason, *sides, told_at=now))
    return conflict_id


def is_asked(tx: Transaction, study: Study, change: PatientChange, how: How) -> bool:
    """Whether two persons are asked about the very same already: the message came twice."""
    same = (study.study_instance_uid, how, change.present, change.prior)
    asked = (c for c in tx.patient_conflicts.undecided() if (c.study_instance_uid, c.how, c.present, c.prior) == same)
    return any(tx.queue.is_open("study_conflict", one.study_instance_uid, one.origin) for one in asked)


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
    if _person(by) == _person(conflict.proposed_by):
        raise NotAllowed("a second person must check it, not the one who proposed it")
    study = tx.studies.get(conflict.study_instance_uid, lock=True)
    if study is None or (study.present_patient or study.patient) != conflict.study_patient:
        raise Conflict("the study's patient was changed since; reject it and have the message sent again")
    _carry_out(tx, study, conflict)
    why = f"{conflict.proposed_why} ({conflict.proposed_by}); checked: {reason}"
    _log(tx, "patient.changed", conflict, by, why, now)
    decided = _decide(tx, conflict, "applied", by, reason, now)
    held = [one.delivery for one in tx.deliveries.of_study(conflict.study_instance_uid) if _is_held(one.delivery)]
    if not tx.queue.is_open("study_conflict", conflict.study_instance_uid, conflict.origin):
        send_again(tx, held, conflict.study_instance_uid, now)
    return decided


def reject_change(tx: Transaction, conflict_id: str, by: str, reason: str, now: datetime) -> PatientConflict:
    """The message is wrong: nothing is changed. What is held stays so until a person sends it or calls it off.

    Raises:
        NotFound: no such conflict.
        Conflict: it is decided.
    """
    conflict = _undecided(tx, conflict_id)
    if conflict.how == "merged" and conflict.prior is not None:  # nor do studies to come follow it
        one, other = conflict.present, conflict.prior
        tx.patients.forget_merge(conflict.origin, one.issuer or "", one.patient_id or "", other.patient_id or "")
    _log(tx, "patient.change_rejected", conflict, by, reason, now)
    return _decide(tx, conflict, "rejected", by, reason, now)


def _carry_out(tx: Transaction, study: Study, conflict: PatientConflict) -> None:
    if conflict.how == "unlinked":  # its images say whose it is
        tx.studies.revise(replace(study, present_patient=None))
        return
    tx.studies.revise(replace(study, present_patient=present_after(conflict.present, conflict.study_patient)))


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


def _person(by: str) -> str:
    """A caller is named `role subject`; one person may have tokens of several roles."""
    return by.partition(" ")[2].strip().casefold()
