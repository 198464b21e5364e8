"""A held report goes on because a person says which read it is of. What contradicts the study, no person overrules."""

from dataclasses import replace
from datetime import datetime

from router.flows.account_for_reads import account_for_read
from router.flows.human_queue import resolve_item
from router.flows.ports import Transaction
from router.flows.raise_alert import raise_for_report
from router.flows.read_life import change_read
from router.flows.return_report import return_report
from router.flows.take_report import identity_in
from router.model.errors import Conflict, NotFound
from router.model.read import SIGNED, Read
from router.model.report import Disposition, Report
from router.model.study import Study
from router.rules.eligibility import entitlement_problems
from router.rules.read_states import Actor, Event
from router.rules.report_matching import contradictions


def accept_held_report(tx: Transaction, report_id: str, read_id: str, by: str, reason: str, now: datetime) -> Report:
    """Make a waiting final report the report of this read, return it, and close the items that asked about it.

    Raises:
        NotFound: no such report or read.
        Conflict: says why it cannot be accepted; nothing was changed.
    """
    read = tx.reads.get(read_id, lock=True)
    report = tx.reports.get(report_id, lock=True)
    if report is None:
        raise NotFound("no such report")
    study = tx.studies.get(read.study_instance_uid) if read is not None else None
    if read is None or study is None:
        raise NotFound("no such read")
    _refuse_what_contradicts(tx, report, read, study, now)
    of_study = tx.reports.of_study(study.study_instance_uid)
    version = (
        max((other.version or 0 for other in of_study if other.disposition is Disposition.ACCEPTED), default=0) + 1
    )
    proofs = (*report.reasons, f"accepted by {by}: {reason}")
    taken = replace(
        report,
        disposition=Disposition.ACCEPTED,
        study_instance_uid=study.study_instance_uid,
        read_id=read.id,
        version=version,
        reasons=proofs,
    )
    tx.reports.settle(taken)
    detail = {"reason": reason, "held_because": list(report.reasons), "version": version, "revision": read.revision}
    signed = change_read(tx, read, Event.ACCEPT, Actor.COORDINATOR, now, by=by, detail=detail, report_id=report.id)
    author = tx.readers.by_registration(report.registration or "")
    if author is not None:
        account_for_read(tx, signed, author, now)
    return_report(tx, taken, signed, study, now)
    raise_for_report(tx, taken, read, now)
    for item in tx.queue.listing(kind=None, resolved=False):
        if item.report_id == report.id:
            resolve_item(tx, item.id, by, f"accepted: {reason}", now)
    return taken


def _refuse_what_contradicts(tx: Transaction, report: Report, read: Read, study: Study, now: datetime) -> None:
    author = tx.readers.by_registration(report.registration) if report.registration else None
    if report.disposition is not Disposition.WAITING:
        raise Conflict("the report was accepted before")
    if report.status != "F":
        raise Conflict(f"only a final report can be accepted by hand, this one has status {report.status}")
    against = contradictions(identity_in(report), study)
    if against:
        raise Conflict(f"the report is of something else: {'; '.join(against)}")
    if tx.reads.of_study(study.study_instance_uid)[-1].id != read.id:
        raise Conflict("the study has a newer read")
    if read.state in SIGNED:
        raise Conflict(f"a final report already stands (the read is {read.state.value})")
    conflicts = tx.queue.listing(kind="study_conflict", resolved=False)
    if any(item.study_instance_uid == study.study_instance_uid for item in conflicts):
        raise Conflict("a conflict about this study is open; resolve it first")
    if author is None:
        raise Conflict("the author is not a known reader of the network")
    problems = entitlement_problems(author, read.origin, now)
    if problems:
        raise Conflict(f"the author is not entitled to sign now: {'; '.join(problems)}")
