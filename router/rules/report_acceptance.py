"""Whether a matched report may go on: only from the reader who holds the live lease and is entitled at this moment.

What changes a report that stands comes from whoever wrote it, entitled at this moment (ADR 111).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from router.model.read import SIGNED, Lease, Read
from router.model.reader import Reader
from router.model.report import Report
from router.rules.eligibility import entitlement_problems
from router.rules.read_states import Event
from router.rules.report_versions import Drop, needless, written_at


@dataclass(frozen=True, slots=True)
class Accept:
    """The change of the read that the report causes."""

    event: Event


@dataclass(frozen=True, slots=True)
class Hold:
    """The report waits for a person."""

    reason: str


def accept_report(
    report: Report, read: Read | None, author: Reader | None, accepted: Sequence[Report], now: datetime
) -> Accept | Hold | Drop:
    """Decide on a report that was matched to the study of `read`.

    `accepted` are this read's reports taken so far, in order of their versions.
    """
    if read is None:
        return Hold("the study has no read")
    if read.state in SIGNED:
        return _change_what_stands(report, read, author, accepted, now)
    if report.addendum:
        return Hold("an addendum, but no verified report stands that it could be added to")
    if report.status == "C" or (report.status == "X" and not accepted):
        return Hold(f"status {report.status} has nothing it could correct or cancel")
    repeat = needless(report, accepted) if report.status == "P" else None
    if repeat is not None:
        return repeat
    lease = read.live_lease
    if lease is None:
        return Hold(f"nobody holds the read (it is {read.state.value})")
    if author is None:
        return Hold("the author is not a known reader of the network")
    is_stale = report.transaction_uid not in {None, lease.transaction_uid}
    if author.id != lease.reader_id:
        return Hold("another reader holds the read" + ("; the fencing token is stale" if is_stale else ""))
    if is_stale:
        return Hold("the fencing token is stale: the read was given out again meanwhile")
    problems = entitlement_problems(author, read.origin, now)
    if problems:
        return Hold(f"the author is not entitled to sign now: {'; '.join(problems)}")
    doubt = None
    if report.transaction_uid is None:
        doubt = _without_a_token(report, read, lease, author) or out_of_order(report, accepted)
    return Accept(Event.VERIFY if report.status == "F" else Event.REPORT) if doubt is None else Hold(doubt)


def _change_what_stands(
    report: Report, read: Read, author: Reader | None, accepted: Sequence[Report], now: datetime
) -> Accept | Hold | Drop:
    drop = needless(report, accepted)
    if drop is not None:
        return drop
    stands = f"a final report already stands (the read is {read.state.value})"
    if not accepted or report.status == "P":
        return Hold(stands)
    if accepted[-1].status == "X":
        return Hold("the report was cancelled; only a person lets another one follow")
    if report.status == "F" and not report.addendum:
        return Hold(f"{stands} and says something else; a correction has status C")
    if author is None:
        return Hold("the author is not a known reader of the network")
    if report.registration not in {version.registration for version in accepted if version.status != "P"}:
        return Hold("it changes the report of another author")
    problems = entitlement_problems(author, read.origin, now)
    if problems:
        return Hold(f"the author is not entitled to sign now: {'; '.join(problems)}")
    if report.transaction_uid is not None:
        is_stale = read.lease is None or report.transaction_uid != read.lease.transaction_uid
        return Hold("the fencing token is not the one that the report was signed under") if is_stale else _AMEND
    if report.node != author.workstation.node:
        return Hold("it came by another node than that of its author's workstation")
    late = out_of_order(report, accepted)
    return _AMEND if late is None else Hold(late)


_AMEND = Accept(Event.AMEND)


def _without_a_token(report: Report, read: Read, lease: Lease, author: Reader) -> str | None:
    """Why a report of HL7 or SR may not be of what its author has before them now.

    It must come from where the author works, and be written under this lease and after the present revision's images
    had reached the workstation (ADR 070).
    """
    if report.node != author.workstation.node:
        return "it came by another node than that of its author's workstation"
    if read.images_delivered_at is None:
        return f"revision {read.revision} of the images has not been delivered to its author"
    written = written_at(report)
    if written < _second(lease.assigned_at):
        return "it was written before the read was given to its author"
    if written < _second(read.images_delivered_at):
        return f"it was written before revision {read.revision} of the images was delivered to its author"
    return None


def out_of_order(report: Report, accepted: Sequence[Report]) -> str | None:
    """Why a report cannot follow these: a newer one was taken before it."""
    newest = max((written_at(other) for other in accepted), default=None)
    older = newest is not None and written_at(report) < newest
    return "a newer report of the same read was already taken" if older else None


def _second(at: datetime) -> datetime:
    """Reports give whole seconds (HL7 OBR-22), so two times of one second are not in any order."""
    return at.replace(microsecond=0)
