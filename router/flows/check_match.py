"""A match by hand against the identity that the report gives: one person proposes it, another one checks it.

The wrong patient's report is the worst this software can do, and one person alone mistakes a name (ADR 106).
"""

from datetime import datetime

from router.flows.accept_report import accept_held_report, held_report
from router.flows.human_queue import About, ask_a_person, resolve_open
from router.flows.ports import Transaction
from router.flows.report_candidates import identity_in
from router.model.errors import Conflict, NotFound
from router.model.record import Entry
from router.model.report import HandMatch, Report
from router.rules.report_matching import contradictions
from router.rules.two_persons import require_second_person

_KIND = "report_match_check"


def propose_match(tx: Transaction, report_id: str, read_id: str, by: str, reason: str, now: datetime) -> HandMatch:
    """Say that a held report is of this read although identifiers contradict; it goes on when another person agrees.

    Raises:
        NotFound: no such report or read.
        Conflict: nothing contradicts, so that no second person is needed, or the report does not wait.
    """
    report, read, study = held_report(tx, report_id, read_id)
    against = contradictions(identity_in(report), study)
    if not against:
        raise Conflict("nothing contradicts: accept it")
    match = HandMatch(report.id, read.id, by, now, reason, against)
    tx.hand_matches.put(match)
    detail = {"reason": reason, "contradictions": list(against)}
    tx.ledger.append(
        Entry("report.match_proposed", now, by, study.study_instance_uid, read.id, report.id, detail=detail)
    )
    about = About(study_instance_uid=study.study_instance_uid, read_id=read.id, report_id=report.id, node=report.node)
    asked = f"{by} says a report is of this read although {'; '.join(against)}: somebody else must check it"
    ask_a_person(tx, _KIND, asked, _key(match), now, about)
    return match


def confirm_match(tx: Transaction, report_id: str, by: str, reason: str, now: datetime) -> Report:
    """Another person has looked at both sides: the report becomes the read's.

    Raises:
        NotFound: nothing was proposed.
        NotAllowed: it is the person who proposed it.
        Conflict: why it cannot be accepted; nothing was changed.
    """
    match = _proposed(tx, report_id)
    require_second_person(by, match.proposed_by)
    told = f"{match.reason} ({match.proposed_by}); checked: {reason}"
    taken = accept_held_report(tx, report_id, match.read_id, by, told, now, match.contradictions)
    tx.hand_matches.remove(report_id)
    return taken


def reject_match(tx: Transaction, report_id: str, by: str, reason: str, now: datetime) -> None:
    """The proposal is wrong, says its author or anybody else: the report goes on waiting.

    Raises:
        NotFound: nothing was proposed.
    """
    match = _proposed(tx, report_id)
    read = tx.reads.get(match.read_id)
    tx.hand_matches.remove(report_id)
    uid = None if read is None else read.study_instance_uid
    tx.ledger.append(Entry("report.match_rejected", now, by, uid, match.read_id, report_id, detail={"reason": reason}))
    resolve_open(tx, _KIND, _key(match), by, f"rejected: {reason}", now)


def _proposed(tx: Transaction, report_id: str) -> HandMatch:
    match = tx.hand_matches.get(report_id)
    if match is None:
        raise NotFound("no match by hand waits for this report")
    return match


def _key(match: HandMatch) -> str:
    return f"{match.report_id}:{match.read_id}:{match.proposed_at.isoformat()}"
