"""A settled study becomes a read, or a new revision of one; what cannot be routed waits for a person."""

from dataclasses import fields, replace
from datetime import datetime
from uuid import uuid4

from dicom_nodes.contract import StudyArchived, StudySettled
from router.config import RoutingFile
from router.flows.apply_rules import RuleFailure, close_hold_items, route_by_rules, tell_what_rules_did
from router.flows.human_queue import About, ask_a_person
from router.flows.images import send_images
from router.flows.merged_numbers import present_identity
from router.flows.ports import Transaction
from router.flows.read_life import change_read
from router.flows.rekey_study import show_contradicted, show_news
from router.flows.second_read import supersede_second_reads
from router.flows.take_imaging_order import ask_about_suspicion, join_order
from router.model.directives import NO_DIRECTIVES
from router.model.read import SIGNED, Read, ReadState
from router.model.reader import Level
from router.model.record import Entry
from router.model.study import PatientKey, Study
from router.rules.read_states import ENDS, Actor, Event
from router.rules.study_routing import NotForReading, Routed, Unmapped


def study_of(settled: StudySettled) -> Study:
    """The study as the fact tells it."""
    identity, code = settled.study, settled.exam_code
    patient = identity.patient
    return Study(
        study_instance_uid=identity.study_instance_uid,
        origin=identity.origin,
        accession_number=identity.accession_number,
        accession_issuer=identity.accession_issuer,
        patient=PatientKey(patient.issuer, patient.patient_id, patient.nhs_number, patient.birth_date),
        revision=settled.revision,
        modalities=settled.modalities,
        description=settled.description,
        exam_code=None if code is None else (code.value, code.scheme, code.meaning),
        body_part=settled.body_part,
        study_time=settled.study_time,
    )


def take_settled_study(tx: Transaction, node: str, settled: StudySettled, routing: RoutingFile, now: datetime) -> None:
    """Record the revision and move or make its read. The same fact twice changes nothing."""
    study = study_of(settled)
    uid = study.study_instance_uid
    if study.origin != node:
        reason = f"node {node} reported a study whose origin it says is {study.origin}; it was not routed"
        ask_a_person(tx, "origin_mismatch", reason, f"{node}:{uid}", now, About(study_instance_uid=uid, node=node))
        return
    known = tx.studies.get(uid, lock=True)
    problem = None if known is None else _contradiction(tx, known, settled)
    if problem is not None:
        _show_conflict(tx, node, uid, problem, f"{node}:{uid}:{settled.manifest.digest}", now)
        return
    if tx.studies.revision(uid, settled.revision) is not None:
        return
    if known is not None and known.revision > settled.revision:
        reason = f"revision {settled.revision} arrived after revision {known.revision}; it was not routed"
        _show_conflict(tx, node, uid, reason, f"{node}:{uid}:{settled.revision}", now)
        return
    if known is None:
        study = _add(tx, study, settled.manifest.digest, now)
    else:
        key = f"{settled.manifest.digest}:{settled.revision}"
        study = _know_more(tx, known, with_known_identity(study, known), key, now)
    tx.studies.add_revision(settled, now)
    detail = {"revision": settled.revision, "instances": len(settled.manifest.entries)}
    tx.ledger.append(Entry("study.settled", now, f"node {node}", study_instance_uid=uid, node=node, detail=detail))
    for notice in settled.notices:
        ask_a_person(tx, "study_notice", notice, f"{uid}:{notice}", now, About(study_instance_uid=uid, node=node))
    reads = tx.reads.of_study(uid, lock=True)
    if reads:
        _revise(tx, reads[-1], known or study, study, routing, now)
    else:
        receive(tx, study, routing, now)


def _add(tx: Transaction, study: Study, key: str, now: datetime) -> Study:
    """The study is new here: known as its patient is now, or as its images say while two persons judge a merge."""
    present, contradicted = present_identity(tx, study)
    if contradicted is None:
        study = join_order(tx, replace(study, present_patient=present), now)
        tx.studies.add(study)
        return study
    tx.studies.add(study)
    show_contradicted(tx, study, contradicted, key, now)
    study = join_order(tx, study, now)
    tx.studies.revise(study)
    return study


