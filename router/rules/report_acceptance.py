"""Whether a matched report may go on: only from the reader who holds the live lease and is entitled at this moment."""

from dataclasses import dataclass
from datetime import datetime

from router.model.read import SIGNED, Read
from router.model.reader import Reader
from router.model.report import Report
from router.rules.eligibility import entitlement_problems
from router.rules.read_states import Event


@dataclass(frozen=True, slots=True)
class Accept:
    """The change of the read that the report causes."""

    event: Event


@dataclass(frozen=True, slots=True)
class Hold:
    """The report waits for a person."""

    reason: str


def accept_report(
    report: Report, read: Read | None, author: Reader | None, last_authored_at: datetime | None, now: datetime
) -> Accept | Hold:
    """Decide on a report that was matched to the study of `read`.

    `last_authored_at` is when the newest accepted report of this read was authored: an older one never replaces it.
    """
    if read is None:
        return Hold("the study has no read")
    if read.state in SIGNED:
        return Hold(f"a final report already stands (the read is {read.state.value})")
    if report.status not in {"P", "F"}:
        return Hold(f"status {report.status} has nothing it could correct or cancel")
    lease = read.live_lease
    if lease is None:
        return Hold(f"nobody holds the read (it is {read.state.value})")
    if author is None:
        return Hold("the author is not a known reader of the network")
    if author.id != lease.reader_id:
        return Hold("another reader holds the read")
    if report.transaction_uid is not None and report.transaction_uid != lease.transaction_uid:
        return Hold("the fencing token is stale: the read was given to somebody else meanwhile")
    problems = entitlement_problems(author, read.origin, now)
    if problems:
        return Hold(f"the author is not entitled to sign now: {'; '.join(problems)}")
    if last_authored_at is not None and report.authored_at < last_authored_at:
        return Hold("a newer report of the same read was already taken")
    return Accept(Event.VERIFY if report.status == "F" else Event.REPORT)
