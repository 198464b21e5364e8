"""What a receiver asks and tells the main process, and what comes back: all that passes between the two.

Each question is answered by one `Answer` or one `Failure`. Two of them hold something in the main process meanwhile:
`Judge`, whose `Take` is followed by `Note` or `GiveUp`, and `ReportHere`, whose result is followed by `Said`.
"""

from dataclasses import dataclass

from dicom_nodes.flows.register import Candidate
from dicom_nodes.model.commitment import CommitmentRequest
from dicom_nodes.model.instance import QuarantinedInstance
from dicom_nodes.model.report import IncomingReport, RefusedReport
from dicom_nodes.spool.lending import Loan


@dataclass(frozen=True, slots=True)
class Judge:
    """→ Verdict. Where that is `Take`, UID and study stay claimed until `Note`, `GiveUp`, or the receiver's death."""

    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Note:
    """The instance just judged is durable in the spool → None, once it is known."""

    location: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The instance just judged was not kept after all → None."""


@dataclass(frozen=True, slots=True)
class TakeReport:
    """→ None; Failure with a Refused."""

    sop_instance_uid: str
    report: IncomingReport


@dataclass(frozen=True, slots=True)
class KeepRefused:
    """→ None."""

    refused: RefusedReport


@dataclass(frozen=True, slots=True)
class QuarantinedAt:
    """→ str | None."""

    sop_instance_uid: str
    digest: str


@dataclass(frozen=True, slots=True)
class NoteQuarantined:
    """→ None."""

    quarantined: QuarantinedInstance


@dataclass(frozen=True, slots=True)
class Borrow:
    """→ Loan, with the segment's descriptor; Failure with an OSError."""

    room_bytes: int


@dataclass(frozen=True, slots=True)
class GiveBack:
    """→ None."""

    loan: Loan


@dataclass(frozen=True, slots=True)
class AskRoom:
    """→ Room."""


@dataclass(frozen=True, slots=True)
class Room:
    """Whether more can be taken in."""

    reusable_bytes: int
    is_behind: bool


@dataclass(frozen=True, slots=True)
class TakePlace:
    """→ bool: whether the node, and this peer, may have one more association."""

    ae_title: str


@dataclass(frozen=True, slots=True)
class LeavePlace:
    """→ None."""

    ae_title: str


@dataclass(frozen=True, slots=True)
class Opened:
    """An association was accepted → None."""

    association_id: str


@dataclass(frozen=True, slots=True)
class Closed:
    """→ None."""

    association_id: str


@dataclass(frozen=True, slots=True)
class HasRead:
    """So many bytes of a peer that has a pace were read → seconds to wait."""

    ae_title: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Refused:
    """An instance was refused for want of resources → None."""

    why: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """An object in the spool cannot be read → None."""

    location: str


@dataclass(frozen=True, slots=True)
class CatchUp:
    """→ bool, see `ports.CaughtUp`."""


@dataclass(frozen=True, slots=True)
class Uncatalogued:
    """→ list[StoredObject]."""


@dataclass(frozen=True, slots=True)
class ReportHere:
    """→ CommitmentResult, then `Said` is awaited; None where nothing is to be reported any more."""

    request: CommitmentRequest


@dataclass(frozen=True, slots=True)
class Said:
    """Whether the peer has understood the commitment's result → None."""

    is_understood: bool


Question = (
    Judge | Note | GiveUp | TakeReport | KeepRefused | QuarantinedAt | NoteQuarantined | Borrow | GiveBack | AskRoom
    | TakePlace | LeavePlace | Opened | Closed | HasRead | Refused | Damaged | CatchUp | Uncatalogued | ReportHere
    | Said
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked for."""

    value: object = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why it cannot be had: a NodeError or an OSError; anything else is told as `MainFailed`."""

    error: Exception


class MainFailed(Exception):
    """The main process failed to answer, and has logged why; or it is gone."""
