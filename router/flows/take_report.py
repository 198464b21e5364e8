"""A report came in: keep it first, then match it; only a sure match by the entitled holder goes on.

Whatever does not go on stays WAITING with its reasons, as an item of the human queue. Nothing is lost.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from dicom_nodes.contract import ReportReceived
from router.flows.account_for_reads import account_for_read
from router.flows.doubted_studies import is_doubted
from router.flows.human_queue import About, ask_a_person
from router.flows.images import seated
from router.flows.ports import Transaction
from router.flows.raise_alert import raise_for_report
from router.flows.read_life import change_read
from router.flows.report_candidates import candidates, identity_in
from router.flows.return_report import return_report
from router.flows.second_read import Agreement, complete_second_read, second_read_of
from router.model.read import Read
from router.model.record import Entry
from router.model.report import AlertCode, Disposition, Report, ReportAuthor, ReportSection
from router.model.study import PatientKey, Study
from router.rules.read_states import Actor, Event
from router.rules.report_acceptance import Accept, Hold, accept_report
from router.rules.report_matching import (
    Ambiguous,
    Match,
    Matched,
    Unmatched,
    contradictions,
    match_report,
)
from router.rules.report_versions import Drop, read_meant

_REPLACED = "\ufffd"
_NUL = "the text held NUL characters, shown as \ufffd; compare it with the original at the node"

CLOCK_TOLERANCE_S = 60.0
"""How far a reporting system's clock may run ahead before a person is asked to look at it, once a day and node."""


def report_of(node: str, received: ReportReceived, occurred_at: datetime, now: datetime) -> Report:
    """The report as the fact tells it; without a time of its own it counts as authored when it came in.

    A NUL, which no database keeps, is shown as U+FFFD; such a report waits for a person (`take_report`).
    """
    patient = received.patient
    return Report(
        id=received.report_id,
        node=node,
        channel=received.channel,
        study_instance_uid=received.study_instance_uid,
        accession_number=received.accession_number,
        accession_issuer=received.accession_issuer,
        patient=PatientKey(patient.issuer, patient.patient_id, patient.nhs_number, patient.birth_date),
        status=received.status,
        text=_kept(received.text),
        registration=received.author.registration,
        author_name=received.author.name and _kept(received.author.name),
        reasons=(_NUL,) if "\x00" in received.text else (),
        authored_at=received.authored_at or occurred_at,
        received_at=now,
        original_reference=received.original_reference,
        original_digest=received.original_digest,
        sections=tuple(ReportSection(_kept(one.title), _kept(one.text)) for one in received.sections),
        authors=tuple(
            ReportAuthor(one.registration, one.name and _kept(one.name), one.role) for one in received.authors
        ),
        addendum=received.addendum,
        alert_codes=tuple(
            AlertCode(_kept(one.value), _kept(one.scheme), one.text and _kept(one.text)) for one in received.alert_codes
        ),
    )


def _kept(text: str) -> str:
    """Text as a database keeps it."""
    return text.replace("\x00", _REPLACED)


def take_report(tx: Transaction, report: Report, now: datetime) -> Report:
    """Keep the report and decide on it; the same report id twice changes nothing."""
    if not tx.reports.add(report):
        return tx.reports.get(report.id) or report
    _watch_clock(tx, report, now)
    by = f"node {report.node}" if report.node else f"reader with registration {report.registration}"
    detail = {"channel": report.channel, "status": report.status, "text_sha256": text_digest(report.text)}
    match = _match(tx, report)
    uid = match.study.study_instance_uid if isinstance(match, Matched) else None
    tx.ledger.append(
        Entry("report.received", now, by, study_instance_uid=uid, report_id=report.id, node=report.node, detail=detail)
    )
    if report.reasons:
        reads = tx.reads.of_study(uid) if uid is not None else []
        return hold(tx, report, "report_not_accepted", report.reasons, uid, reads[-1] if reads else None, now)
    if isinstance(match, Matched):
        return decide(tx, report, match.study, match.reasons, now)
    return hold(tx, report, type(match).__name__.lower(), match.reasons, _hint(match), None, now)


def _match(tx: Transaction, report: Report) -> Match:
    """By identity, or by a live fencing token whose study contradicts nothing that the report says."""
    match = match_report(identity_in(report), candidates(tx, identity_in(report)))
    if report.transaction_uid is None or isinstance(match, Matched):
        return match
    read = tx.reads.with_token(report.transaction_uid)
    study = tx.studies.get(read.study_instance_uid) if read is not None else None
    if study is None or contradictions(identity_in(report), study):
        return match
    return Matched(study, ("the fencing token names the read",))


def _watch_clock(tx: Transaction, report: Report, now: datetime) -> None:
    ahead_s = (report.authored_at - now).total_seconds()
    if ahead_s > CLOCK_TOLERANCE_S:
        reason = f"a report of {report.node} says it was written {ahead_s:.0f} s from now: a clock there runs ahead"
        about = About(report_id=report.id, node=report.node)
        ask_a_person(tx, "clock_skew", reason, f"{report.node}:{now:%Y-%m-%d}", now, about)


