"""Facts come in: consecutive, each once, each in one commit with its effects (and with a few of its neighbours).

A fact that cannot be understood, or whose effects fail, is kept and shown to a person; it never blocks the ones
behind it, and a person may have it carried out again. A failure of the database itself is no fact's fault: it is
raised, and the node sends again. Numbers that do not fit what is kept mean that one side was restored from a backup:
the node is told, and a person with it (ADR 004).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from dicom_nodes.contract import (
    FactBody,
    FactReceipt,
    ImagingOrdered,
    InstanceQuarantined,
    JobParked,
    MessageRefused,
    OrderCompleted,
    OrderParked,
    PatientChanged,
    ProcedureStepChanged,
    ReportAcknowledged,
    ReportReceived,
    ReportRefused,
    StudyArchived,
    StudyIncomplete,
    StudySettled,
)
from router.config import RouterSettings
from router.flows.change_patient import take_patient_change
from router.flows.delivery_answers import take_acknowledgement
from router.flows.fact_batch import ReceivedBatch, ReceivedFact, about_fact, facts_of, kind_of, read_body
from router.flows.facts_ahead import named_by
from router.flows.human_queue import About, ask_a_person, resolve_open
from router.flows.order_outcomes import own_order, take_completed, take_parked, take_parked_job
from router.flows.ports import Store, Transaction
from router.flows.raise_alert import ask_about_unread, raise_for_report
from router.flows.route_study import take_archived_study, take_settled_study
from router.flows.take_imaging_order import take_imaging_order
from router.flows.take_refused import take_refused
from router.flows.take_refused_message import take_refused_message
from router.flows.take_report import report_of, take_report
from router.model.errors import Conflict, FactGap, NotFound, OutboxForked
from router.model.fact import KeptFact
from router.model.record import Entry

OnFailure = Callable[[Exception], None]
_NOT_TAKEN = "the router could not take the report; see the failed facts"


def take_facts(
    store: Store, node: str, batch: ReceivedBatch, settings: RouterSettings, now: datetime, on_failure: OnFailure
) -> FactReceipt:
    """Take what is new of the batch and say how far this outbox is durable here.

    Raises:
        Invalid: a fact has no number.
        FactGap: facts are missing before the first new one; names the seq that is expected.
        OutboxForked: a number that is taken came again with other content.
    """
    taking = _Taking(node, batch.outbox_id, settings, now, on_failure, apart=False)
    try:
        return _take_all(store, batch, taking)
    except _CannotBeTaken:
        return _take_all(store, batch, replace(taking, apart=True))


def _take_all(store: Store, batch: ReceivedBatch, taking: "_Taking") -> FactReceipt:
    facts, node, now = facts_of(batch), taking.node, taking.now
    with store.write() as tx:
        tx.network.record_traffic(node, now, batch.health)
        through = tx.facts.last_seq(node, batch.outbox_id)
        repeats = [fact for fact in facts if fact.seq <= through]
        if facts and not repeats:
            through = taking.take(tx, facts[: store.effects_a_commit])
    try:
        _compare_repeats(store, node, batch.outbox_id, repeats)
        while fresh := [fact for fact in facts if fact.seq > through]:
            if fresh[0].seq != through + 1:
                raise FactGap(f"{node}:{batch.outbox_id}", through + 1, fresh[0].seq)
            with store.write() as tx:
                through = taking.take(tx, fresh[: store.effects_a_commit])
            if through < fresh[0].seq:
                with store.write() as tx:
                    through = taking.take_alone(tx, fresh[0])
    except (FactGap, OutboxForked) as refusal:
        with store.write() as tx:
            ask_a_person(tx, refusal.code, f"node {node}: {refusal}", refusal.key, now, About(node=node))
        raise
    return FactReceipt(accepted_through=through)


def _compare_repeats(store: Store, node: str, outbox_id: str, repeats: list[ReceivedFact]) -> None:
    if not repeats:
        return
    numbers = [fact.seq for fact in repeats]
    with store.read() as tx:
        kept = {fact.seq: fact for fact in tx.facts.between(node, outbox_id, min(numbers), max(numbers))}
    for fact in repeats:
        if not fact.repeats(kept[fact.seq]):
            raise OutboxForked(f"{node}:{outbox_id}", fact.seq)


def _following(facts: Sequence[ReceivedFact], last: int) -> Iterator[ReceivedFact]:
    """Those behind `last`, until one is missing; what is taken already is left out."""
    for fact in facts:
        if fact.seq > last + 1:
            return
        if fact.seq == last + 1:
            last = fact.seq
            yield fact


class _CannotBeTaken(Exception):
    """The effects of a fact failed beside its neighbours', and all of this transaction is undone."""


