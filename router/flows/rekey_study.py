"""What a changed patient means for one study: known by the new identity, or two persons are asked (ADR 113, 124).

Apart from the message that brings it and from the persons who decide, since both do the same to a study.
"""

import hashlib
from dataclasses import replace
from datetime import datetime

from router.flows.human_queue import About, ask_a_person
from router.flows.merged_numbers import Contradicted, present_identity
from router.flows.ports import Transaction
from router.flows.return_report import send_again, stop
from router.flows.tell_ris_anew import tell_ris_anew
from router.model.delivery import OWED, DeliveryState
from router.model.patient_change import PatientChange
from router.model.patient_conflict import How, PatientConflict
from router.model.read import Read
from router.model.record import Entry
from router.model.study import Study
from router.model.study_identity import PatientKey
from router.rules.patient_change import Conflict, Rekey, Unchanged, judge
from router.rules.read_states import ENDS

HELD_BECAUSE = "the patient's record was changed at the origin, and contradicts"
_HELD = DeliveryState.HELD


def apply_change(tx: Transaction, study: Study, change: PatientChange, key: str, by: str, now: datetime) -> bool:
    """Judge what the message means for this study, and do that; False where two persons have to decide first."""
    keep_reports_out(tx, study.study_instance_uid)
    how: How = "merged" if change.prior is not None else "updated"
    verdict = judge(change, study)
    if isinstance(verdict, Conflict):
        show_conflict(tx, study, change, how, verdict.reason, key, now)
        return False
    if isinstance(verdict, Rekey):
        rekey(tx, study, verdict, how, by, now)
    else:
        assert isinstance(verdict, Unchanged)
    return True


def keep_reports_out(tx: Transaction, study_instance_uid: str) -> None:
    """Who takes a report of the study holds its read: one that is being taken now is on its way before what follows
    looks for it, and one that comes later finds who the patient is then."""
    tx.reads.of_study(study_instance_uid, lock=True)
    tx.reads.second_reads(study_instance_uid, lock=True)


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
    tell_ris_anew(tx, study, now)


def _hold_what_is_on_its_way(tx: Transaction, uid: str, verdict: Rekey, how: str, now: datetime) -> None:
    """Stop every return that the origin has not answered; without a doubt it goes out again under the new identity."""
    owed = [one for one in tx.deliveries.of_study(uid) if one.delivery.state in OWED]
    if verdict.doubt is None:
        going = [one for one in owed if one.delivery.order_id is not None and one.delivery.state is not _HELD]
        if tx.patient_conflicts.is_undecided(uid):  # it goes when two persons have said who the patient is
            stop(tx, going, _HELD, HELD_BECAUSE, "router", now)
            return
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


def show_conflict(
    tx: Transaction, study: Study, change: PatientChange, how: How, reason: str, key: str, now: datetime
) -> None:
    """A person decides; until then no report of the study is taken, and none on its way goes on."""
    uid = study.study_instance_uid
    keep_reports_out(tx, uid)
    if _is_asked(tx, study, change, how):
        return
    owed = [one for one in tx.deliveries.of_study(uid) if one.delivery.state in OWED]
    going = [one for one in owed if one.delivery.state is not _HELD]
    stop(tx, going, _HELD, HELD_BECAUSE, "router", now)
    reads = tx.reads.of_study(uid)
    read: Read | None = reads[-1] if reads else None
    held = f"; {len({one.delivery.report_id for one in owed})} reports on their way are held" if owed else ""
    about = About(study_instance_uid=uid, read_id=None if read is None else read.id, node=study.origin)
    conflict_id = _keep_conflict(tx, study, change, how, reason, f"{uid}:{key}", now)
    asked = f"a change of the patient: {reason}{held}; both sides: readacross patients, id {conflict_id}"
    ask_a_person(tx, "study_conflict", asked, f"{uid}:{key}", now, about)


def show_contradicted(tx: Transaction, study: Study, contradicted: Contradicted, key: str, now: datetime) -> None:
    """Two persons judge whether a merge is right of a study that came later; until then no other follows it."""
    change = contradicted.change
    show_conflict(tx, study, change, "merged", contradicted.reason, key, now)
    present, ended = change.present, change.number
    tx.patients.forget_merge(study.origin, present.issuer or "", ended.patient_id or "", present.patient_id or "")


def show_news(tx: Transaction, study: Study, present: PatientKey, key: str, now: datetime) -> None:
    """Images say only now what contradicts `present`, whom the study was known to be of: two persons judge."""
    _, contradicted = present_identity(tx, study)
    if contradicted is not None:
        show_contradicted(tx, study, contradicted, key, now)
        return
    own = study.patient
    is_merged = (own.issuer, own.patient_id) != (present.issuer, present.patient_id)
    change = PatientChange(present, PatientKey(own.issuer, own.patient_id) if is_merged else None)
    reason = "a revision of the study says another NHS number or birth date than the patient it was known to be of"
    show_conflict(tx, study, change, "merged" if is_merged else "updated", reason, key, now)


def _keep_conflict(
    tx: Transaction, study: Study, change: PatientChange, how: How, reason: str, key: str, now: datetime
) -> str:
    """Keep both sides under `key` of the human-queue item that asks about them; returns the conflict's id."""
    conflict_id = hashlib.sha256(key.encode()).hexdigest()[:32]
    known = study.present_patient or study.patient
    uid, sides = study.study_instance_uid, (known, change.present, change.prior)
    tx.patient_conflicts.add(PatientConflict(conflict_id, key, uid, study.origin, how, reason, *sides, told_at=now))
    return conflict_id


def _is_asked(tx: Transaction, study: Study, change: PatientChange, how: How) -> bool:
    """Whether two persons are asked about the very same already: the message came twice."""
    same = (study.study_instance_uid, how, change.present, change.prior)
    asked = (c for c in tx.patient_conflicts.undecided() if (c.study_instance_uid, c.how, c.present, c.prior) == same)
    return any(tx.queue.is_open("study_conflict", one.study_instance_uid, one.origin) for one in asked)