def _know_more(tx: Transaction, known: Study, study: Study, key: str, now: datetime) -> Study:
    """A revision may be the first to say an NHS number or birth date, and that of another person than the study is
    known to be of: then it is known as its images say until two persons have judged."""
    present = known.present_patient
    if present is not None and _is_news_of_another(known.patient, study.patient, present):
        study = replace(study, present_patient=None)
        tx.studies.revise(study)
        show_news(tx, study, present, key, now)
    study = join_order(tx, study, now)
    tx.studies.revise(study)
    return study


def _is_news_of_another(was: PatientKey, told: PatientKey, present: PatientKey) -> bool:
    """Whether the images say now what they had not said, and it contradicts; what they said before was judged."""
    news = (name for name in ("nhs_number", "birth_date") if getattr(was, name) is None)
    return any(_differ(getattr(told, name), getattr(present, name)) for name in news)


def take_archived_study(tx: Transaction, node: str, archived: StudyArchived, now: datetime) -> None:
    """Write down that the origin's archive holds the whole revision."""
    detail = {"revision": archived.revision, "instances": archived.instance_count, "archive": archived.archive}
    uid = archived.study_instance_uid
    tx.ledger.append(Entry("study.archived", now, f"node {node}", study_instance_uid=uid, node=node, detail=detail))


def receive(tx: Transaction, study: Study, routing: RoutingFile, now: datetime, replaces: str | None = None) -> bool:
    """Make a fresh read of the study's present revision, READY where the exam is mapped.

    Returns whether there was anything to read.
    """
    ruled = route_by_rules(tx, study, routing, now)
    outcome, uid = ruled.outcome, study.study_instance_uid
    if isinstance(outcome, NotForReading):
        tx.ledger.append(
            Entry("study.not_for_reading", now, "router", study_instance_uid=uid, detail={"reason": outcome.reason})
        )
        return False
    read = Read(
        id=f"{now:%Y%m%d%H%M%S%f}-{uuid4().hex[:12]}",
        study_instance_uid=uid,
        origin=study.origin,
        revision=study.revision,
        state=ReadState.RECEIVED,
        entered_at=now,
        created_at=now,
        modalities=outcome.modalities,
        ordinal=tx.reads.next_ordinal(uid),
        replaces=replaces,
    )
    tx.reads.add(read)
    detail: dict[str, object] = {"to": read.state.value, "revision": read.revision}
    if replaces is not None:
        detail["replaces"] = replaces
    tx.ledger.append(
        Entry("read.received", now, "router", study_instance_uid=uid, read_id=read.id, node=study.origin, detail=detail)
    )
    _make_ready(tx, read, outcome, ruled.failures, now)
    ask_about_suspicion(tx, study, read, routing, now)
    return True


def _make_ready(
    tx: Transaction, read: Read, outcome: Routed | Unmapped, failures: tuple[RuleFailure, ...], now: datetime
) -> None:
    if isinstance(outcome, Unmapped):
        about = About(study_instance_uid=read.study_instance_uid, read_id=read.id, node=read.origin)
        ask_a_person(tx, "unmapped_exam", outcome.reason, f"{read.id}:{read.revision}", now, about)
        return
    detail: dict[str, object] = {
        "subspecialty": outcome.subspecialty,
        "priority": outcome.priority,
        "due": outcome.due_at.isoformat(),
    }
    if outcome.directives.rule_set is not None:
        detail |= {"rule_set": outcome.directives.rule_set, "rules": list(outcome.directives.rules)}
    ready = change_read(tx, read, Event.ROUTE, Actor.ROUTER, now, by="router", detail=detail, changes=_routed(outcome))
    tell_what_rules_did(tx, ready, failures, now)


