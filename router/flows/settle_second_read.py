"""A person settles a second read that does not agree: the first report stands, or the second goes home as well."""

from dataclasses import replace
from datetime import datetime
from typing import Literal

from router.flows.doubted_studies import refuse_in_conflict
from router.flows.human_queue import resolve_item
from router.flows.ports import Transaction
from router.flows.return_report import return_report
from router.flows.second_read import conclude
from router.model.errors import Conflict, NotFound
from router.model.read import Read, ReadState
from router.model.record import Entry
from router.model.report import Disposition, Report
from router.rules.read_states import Actor

Decision = Literal["first_stands", "return_second"]


def settle_second_read(tx: Transaction, read_id: str, decision: Decision, by: str, reason: str, now: datetime) -> Read:
    """Carry the person's decision out and close the item that asked for it.

    Raises:
        NotFound: no such second read.
        Conflict: there is nothing to decide, or that was done.
    """
    second = tx.reads.get(read_id, lock=True)
    if second is None or second.second_of is None:
        raise NotFound("no such second read")
    report = _report_of(tx, second)
    if second.state is not ReadState.VERIFIED or report is None or report.version is not None:
        raise Conflict(f"nothing is to be decided of this second read (it is {second.state.value})")
    detail = {"decision": decision, "reason": reason}
    uid = second.study_instance_uid
    if decision == "return_second":
        _refuse_what_would_mislead(tx, second)
    tx.ledger.append(Entry("second_read.settled", now, by, uid, second.id, report.id, detail=detail))
    if decision == "first_stands":
        second = conclude(tx, second, Actor.COORDINATOR, by, reason, now)
    else:
        _return(tx, second, report, by, reason, now)
    for kind in ("second_read_discordant", "second_read_unstated"):
        for item in tx.queue.listing(kind=kind, resolved=False):
            if item.read_id == second.id:
                resolve_item(tx, item.id, by, f"{decision}: {reason}", now)
    return second


def _refuse_what_would_mislead(tx: Transaction, second: Read) -> None:
    """Nothing goes home while it is doubted whose study it is, nor over the report of later images."""
    uid = second.study_instance_uid
    refuse_in_conflict(tx, uid, second.origin)
    newest = tx.reads.of_study(uid)[-1]
    if newest.id != second.second_of:
        raise Conflict("the study has a newer read, of images that the second reader has not seen")


def _report_of(tx: Transaction, second: Read) -> Report | None:
    signed = [
        report
        for report in tx.reports.of_study(second.study_instance_uid)
        if report.read_id == second.id and report.disposition is Disposition.ACCEPTED and report.status == "F"
    ]
    return signed[-1] if signed else None


def _return(tx: Transaction, second: Read, report: Report, by: str, reason: str, now: datetime) -> None:
    """As the next version: the origin shows it in the place of the first, which stays in its history."""
    uid = second.study_instance_uid
    study = tx.studies.get(uid)
    if study is None:
        raise NotFound("the read's study is gone")
    version = max((other.version or 0 for other in tx.reports.of_study(uid)), default=0) + 1
    taken = replace(report, version=version, reasons=(*report.reasons, f"returned by {by}: {reason}"))
    tx.reports.settle(taken)
    return_report(tx, taken, second, study, now)