@dataclass(frozen=True, slots=True)
class _Taking:
    """Takes facts of one outbox with their effects; `apart`: each under a savepoint of its own.

    A savepoint costs as much as the effects' own statements, and next to no fact fails: all are taken without any
    first, and once more apart where one fails.
    """

    node: str
    outbox_id: str
    settings: RouterSettings
    now: datetime
    on_failure: OnFailure
    apart: bool

    def take(self, tx: Transaction, facts: Sequence[ReceivedFact]) -> int:
        """Those that follow what is taken without a gap; how far it is taken then.

        Another request with the same facts may have been faster. One that cannot even be kept holds up none before it.
        """
        last = tx.facts.last_seq(self.node, self.outbox_id)
        if not self.apart:
            return self._take_together(tx, facts, last)
        for fact in _following(facts, last):
            if tx.attempt(partial(self._keep, tx, fact)) is not None:
                break
            last = fact.seq
        return last

    def _take_together(self, tx: Transaction, facts: Sequence[ReceivedFact], last: int) -> int:
        """Those without a gap; whatever fails, the second time tells a fact's failure from the database's."""
        try:
            following = list(_following(facts, last))
            tx.foresee(named_by([fact.said for fact in following]))
            taken = [self._take(tx, fact) for fact in following]
            tx.facts.add(taken)
            tx.flush()
        except Exception as failure:
            raise _CannotBeTaken from failure
        return taken[-1].seq if taken else last

    def take_alone(self, tx: Transaction, fact: ReceivedFact) -> int:
        """Take one that could not be taken among others, and let its failure be the request's."""
        if fact.seq == tx.facts.last_seq(self.node, self.outbox_id) + 1:
            self._keep(tx, fact)
        return tx.facts.last_seq(self.node, self.outbox_id)

    def _keep(self, tx: Transaction, fact: ReceivedFact) -> None:
        tx.facts.add([self._take(tx, fact)])

    def _take(self, tx: Transaction, fact: ReceivedFact) -> KeptFact:
        node, now = self.node, self.now
        kept = KeptFact(node, self.outbox_id, fact.seq, fact.occurred_at or now, now, fact.body, None)
        problem = fact.problem
        if fact.said is not None:
            effects = partial(apply_fact, tx, node, fact.said, kept.occurred_at, kept.key, self.settings, now)
            failure = self._failure_of(tx, effects)
            if failure is not None:
                self.on_failure(failure)
                problem = type(failure).__name__
                if isinstance(fact.said, ReportReceived):  # its alert waits for nobody
                    lost = report_of(node, fact.said, kept.occurred_at, now)
                    raise_for_report(tx, replace(lost, reasons=(_NOT_TAKEN,)), None, now)
        if problem is not None:
            reason = f"fact {fact.seq} ({fact.kind}) of {node} could not be carried out: {problem}"
            ask_a_person(tx, "fact_failed", reason, kept.key, now, about_fact(node, fact.body))
        if fact.said is None or (problem is not None and isinstance(fact.said, ReportRefused)):
            ask_about_unread(tx, node, fact.body, kept.key, now)
        return replace(kept, failure=problem)

    def _failure_of(self, tx: Transaction, effects: Callable[[], None]) -> Exception | None:
        if self.apart:
            return tx.attempt(effects)
        effects()
        return None


def carry_out_again(
    tx: Transaction, node: str, outbox_id: str, seq: int, by: str, note: str, settings: RouterSettings, now: datetime
) -> KeptFact:
    """Carry a failed fact out after all, and close the item that asked for it. Effects are idempotent by content.

    Raises:
        NotFound: no such fact, or it did not fail.
        Conflict: it still cannot be understood, or failed again; nothing was changed.
    """
    kept = tx.facts.get(node, outbox_id, seq)
    if kept is None or kept.failure is None:
        raise NotFound("no such failed fact")
    said = read_body(kept.body)
    if isinstance(said, str):
        raise Conflict(f"the fact still cannot be understood: {said}")
    failure = tx.attempt(partial(apply_fact, tx, node, said, kept.occurred_at, kept.key, settings, now))
    if failure is not None:
        raise Conflict(f"the fact failed again: {type(failure).__name__}")
    about = about_fact(node, kept.body)
    detail = {"kind": kind_of(kept.body), "outbox_id": outbox_id, "seq": seq, "note": note}
    uid, report_id, order_id = about.study_instance_uid, about.report_id, about.order_id
    tx.ledger.append(Entry("fact.applied", now, by, uid, None, report_id, order_id, node, detail))
    resolve_open(tx, "fact_failed", kept.key, by, note, now)
    return kept


