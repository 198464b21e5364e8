"""A second read: made when the first is signed, planned to somebody else, and compared by the second reader (ADR 087).

It is a read of its own with its own lease and images. The first report went home at once; what the second reader
finds changes it only by a person's decision (`settle_second_read`).
"""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from uuid import uuid4

from router.flows.account_for_reads import account_for_read
from router.flows.doubted_studies import is_doubted
from router.flows.human_queue import About, ask_a_person
from router.flows.images import seated
from router.flows.ports import Transaction
from router.flows.read_life import change_read
from router.model.directives import Directives
from router.model.read import LEASED, Read, ReadState
from router.model.reader import Reader
from router.model.record import Entry
from router.model.report import Disposition, Report
from router.model.study import Study
from router.rules.eligibility import has_read
from router.rules.read_states import Actor, Event
from router.rules.report_acceptance import Accept, accept_report
from router.rules.report_versions import Drop


class Agreement(StrEnum):
    """What the second reader says of the first report; UNSTATED where the report came by a way that cannot say."""

    CONCORDANT = "concordant"
    DISCORDANT = "discordant"
    UNSTATED = "unstated"


_ASKS = {Agreement.DISCORDANT: "disagrees with", Agreement.UNSTATED: "does not say whether it agrees with"}


def owe_second_read(tx: Transaction, first: Read, report: Report, now: datetime) -> Read | None:
    """Make the second read of a signed first one, once, READY for anybody but those who read the first."""
    uid, rule = first.study_instance_uid, first.directives.second_read
    if rule is None or any(other.second_of == first.id for other in tx.reads.second_reads(uid)):
        return None
    allowed = (first.due_at or first.created_at) - first.created_at
    second = Read(
        id=f"{now:%Y%m%d%H%M%S%f}-{uuid4().hex[:12]}",
        study_instance_uid=uid,
        origin=first.origin,
        revision=first.revision,
        state=ReadState.RECEIVED,
        entered_at=now,
        created_at=now,
        modalities=first.modalities,
        ordinal=tx.reads.next_ordinal(uid),
        second_of=first.id,
        read_by=_who_read(tx, first, report),
    )
    tx.reads.add(second)
    detail: dict[str, object] = {"to": second.state.value, "second_of": first.id, "rule": rule}
    tx.ledger.append(Entry("read.received", now, "router", uid, second.id, node=first.origin, detail=detail))
    changes = {
        "subspecialty": first.subspecialty,
        "expected_minutes": first.expected_minutes,
        "priority": first.priority,
        "due_at": now + allowed,
        "exam_code": first.exam_code,
        "exam_group": first.exam_group,
        "minimum_level": first.minimum_level,
        "pathway": first.pathway,
        "directives": _without_what_is_done(first.directives),
    }
    due = {"due": (now + allowed).isoformat()}
    return change_read(tx, second, Event.ROUTE, Actor.ROUTER, now, by="router", detail=due, changes=changes)


def _who_read(tx: Transaction, first: Read, report: Report) -> tuple[str, ...]:
    """Reader ids and registrations of all who signed anything of the first read."""
    signed = [r for r in tx.reports.of_study(first.study_instance_uid) if r.read_id == first.id]
    registrations = {r.registration for r in (*signed, report) if r.registration is not None}
    known = (tx.readers.by_registration(registration) for registration in registrations)
    ids = {reader.id for reader in known if reader is not None}
    holder = set() if first.lease is None else {first.lease.reader_id}
    return tuple(sorted(registrations | ids | holder))


def _without_what_is_done(directives: Directives) -> Directives:
    return replace(directives, second_read=None, holds=())


def second_read_of(tx: Transaction, report: Report, study_instance_uid: str, author: Reader | None) -> Read | None:
    """The second read that the report is of: its author holds it, and presents its token or none."""
    for second in tx.reads.second_reads(study_instance_uid, lock=True):
        lease = second.live_lease
        if lease is None or author is None or lease.reader_id != author.id:
            continue
        if report.transaction_uid in {None, lease.transaction_uid}:
            return second
    return None


