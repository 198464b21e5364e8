"""An instance on its way through the node: as announced, as read from its header, as spooled."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from mmap import mmap
from typing import NewType, Protocol

StudyUid = NewType("StudyUid", str)
SeriesUid = NewType("SeriesUid", str)
SopInstanceUid = NewType("SopInstanceUid", str)


class Channel(StrEnum):
    """How an instance came here, which decides what is done with it."""

    ACQUIRED = "ACQUIRED"
    """From this trust's own modalities or PACS: archived, settled, routed."""
    FETCHED = "FETCHED"
    """From another trust's node, to be read here: neither archived nor settled."""
    REPORT = "REPORT"
    """A report document from a reader's workstation: taken as a report."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an instance came from; written into the spooled object, so the catalogue can be rebuilt from it."""

    origin: str
    """ODS code of the trust that made the images."""
    channel: Channel
    sending_ae_title: str
    received_at: datetime
    """Aware UTC."""


class ReceivedDataSet(Protocol):
    """A data set that has arrived whole, wherever it lies until it is kept; never all of it in memory if it is long."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def digest(self) -> str:
        """BLAKE3 (hex) of its bytes."""

    def content(self) -> bytes | mmap:
        """Its bytes, to be looked at; valid until it is kept or discarded."""

    def discard(self) -> None:
        """Give it up where it was not kept; idempotent."""


@dataclass(frozen=True, slots=True)
class IncomingInstance:
    """What a C-STORE request brought: `data_set` is encoded in `transfer_syntax_uid` and is kept as it is."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set: ReceivedDataSet
    provenance: Provenance
    association_id: str


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """The attributes the node works with, decoded to text; absent and empty are both None.

    `attributes` maps DICOM keywords to text values (multiple values joined by a backslash), for query answers.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    patient_id: str | None = None
    patient_id_issuer: str | None = None
    nhs_number: str | None = None
    birth_date: date | None = None
    accession_number: str | None = None
    accession_issuer: str | None = None
    study_time: datetime | None = None
    """Aware UTC, from Study Date, Study Time and Timezone Offset (Europe/London where no offset is given)."""
    exam_code: tuple[str, str, str | None] | None = None
    """Procedure code value, scheme and meaning."""
    attributes: dict[str, str] = field(default_factory=dict)

    def qualified(self, patient_id_issuer: str | None, accession_issuer: str | None) -> "InstanceHeader":
        """The same header, its identifiers qualified by these issuers where it does not name its own."""
        return replace(
            self,
            patient_id_issuer=self.patient_id_issuer or patient_id_issuer,
            accession_issuer=self.accession_issuer or accession_issuer,
        )


@dataclass(frozen=True, slots=True)
class SpooledInstance:
    """An instance that is durable in the spool. `digest` is the BLAKE3 (hex) of the data set as received."""

    header: InstanceHeader
    provenance: Provenance
    digest: str
    size_bytes: int
    location: str
    """Where the spool keeps it; opaque to everyone else."""


def quarantine_id_of(sop_instance_uid: str, digest: str) -> str:
    """The same bytes under the same UID always have the same id in quarantine."""
    return hashlib.sha256(f"{sop_instance_uid} {digest}".encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class QuarantinedInstance:
    """Something kept aside because it could not be taken as it was."""

    quarantine_id: str
    reason: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str | None
    transfer_syntax_uid: str
    provenance: Provenance
    digest: str
    size_bytes: int
    location: str
    """Where the spool keeps it."""
    replaces: bool = False
    """Whether the same content was kept before where it can no more be read."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One line of the catalogue as senders need it: what to propose, and where the bytes are."""

    sop_instance_uid: str
    sop_class_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    digest: str
    size_bytes: int
    origin: str
    location: str | None
    """None where this node's spool has let the bytes go: the instance is known here, but not to be had."""