def _routed(outcome: Routed) -> dict[str, object]:
    return {
        "modalities": outcome.modalities,
        "subspecialty": outcome.subspecialty,
        "expected_minutes": outcome.expected_minutes,
        "priority": outcome.priority,
        "due_at": outcome.due_at,
        "exam_code": outcome.exam_code,
        "exam_group": outcome.exam_group,
        "minimum_level": outcome.minimum_level,
        "pathway": outcome.pathway,
        "directives": outcome.directives,
    }


def _contradiction(tx: Transaction, known: Study, settled: StudySettled) -> str | None:
    told = study_of(settled)
    if known.origin != told.origin:
        return f"Study Instance UID is claimed by {told.origin}, but {known.origin} made it"
    if not any(_same_patient(one, told.patient) for one in (known.patient, known.present_patient) if one is not None):
        return "one Study Instance UID, two patients: a revision names another patient than the one before"
    accession = (known.accession_number, told.accession_number), (known.accession_issuer, told.accession_issuer)
    if any(_differ(*values) for values in accession):
        return "a revision names another accession number than the one before"
    recorded = tx.studies.revision(told.study_instance_uid, settled.revision)
    if recorded is not None and recorded.manifest_digest != settled.manifest.digest:
        return f"revision {settled.revision} was reported twice with different content"
    return None


def _same_patient(one: PatientKey, other: PatientKey) -> bool:
    return not any(_differ(getattr(one, f.name), getattr(other, f.name)) for f in fields(PatientKey))


def _differ(before: object, after: object) -> bool:
    """What one side does not say cannot contradict."""
    return before is not None and after is not None and before != after


def with_known_identity(study: Study, known: Study) -> Study:
    """The study with what only an earlier revision said of its identity; together they say all that is known."""
    was, told = known.patient, study.patient
    if not _same_patient(was, told):  # it says who the patient is now
        told = was
    patient = PatientKey(
        issuer=told.issuer or was.issuer,
        patient_id=told.patient_id or was.patient_id,
        nhs_number=told.nhs_number or was.nhs_number,
        birth_date=told.birth_date or was.birth_date,
    )
    number, issuer = study.accession_number or known.accession_number, study.accession_issuer or known.accession_issuer
    joined = replace(study, present_patient=known.present_patient, order=known.order)
    return replace(joined, patient=patient, accession_number=number, accession_issuer=issuer)


def _show_conflict(tx: Transaction, node: str, uid: str, reason: str, key: str, now: datetime) -> None:
    """Ask a person, and name the read that goes on with what was known before."""
    reads = tx.reads.of_study(uid)
    read = reads[-1] if reads and reads[-1].state not in ENDS else None
    if read is not None:
        reason = f"{reason}; its read is {read.state.value} with revision {read.revision}"
    about = About(study_instance_uid=uid, read_id=None if read is None else read.id, node=node)
    ask_a_person(tx, "study_conflict", reason, key, now, about)


def _revise(tx: Transaction, read: Read, before: Study, study: Study, routing: RoutingFile, now: datetime) -> None:
    by, detail = f"node {study.origin}", {"revision": study.revision}
    ruled = route_by_rules(tx, study, routing, now)
    outcome = ruled.outcome
    if read.state not in ENDS | SIGNED and isinstance(outcome, NotForReading):
        reason = (
            f"revision {study.revision} holds documents only; the read stays {read.state.value} with revision "
            f"{read.revision}"
        )
        ask_a_person(tx, "documents_only", reason, f"{read.id}:{study.revision}", now, _about(read))
    elif read.state in {ReadState.RECEIVED, ReadState.READY, ReadState.ASSIGNED}:
        changes: dict[str, object] = {"revision": study.revision, "images_delivered_at": None}
        revised = change_read(tx, read, Event.REVISE, Actor.NODE, now, by=by, detail=detail, changes=changes)
        if not isinstance(outcome, NotForReading):
            _after_revision(tx, revised, before, study, outcome, ruled.failures, now)
    elif read.state in {ReadState.READING, ReadState.ON_HOLD, ReadState.PRELIMINARY}:
        change_read(tx, read, Event.SUPERSEDE, Actor.NODE, now, by=by, detail=detail)
        receive(tx, study, routing, now, replaces=read.id)
    else:
        is_fresh = receive(tx, study, routing, now, replaces=read.id)
        if is_fresh:
            supersede_second_reads(tx, study, now)
        what = "a final report stands for the revision before" if read.state in SIGNED else f"it was {read.state.value}"
        made = "a fresh read was made" if is_fresh else "it holds documents only, so no read was made"
        reason = f"revision {study.revision} arrived after the read had ended ({what}); {made}"
        ask_a_person(tx, "late_images", reason, f"{read.id}:{study.revision}", now, _about(read))