def decide(tx: Transaction, report: Report, study: Study, proofs: tuple[str, ...], now: datetime) -> Report:
    """Let a report of a known study go on, drop what needs no version of its own, or hold it for a person."""
    uid = study.study_instance_uid
    of_study = [one for one in tx.reports.of_study(uid) if one.disposition is Disposition.ACCEPTED]
    accepted = sorted(of_study, key=lambda one: one.version or 0)
    read = read_meant(report, tx.reads.of_study(uid, lock=True), [one.read_id for one in accepted])
    author = tx.readers.by_registration(report.registration) if report.registration else None
    second = second_read_of(tx, report, uid, author)
    if second is not None:
        return decide_second(tx, report, study, second, proofs, Agreement.UNSTATED, now)
    of_read = [other for other in accepted if read is not None and other.read_id == read.id]
    verdict = accept_report(report, read, seated(tx, read, author), of_read, now)
    if isinstance(verdict, Accept) and is_doubted(tx, uid, study.origin):
        verdict = Hold("a revision contradicts what is known of the study, and nobody has settled that yet")
    if isinstance(verdict, Accept) and read is not None and _is_anothers(verdict, read, accepted):
        verdict = Hold(
            "a second reader's report stands at the origin by a person's decision, and this one changes the first"
        )
    if isinstance(verdict, Drop) and read is not None:
        return _drop(tx, report, verdict.reason, uid, read, now)
    if not isinstance(verdict, Accept) or read is None or author is None:
        reason = "the study has no read" if isinstance(verdict, Accept) else verdict.reason
        return hold(tx, report, "report_not_accepted", (reason,), uid, read, now)
    version = max((other.version or 0 for other in accepted), default=0) + 1
    taken = replace(report, disposition=Disposition.ACCEPTED, read_id=read.id, version=version, reasons=proofs)
    taken = replace(taken, study_instance_uid=uid)
    tx.reports.settle(taken)
    detail = {"reader": author.id, "version": version, "status": report.status, "match": list(proofs)}
    if report.addendum:
        detail["addendum"] = True
    signed = change_read(
        tx, read, verdict.event, Actor.READER, now, by=f"reader {author.id}", detail=detail, report_id=report.id
    )
    if verdict.event is Event.VERIFY:
        account_for_read(tx, signed, author, now)
    return_report(tx, taken, signed, study, now)
    if report.status == "X" and verdict.event is Event.AMEND:
        ask_about_cancelled(tx, taken, signed, now)
    raise_for_report(tx, taken, read, now)
    return taken


def _is_anothers(verdict: Accept, read: Read, accepted: Sequence[Report]) -> bool:
    """Whether it would change, or be added to, a text that its author never wrote."""
    return verdict.event is Event.AMEND and bool(accepted) and accepted[-1].read_id != read.id


def decide_second(
    tx: Transaction,
    report: Report,
    study: Study,
    second: Read,
    proofs: tuple[str, ...],
    agreement: Agreement,
    now: datetime,
) -> Report:
    """The same of a second reader's report."""
    taken = complete_second_read(tx, report, second, study, proofs, agreement, now)
    if isinstance(taken, Report):
        raise_for_report(tx, taken, second, now)
        return taken
    if isinstance(taken, Drop):
        return _drop(tx, report, taken.reason, study.study_instance_uid, second, now)
    return hold(tx, report, "report_not_accepted", (taken,), study.study_instance_uid, second, now)


def ask_about_cancelled(tx: Transaction, report: Report, read: Read, now: datetime) -> None:
    """A study whose report was cancelled has none: somebody has to see to it that it is read again."""
    reason = f"version {report.version} cancels the report; the origin is told, and nobody reads it again unasked"
    about = About(study_instance_uid=read.study_instance_uid, read_id=read.id, report_id=report.id, node=read.origin)
    ask_a_person(tx, "report_cancelled", reason, report.id, now, about)


def _drop(tx: Transaction, report: Report, reason: str, uid: str, read: Read, now: datetime) -> Report:
    """Keep the report, send it nowhere, and say so."""
    dropped = replace(
        report, disposition=Disposition.DROPPED, study_instance_uid=uid, read_id=read.id, reasons=(reason,)
    )
    tx.reports.settle(dropped)
    detail = {"status": report.status, "reason": reason}
    entry = Entry("report.dropped", now, "router", uid, read.id, report.id, node=report.node, detail=detail)
    tx.ledger.append(entry)
    raise_for_report(tx, dropped, read, now)
    return dropped


def hold(
    tx: Transaction,
    report: Report,
    kind: str,
    reasons: tuple[str, ...],
    study_instance_uid: str | None,
    read: Read | None,
    now: datetime,
) -> Report:
    """Keep the report waiting, and ask a person."""
    held = replace(report, reasons=reasons)
    tx.reports.settle(held)
    about = About(
        study_instance_uid=study_instance_uid,
        read_id=read.id if read is not None else None,
        report_id=report.id,
        node=report.node,
    )
    kinds = {"unmatched": "report_unmatched", "ambiguous": "report_ambiguous"}
    ask_a_person(tx, kinds.get(kind, kind), "; ".join(reasons), report.id, now, about)
    raise_for_report(tx, held, read, now)
    return held


def text_digest(text: str) -> str:
    """SHA-256 (hex) of the report's text, which every hop can compare."""
    return hashlib.sha256(text.encode()).hexdigest()


def _hint(match: Ambiguous | Unmatched) -> str | None:
    return match.study_instance_uids[0] if isinstance(match, Ambiguous) else None
