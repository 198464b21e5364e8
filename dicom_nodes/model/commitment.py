"""Storage commitment in both directions: which instances, asked by whom, what was answered (PS3.4 annex J)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class FailureReason(IntEnum):
    """(0008,1197), DICOM PS3.3 C.14.1.1."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119


@dataclass(frozen=True, slots=True)
class InstanceReference:
    """An instance as somebody names it."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """A peer asks whether we keep these; a transaction UID is unique at the peer that made it."""

    peer: str
    transaction_uid: str
    instances: tuple[InstanceReference, ...]

    @property
    def key(self) -> str:
        """Names the request among all peers'."""
        return f"{self.peer} {self.transaction_uid}"


@dataclass(frozen=True, slots=True)
class CommitmentResult:
    """The answer of whoever was asked; every instance is in one of the two."""

    transaction_uid: str
    committed: tuple[InstanceReference, ...]
    failed: Mapping[InstanceReference, int]
    """With the reason, see `FailureReason`; partners have others."""
