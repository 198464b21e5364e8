"""Which version of a report may follow which, and what waits for what on the way home (HAZARDS 10, 11; ADR 111).

P, F and C never go backwards. What adds to a report (an addendum) must not overtake what it adds to, nor be overtaken.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from router.model.delivery import DONE, OWED, ListedDelivery
from router.model.read import SIGNED, Read
from router.model.report import Report


@dataclass(frozen=True, slots=True)
class Drop:
    """The report says nothing that the origin does not get anyway; it is kept, and the ledger says why."""

    reason: str


def written_at(report: Report) -> datetime:
    """When the report was written, as far as it can be believed, in whole seconds (HL7 OBR-22 has no more)."""
    return min(report.authored_at, report.received_at).replace(microsecond=0)


def read_meant(report: Report, reads: Sequence[Read], reported: Sequence[str | None]) -> Read | None:
    """Which of a study's reads (oldest first) a report is of: a change of what stands is of the read that was signed.

    `reported` are the ids of the reads with accepted reports.
    """
    present = reads[-1] if reads else None
    changes = report.addendum or report.status in {"C", "X"}
    if present is None or not changes or present.id in reported:
        return present
    return next((read for read in reversed(reads) if read.state in SIGNED), present)


def needless(report: Report, versions: Sequence[Report]) -> Drop | None:
    """Why a report needs no version of its own beside the accepted ones of its read, in order of their versions."""
    final = next((version for version in versions if version.status != "P"), None)
    if final is None and report.status != "P":
        return None
    if final is not None and report.status == "P":
        is_late = report.registration == final.registration or written_at(report) <= written_at(final)
        return Drop(f"a preliminary report after the final one ({_named(final)})") if is_late else None
    for version in reversed(versions):
        if _repeats(report, version) and (version is versions[-1] or _is_late(report, version)):
            return Drop(f"it says word for word what {_named(version)} says")
    return None


def _named(version: Report) -> str:
    """A second reader's report has no version of its own until it goes home."""
    return f"report {version.id}" if version.version is None else f"version {version.version}"


def _repeats(report: Report, version: Report) -> bool:
    return (report.status, report.text, report.registration, report.addendum) == (
        version.status, version.text, version.registration, version.addendum,
    )  # fmt: skip


def _is_late(report: Report, version: Report) -> bool:
    """A final report that was sent again after its correction; a correction only where it is the very one."""
    return report.status == "F" or written_at(report) == written_at(version)


def outgoing_status(report: Report, before: Sequence[Report], second_reads: Collection[str] = ()) -> str:
    """The status under which the origin gets it, after these accepted versions of the study's reports.

    A second read's report, returned by a person's decision, corrects the first. A RIS that has a correction takes no
    final report any more, so the fresh read of late images goes as one. `second_reads` are ids of reads.
    """
    if report.status != "F":
        return report.status
    is_after = any(other.status == "C" or other.read_id in second_reads for other in before)
    return "C" if report.addendum or is_after or report.read_id in second_reads else "F"


def is_out_of_date(report: Report, before: Sequence[Report]) -> bool:
    """Whether the origin has been told more than a preliminary report can add."""
    return report.status == "P" and any(other.status != "P" for other in before)


def must_wait(version: int, addendum: bool, channel: str, deliveries: Sequence[ListedDelivery]) -> bool:
    """Whether a version waits for an earlier one on this channel: an addendum for all, all for an addendum."""
    return any(
        earlier.version < version
        and earlier.delivery.channel == channel
        and earlier.delivery.state in OWED
        and (addendum or earlier.addendum)
        for earlier in deliveries
    )


def overtaken(delivery: ListedDelivery, deliveries: Sequence[ListedDelivery]) -> int | None:
    """The later version that the same channel has already, which makes this one useless; never of an addendum."""
    if delivery.addendum:
        return None
    later = [
        other.version
        for other in deliveries
        if other.version > delivery.version
        and other.delivery.channel == delivery.delivery.channel
        and other.delivery.state in DONE
        and not other.addendum
    ]
    return max(later, default=None)


def useless_after(
    version: int, status: str, addendum: bool, deliveries: Sequence[ListedDelivery]
) -> list[ListedDelivery]:
    """Preliminary versions that are still owed when a later one goes its way: nobody may see them after it."""
    if status == "P" or addendum:
        return []
    return [
        earlier
        for earlier in deliveries
        if earlier.version < version and earlier.status == "P" and earlier.delivery.state in OWED
    ]
