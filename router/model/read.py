"""A read: one study to be reported, who holds it, and until when."""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from router.model.directives import NO_DIRECTIVES, Directives
from router.model.reader import Level


class ReadState(enum.StrEnum):
    RECEIVED = "RECEIVED"
    READY = "READY"
    ASSIGNED = "ASSIGNED"
    READING = "READING"
    ON_HOLD = "ON_HOLD"
    PRELIMINARY = "PRELIMINARY"
    VERIFIED = "VERIFIED"
    DELIVERED = "DELIVERED"
    CLOSED = "CLOSED"
    DECLINED = "DECLINED"
    SUPERSEDED = "SUPERSEDED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


LEASED = frozenset({ReadState.ASSIGNED, ReadState.READING, ReadState.ON_HOLD, ReadState.PRELIMINARY})
"""States in which the lease is live."""

SIGNED = frozenset({ReadState.VERIFIED, ReadState.DELIVERED, ReadState.CLOSED})
"""States in which a final report stands."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a read. `transaction_uid` is the fencing token (DICOM UPS Transaction UID)."""

    reader_id: str
    session_id: str
    transaction_uid: str
    assigned_at: datetime
    until: datetime
    claimed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """`ordinal` counts the reads of a study: the highest is the present one, whatever any clock says.

    `epoch` counts the leases of this read; `entered_at` is when the present state began. A second read names the first
    one in `second_of`, and in `read_by` who may not do it: reader ids and registrations of all who read the study.
    """

    id: str
    study_instance_uid: str
    origin: str
    revision: int
    state: ReadState
    entered_at: datetime
    created_at: datetime
    modalities: tuple[str, ...]
    ordinal: int = 1
    subspecialty: str | None = None
    expected_minutes: float | None = None
    priority: str | None = None
    due_at: datetime | None = None
    epoch: int = 0
    lease: Lease | None = None
    images_delivered_at: datetime | None = None
    replaces: str | None = None
    waiting: dict[str, Any] | None = None
    exam_code: str | None = None
    exam_group: str | None = None
    minimum_level: Level = Level.GENERAL
    pathway: str | None = None
    directives: Directives = NO_DIRECTIVES
    second_of: str | None = None
    read_by: tuple[str, ...] = ()

    @property
    def live_lease(self) -> Lease | None:
        """The lease, if it still fences anybody."""
        return self.lease if self.state in LEASED else None


@dataclass(frozen=True, slots=True)
class Visibility:
    """A reader sees the reads it holds or held last, and READY ones of `trusts`, which it may read for now."""

    reader_id: str
    trusts: frozenset[str]

    def covers(self, read: Read) -> bool:
        holds = read.lease is not None and read.lease.reader_id == self.reader_id
        return holds or (read.state is ReadState.READY and read.origin in self.trusts)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One lease in the history of a read; `outcome` is None while it is live."""

    read_id: str
    epoch: int
    reader_id: str
    session_id: str
    transaction_uid: str
    expected_minutes: float
    assigned_at: datetime
    explanation: dict[str, Any]
    ended_at: datetime | None = None
    outcome: str | None = None
    reason: str | None = None