def _after_revision(
    tx: Transaction,
    read: Read,
    before: Study,
    study: Study,
    outcome: Routed | Unmapped,
    failures: tuple[RuleFailure, ...],
    now: datetime,
) -> None:
    if read.state is ReadState.RECEIVED:
        _make_ready(tx, read, outcome, failures, now)
        return
    if _is_another_exam(read, before, study, outcome):
        detail = {"reason": f"revision {study.revision} changed what exam it is"}
        forgotten = {"exam_code": None, "exam_group": None, "minimum_level": Level.GENERAL, "pathway": None}
        forgotten |= {"subspecialty": None, "expected_minutes": None, "priority": None, "lease": None, "waiting": None}
        changes = {"modalities": outcome.modalities, "directives": NO_DIRECTIVES, **forgotten}
        unrouted = change_read(tx, read, Event.UNROUTE, Actor.ROUTER, now, by="router", detail=detail, changes=changes)
        close_hold_items(tx, unrouted, "router", f"revision {study.revision} changed what exam it is", now)
        _make_ready(tx, unrouted, outcome, failures, now)
        return
    if isinstance(outcome, Routed) and read.due_at != outcome.due_at and before.study_time != study.study_time:
        timed = replace(read, due_at=outcome.due_at)
        tx.reads.replace(read, timed)
        read = timed
    if isinstance(outcome, Routed) and before.description != study.description:
        _compare_rules(tx, read, outcome, now)
    reader = tx.readers.get(read.lease.reader_id) if read.lease is not None else None
    if reader is not None:
        send_images(tx, read, reader, now)


def _compare_rules(tx: Transaction, read: Read, outcome: Routed, now: datetime) -> None:
    """A new description may match other rules. The read stays as it was routed, and a person is asked."""
    if outcome.directives.rules == read.directives.rules:
        return
    was, would = (", ".join(d.rules) or "none" for d in (read.directives, outcome.directives))
    reason = (
        f"revision {read.revision} changed the description: rules that matched: {was}; that would match now: {would}"
    )
    ask_a_person(tx, "rules_would_differ", reason, f"{read.id}:{read.revision}", now, _about(read))


def _is_another_exam(read: Read, before: Study, study: Study, outcome: Routed | Unmapped) -> bool:
    """Whether the revision changed what is looked up, and with it the answer; what a person said stays otherwise."""
    said = (before.exam_code, before.body_part) == (study.exam_code, study.body_part)
    if said and set(read.modalities) == set(outcome.modalities):
        return False
    if isinstance(outcome, Unmapped):
        return True
    if replace(read.directives, rule_set=None) != replace(outcome.directives, rule_set=None):
        return True
    return _essence(read) != _essence(outcome)


def _essence(of: Read | Routed) -> tuple[object, ...]:
    """What makes two exams the same work. A group's minutes are learned, and change without the exam."""
    minutes = of.expected_minutes if of.exam_group is None else None
    return set(of.modalities), of.subspecialty, of.priority, of.exam_group, of.minimum_level, minutes


def _about(read: Read) -> About:
    return About(study_instance_uid=read.study_instance_uid, read_id=read.id, node=read.origin)