def complete_second_read(
    tx: Transaction,
    report: Report,
    second: Read,
    study: Study,
    proofs: tuple[str, ...],
    agreement: Agreement,
    now: datetime,
) -> Report | Drop | str:
    """Take the second reader's report and what it says of the first; else why it is dropped, or waits for a person."""
    uid = study.study_instance_uid
    author = tx.readers.by_registration(report.registration) if report.registration else None
    mine = [r for r in tx.reports.of_study(uid) if r.disposition is Disposition.ACCEPTED and r.read_id == second.id]
    verdict = accept_report(report, second, seated(tx, second, author), mine, now)
    if isinstance(verdict, Drop) and report.status == "P":
        return verdict  # a final one that is repeated may judge the first report otherwise: a person compares
    if not isinstance(verdict, Accept):
        return verdict.reason
    if verdict.event is Event.AMEND:
        return "a second reader's report is not changed by another one; a person settles the second read"
    if author is None or is_second_reader_the_first(second, author):
        return "its author has read this study already; the second reader must be somebody else"
    if is_doubted(tx, uid, study.origin):
        return "a revision contradicts what is known of the study, and nobody has settled that yet"
    taken = replace(report, disposition=Disposition.ACCEPTED, study_instance_uid=uid, read_id=second.id, reasons=proofs)
    tx.reports.settle(taken)
    detail = {"reader": author.id, "match": list(proofs)}
    by = f"reader {author.id}"
    signed = change_read(tx, second, verdict.event, Actor.READER, now, by=by, detail=detail, report_id=report.id)
    if verdict.event is Event.VERIFY:
        account_for_read(tx, signed, author, now)
        compare_reports(tx, signed, taken, agreement, by, now)
    return taken


def is_second_reader_the_first(second: Read, reader: Reader) -> bool:
    """By reader id and by registration."""
    return has_read(frozenset(second.read_by), reader)


def compare_reports(
    tx: Transaction, second: Read, report: Report, agreement: Agreement, by: str, now: datetime
) -> None:
    """Write down what the second reader says of the first report; unless it agrees, a person settles it."""
    uid = second.study_instance_uid
    detail = {"second_of": second.second_of}
    event = f"second_read.{agreement.value}"
    tx.ledger.append(Entry(event, now, by, uid, second.id, report.id, node=second.origin, detail=detail))
    if agreement is Agreement.CONCORDANT:
        conclude(tx, second, Actor.ROUTER, "router", "the second reader agrees with the first report", now)
        return
    first = [r for r in tx.reports.of_study(uid) if r.read_id == second.second_of and r.status == "F"]
    stands = ", ".join(f"{r.id} by {r.registration}" for r in first) or "none"
    reason = (
        f"the second report ({report.id} by {report.registration}) {_ASKS[agreement]} the first ({stands}), which "
        "stands at the origin; compare both and settle it: the first stands, or the second is returned as a new version"
    )
    about = About(study_instance_uid=uid, read_id=second.id, report_id=report.id, node=second.origin)
    ask_a_person(tx, f"second_read_{agreement.value}", reason, second.id, now, about)


def conclude(tx: Transaction, second: Read, actor: Actor, by: str, reason: str, now: datetime) -> Read:
    """The second read ends without a report of its own going home."""
    return change_read(tx, second, Event.CONCLUDE, actor, now, by=by, detail={"reason": reason})


def supersede_second_reads(tx: Transaction, study: Study, now: datetime) -> None:
    """A new revision made a fresh first read, which will want a second read of its own."""
    for second in tx.reads.second_reads(study.study_instance_uid, lock=True):
        if second.state in {ReadState.RECEIVED, ReadState.READY} | LEASED:
            detail = {"revision": study.revision}
            change_read(tx, second, Event.SUPERSEDE, Actor.NODE, now, by=f"node {study.origin}", detail=detail)