def apply_fact(
    tx: Transaction,
    node: str,
    body: FactBody,
    occurred_at: datetime,
    key: str,
    settings: RouterSettings,
    now: datetime,
) -> None:
    """Carry out what one fact means; `key` names the fact in the whole network."""
    match body:
        case StudySettled():
            take_settled_study(tx, node, body, settings.routing, now)
        case StudyArchived():
            if not _is_foreign(tx, node, body.study_instance_uid, body.kind, key, now):
                take_archived_study(tx, node, body, now)
        case InstanceQuarantined():
            _take_quarantined(tx, node, body, now)
        case ReportReceived():
            take_report(tx, report_of(node, body, occurred_at, now), now)
        case ReportRefused():
            take_refused(tx, node, body, now)
        case MessageRefused():
            take_refused_message(tx, node, body, now)
        case OrderCompleted():
            take_completed(tx, node, body, key, occurred_at, now, settings.router.claim_timeout_s)
        case OrderParked():
            take_parked(tx, node, body, key, now)
        case ReportAcknowledged():
            issued = own_order(tx, node, body.order_id, now)
            if issued is not None:
                take_acknowledgement(tx, issued, body, key, now)
        case JobParked():
            take_parked_job(tx, node, body, key, now)
        case StudyIncomplete():
            _take_incomplete(tx, node, body, now)
        case PatientChanged():
            take_patient_change(tx, node, body, key, now)
        case ImagingOrdered():
            take_imaging_order(tx, node, body, settings.routing, key, now)
        case ProcedureStepChanged():
            _take_procedure_step(tx, node, body, now)


def _foreign_origin(tx: Transaction, node: str, study_instance_uid: str | None) -> str | None:
    """The trust that made the study, where that is not the node's own: then it may not write into its ledger."""
    study = tx.studies.get(study_instance_uid) if study_instance_uid is not None else None
    return study.origin if study is not None and study.origin != node else None


def _is_foreign(tx: Transaction, node: str, study_instance_uid: str, kind: str, key: str, now: datetime) -> bool:
    origin = _foreign_origin(tx, node, study_instance_uid)
    if origin is None:
        return False
    reason = f"node {node} said {kind} of a study that {origin} made; nothing was written into that study's ledger"
    ask_a_person(tx, "foreign_study", reason, key, now, About(node=node))
    return True


def _take_quarantined(tx: Transaction, node: str, quarantined: InstanceQuarantined, now: datetime) -> None:
    detail = {"reason": quarantined.reason, "quarantine_id": quarantined.quarantine_id}
    by = f"node {node}"
    uid = quarantined.study_instance_uid if _foreign_origin(tx, node, quarantined.study_instance_uid) is None else None
    tx.ledger.append(Entry("instance.quarantined", now, by, study_instance_uid=uid, node=node, detail=detail))
    about = About(study_instance_uid=uid, node=node)
    reason = f"node {node} quarantined an instance from {quarantined.sending_ae_title}: {quarantined.reason}"
    ask_a_person(tx, "instance_quarantined", reason, f"{node}:{quarantined.quarantine_id}", now, about)


def _take_incomplete(tx: Transaction, node: str, incomplete: StudyIncomplete, now: datetime) -> None:
    """The notice has the words that a revision's own has, so that one thing missing is asked about once."""
    uid = incomplete.study_instance_uid
    own = uid if _foreign_origin(tx, node, uid) is None else None
    detail = {"by": incomplete.announced_by, "announced": incomplete.announced, "missing": incomplete.missing}
    tx.ledger.append(Entry("study.incomplete", now, f"node {node}", study_instance_uid=own, node=node, detail=detail))
    about = About(study_instance_uid=own, node=node)
    ask_a_person(tx, "study_notice", incomplete.notice, f"{uid}:{incomplete.notice}", now, about)


def _take_procedure_step(tx: Transaction, node: str, step: ProcedureStepChanged, now: datetime) -> None:
    """Written down against each study that is the node's own, or not yet anybody's."""
    detail = {
        "procedure_step_uid": step.procedure_step_uid,
        "state": step.state,
        "by": step.performed_by,
        "instances": step.instance_count,
    }
    for uid in step.study_instance_uids:
        if _foreign_origin(tx, node, uid) is None:
            tx.ledger.append(
                Entry("procedure_step.changed", now, f"node {node}", study_instance_uid=uid, node=node, detail=detail)
            )
