"""A held report goes on because a person says which read it is of.

What contradicts in identity needs a second person (`check_match`); who is not entitled, no person overrules.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from router.flows.account_for_reads import account_for_read
from router.flows.doubted_studies import refuse_undecided
from router.flows.human_queue import resolve_item
from router.flows.ports import Transaction
from router.flows.raise_alert import raise_for_report
from router.flows.read_life import change_read
from router.flows.report_candidates import identity_in
from router.flows.return_report import return_report
from router.flows.second_read import Agreement, compare_reports
from router.flows.take_report import ask_about_cancelled
from router.model.errors import Conflict, NotFound
from router.model.read import SIGNED, Read
from router.model.report import Disposition, Report
from router.model.study import Study
from router.rules.eligibility import entitlement_problems, has_read
from router.rules.read_states import Actor, Event
from router.rules.report_matching import contradictions

_WHOSE_IS_IT = frozenset({"report_unmatched", "report_ambiguous", "report_not_accepted", "report_match_check"})
"""Kinds of items that ask why a report waits. What else is asked about it, accepting it does not answer."""


def accept_held_report(
    tx: Transaction,
    report_id: str,
    read_id: str,
    by: str,
    reason: str,
    now: datetime,
    despite: Collection[str] = (),
) -> Report:
    """Make a waiting report the report of this read, return it, and close the items that asked whose it is.

    `despite` are the contradictions of identity that two persons have looked at.

    Raises:
        NotFound: no such report or read.
        Conflict: says why it cannot be accepted; nothing was changed.
    """
    report, read, study = held_report(tx, report_id, read_id)
    against = [one for one in contradictions(identity_in(report), study) if one not in despite]
    if against:
        raise Conflict(f"the report is of something else: {'; '.join(against)}")
    event = _refuse_what_nobody_overrules(tx, report, read, study, now)
    is_first = read.second_of is None
    version = _next_version(tx, study) if is_first else None
    taken = replace(
        report,
        disposition=Disposition.ACCEPTED,
        study_instance_uid=study.study_instance_uid,
        read_id=read.id,
        version=version,
        reasons=(*report.reasons, f"accepted by {by}: {reason}"),
    )
    tx.reports.settle(taken)
    detail = {"reason": reason, "held_because": list(report.reasons), "version": version, "revision": read.revision}
    if despite:
        detail |= {"despite": sorted(despite), "said_study_instance_uid": report.study_instance_uid}
    signed = change_read(tx, read, event, Actor.COORDINATOR, now, by=by, detail=detail, report_id=report.id)
    author = tx.readers.by_registration(report.registration or "")
    if author is not None and event is Event.ACCEPT:
        account_for_read(tx, signed, author, now)
    if is_first:
        return_report(tx, taken, signed, study, now)
    else:
        compare_reports(tx, signed, taken, Agreement.UNSTATED, by, now)
    raise_for_report(tx, taken, read, now)
    if report.status == "X":
        ask_about_cancelled(tx, taken, signed, now)
    for item in tx.queue.listing(kind=None, resolved=False):
        if item.report_id == report.id and item.kind in _WHOSE_IS_IT:
            resolve_item(tx, item.id, by, f"accepted: {reason}", now)
    return taken


def held_report(tx: Transaction, report_id: str, read_id: str) -> tuple[Report, Read, Study]:
    """The waiting report and the read it may be of, locked.

    Raises:
        NotFound, Conflict: no such report or read, or it does not wait.
    """
    read = tx.reads.get(read_id, lock=True)
    report = tx.reports.get(report_id, lock=True)
    if report is None:
        raise NotFound("no such report")
    study = tx.studies.get(read.study_instance_uid) if read is not None else None
    if read is None or study is None:
        raise NotFound("no such read")
    if report.disposition is not Disposition.WAITING:
        raise Conflict(f"the report does not wait: it is {report.disposition.value}")
    return report, read, study


def _next_version(tx: Transaction, study: Study) -> int:
    of_study = tx.reports.of_study(study.study_instance_uid)
    return max((other.version or 0 for other in of_study if other.disposition is Disposition.ACCEPTED), default=0) + 1


def _refuse_what_nobody_overrules(tx: Transaction, report: Report, read: Read, study: Study, now: datetime) -> Event:
    """What accepting the report does to the read: a first final report signs it, a change of it amends it."""
    event = _event(report, read)
    if read.second_of is not None and event is Event.AMEND:
        raise Conflict("a second reader's report is not changed by another one; settle the second read")
    newest = tx.reads.of_study(study.study_instance_uid)[-1]
    if read.second_of is None and newest.id != read.id and event is Event.ACCEPT:
        raise Conflict("the study has a newer read")
    conflicts = tx.queue.listing(kind="study_conflict", resolved=False)
    if any(item.study_instance_uid == study.study_instance_uid for item in conflicts):
        raise Conflict("a conflict about this study is open; resolve it first")
    refuse_undecided(tx, study.study_instance_uid)
    author = tx.readers.by_registration(report.registration) if report.registration else None
    if author is None:
        raise Conflict("the author is not a known reader of the network")
    if has_read(frozenset(read.read_by), author):
        raise Conflict("the author has read this study already; the second reader must be somebody else")
    problems = entitlement_problems(author, read.origin, now)
    if problems:
        raise Conflict(f"the author is not entitled to sign now: {'; '.join(problems)}")
    return event


def _event(report: Report, read: Read) -> Event:
    changes = report.addendum or report.status in {"C", "X"}
    if report.status == "P":
        raise Conflict("only a final report can be accepted by hand, this one has status P")
    if read.state in SIGNED:
        if not changes:
            raise Conflict(f"a final report already stands (the read is {read.state.value})")
        return Event.AMEND
    if changes:
        what = "an addendum" if report.addendum else f"status {report.status}"
        raise Conflict(f"only a final report can be accepted by hand where none stands, this one is {what}")
    return Event.ACCEPT
