"""What the flows need from the outside, as `Protocol`s; adapters implement them and do not know each other."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from dicom_nodes.contract import FactBatch, FactBody, FactReceipt, NodeHealth, Order, OrderBatch
from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.delivery import (
    ApplicationEntity,
    OutgoingInstance,
    RetrievedInstance,
    RetrieveSummary,
    StoreResult,
)
from dicom_nodes.model.instance import (
    IncomingInstance,
    InstanceHeader,
    QuarantinedInstance,
    ReceivedDataSet,
    SpooledInstance,
    StoredObject,
)
from dicom_nodes.model.report import (
    Acknowledgement,
    ChannelAnswer,
    IncomingReport,
    OutgoingReport,
    RefusedClaims,
    RefusedReport,
    ReportChannel,
)
from dicom_nodes.model.study import GrowingStudy, StudyOwner, StudyRecord

Checkpoint = Callable[[str], None]
"""Called with a step's name after that step is done; crash tests kill the process in it, otherwise it does nothing."""


def no_checkpoint(_step: str) -> None:
    """The checkpoint of everyday life."""


CaughtUp = Callable[[], bool]
"""Waits, not long, until the catalogue's rows hold every instance acknowledged before; False: they do not yet."""


class Draft(ReceivedDataSet, Protocol):
    """A data set while it arrives."""

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes; raises OutOfResources."""


class Spool(Protocol):
    """Keeps bytes. Whatever returns from `keep` or `quarantine` survives kill -9 and a power cut."""

    def draft(self, *announced: str) -> Draft:
        """Begin to take a data set in; `announced` are the texts of the request that go into its file meta."""

    def keep(self, incoming: IncomingInstance, header: InstanceHeader) -> SpooledInstance:
        """Raises OutOfResources, having kept nothing; the data set is let go in any case."""

    def quarantine(
        self, incoming: IncomingInstance, study_instance_uid: str | None, reason: str
    ) -> QuarantinedInstance:
        """As `keep`."""

    def read_data_set(self, location: str) -> Buffer:
        """The data set's bytes as received; a read-only memory map where they are many.

        Raises:
            CrashConsistency: the object is gone or its digest differs from what was kept.
        """

    def is_sound(self, location: str) -> bool:
        """Whether the object is there and is what was kept; what is not is noted as damage."""

    def free_bytes(self) -> int: ...


class Catalogue(Protocol):
    """What the spool holds, derived from it."""

    def find_instance(self, sop_instance_uid: str) -> StoredObject | None:
        """The live instance with this UID, including ones noted but not yet committed."""

    def owner_of(self, study_instance_uid: str) -> StudyOwner | None:
        """Whose a known study is, including one noted but not yet committed."""

    def quarantined_at(self, sop_instance_uid: str, digest: str) -> str | None:
        """Where this content is in quarantine, if it is."""

    def lose_place(self, sop_instance_uid: str, location: str) -> bool:
        """Lead there no more, for the object cannot be read; False when no row did."""

    @property
    def is_behind(self) -> bool:
        """Whether so much waits to be catalogued that no more should be taken in."""

    def note_instance(self, spooled: SpooledInstance) -> None:
        """Catalogue it soon, with its archive job; returns before the commit, because the spool is the truth."""

    def note_quarantined(self, quarantined: QuarantinedInstance) -> None:
        """Catalogue it now, with its fact for the router."""

    def study(self, study_instance_uid: str, *, with_instances: bool = True) -> StudyRecord | None:
        """The study; without its instances where those, which may be thousands, are not wanted."""

    def study_records(self, study_instance_uids: Collection[str]) -> Mapping[str, StudyRecord]:
        """Those that are here, by UID and without their instances."""

    def instances(self, study_instance_uid: str) -> Sequence[StoredObject]:
        """Every image instance of the study at this node, whatever its channel (report documents excepted)."""


class SettlingStore(Protocol):
    """Studies that grow, and their revisions."""

    def growing_studies(self) -> Sequence[GrowingStudy]: ...

    def settle(self, study_instance_uid: str) -> int | None:
        """Make a revision with its manifest, and its fact; None when nothing is new."""


class ArchivingStore(Protocol):
    """What the archive has acknowledged."""

    def instances_to_archive(self, study_instance_uid: str) -> Sequence[StoredObject]: ...

    def mark_archived(self, sop_instance_uids: Sequence[str]) -> None: ...

    def finish_archiving(self, job: Job) -> None:
        """Complete the job; the fact follows once a revision is wholly archived."""


class OrderStore(Protocol):
    """Orders taken from the router, and how far each has come. `job.key` of an order's job is its `order_id`."""

    def position(self) -> tuple[str | None, int]:
        """(log id, seq of the last order accepted)."""

    def accept(self, batch: OrderBatch) -> None:
        """Keep the orders, their jobs and the new position in one transaction; known ones are passed over."""

    def order(self, order_id: str) -> Order: ...

    def delivered(self, order_id: str) -> dict[str, str]:
        """SOP Instance UID → digest of every instance whose delivery was proven."""

    def record_delivered(self, order_id: str, sop_instance_uid: str, digest: str, status: int) -> None: ...

    def complete(self, job: Job, *facts: FactBody) -> None:
        """Finish the job and put the facts into the outbox in one transaction.

        Raises:
            LeaseLost: another worker holds the job.
        """


class WorkQueue(Protocol):
    """Leased jobs, as a worker sees them; see `foundation.jobs.JobQueue`."""

    def lease_together(
        self, kinds: Collection[str], *, lease_s: float, limit_per_destination: int, at_most: Mapping[str, int]
    ) -> Sequence[Job]: ...

    def heartbeat(self, job: Job, *, lease_s: float) -> None: ...

    def retry(self, job: Job, *, at: datetime, reason: str) -> None: ...

    def hand_back(self, job: Job) -> None: ...


class ParkingStore(Protocol):
    """Work that needs a person."""

    def park_with_fact(self, job: Job, reason: str) -> None:
        """Park the job and put `OrderParked` or `JobParked` into the outbox, in one transaction."""


class ReportStore(Protocol):
    """Reports taken in."""

    def take(self, report_id: str, report: IncomingReport) -> None:
        """Keep the original and put `ReportReceived` into the outbox, durable on return; idempotent by id."""

    def take_all(self, reports: Sequence[tuple[str, IncomingReport]]) -> None:
        """As `take`, all in one transaction."""

    def refuse(self, refusal_id: str, refused: RefusedReport) -> None:
        """Keep what could not be read and put `ReportRefused` into the outbox, durable on return; idempotent by id."""

    def digests(self, channel: ReportChannel, original_reference: str) -> frozenset[str]:
        """SHA-256 (hex) of every original taken under this message control id or SOP Instance UID."""


class Outbox(Protocol):
    """Facts waiting for the router, in order."""

    def pending(self, limit: int) -> tuple[str, Sequence[tuple[int, datetime, FactBody]]]:
        """(outbox id, the oldest unsent facts as (seq, occurred_at, body))."""

    def mark_sent(self, outbox_id: str, through: int) -> None: ...

    def last_number(self) -> int:
        """Number of the newest fact there ever was under this id; 0 when there was none."""

    def rename(self) -> None:
        """Take a new outbox id and number what waits from 1, in the same order."""

    def depth(self) -> tuple[int, float]:
        """(number of unsent facts, age of the oldest in seconds)."""


Transcode = Callable[[Buffer, str, str, str], Buffer]
"""(data set, its transfer syntax UID, the wanted one, the receiver's AE title) → the same instance in that syntax.

Raises CannotTranscode. One receiver's instances never hold up those of all others."""


class StoreScu(Protocol):
    """Sends instances to a partner by C-STORE."""

    def send(self, to: ApplicationEntity, instances: Sequence[OutgoingInstance]) -> Iterator[StoreResult]:
        """Yield each instance's answer as it comes; an instance without an answer has status None.

        Raises:
            PeerUnavailable: no association, or it broke down (what was yielded before stands).
            PeerRefused: the partner rejected the association for good; says why in words.
        """


class RetrieveScu(Protocol):
    """Retrieves a study from another node by C-GET."""

    def get_study(
        self,
        source: ApplicationEntity,
        study_instance_uid: str,
        contexts: Sequence[tuple[str, str]],
        receive: Callable[[RetrievedInstance], int],
        draft: Callable[..., Draft] | None = None,
        *,
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> RetrieveSummary:
        """Hand each instance to `receive`, which answers with the DIMSE status to give the sender.

        Its data set goes into a `draft` as it arrives (see `Spool.draft`), into memory where none is given.

        `contexts` are the (SOP class UID, transfer syntax UID) pairs to expect, taken from the manifest.
        `only` asks for these SOP Instance UIDs, by Series Instance UID; without it the whole study is asked for.

        Raises:
            PeerUnavailable, PeerRefused: as for `StoreScu.send`.
        """


class Archive(Protocol):
    """The trust's own PACS."""

    @property
    def name(self) -> str: ...

    def store(self, instances: Sequence[OutgoingInstance]) -> Iterator[StoreResult]:
        """As `StoreScu.send`."""


class RisSender(Protocol):
    """Sends a report to the RIS and waits for its application acknowledgement."""

    def send(self, report: OutgoingReport) -> Acknowledgement:
        """The same report and version always has the same message control id, so the RIS can tell a repeat.

        Raises:
            PeerUnavailable: no connection or no answer in time.
            PeerRefused: the text cannot be carried without loss in the RIS's character set (nothing was sent).
        """


class ReportSender(Protocol):
    """One channel of a report's way home."""

    def send(self, report: OutgoingReport) -> ChannelAnswer:
        """Send it and return the channel's answer, be it yes or no, with what could not be carried.

        Raises:
            PeerUnavailable: no connection, no answer in time, or one that says later.
            PeerRefused: it would not arrive as it is; nothing was sent, and the message is the loss report.
        """


class ReportDocuments(Protocol):
    """DICOM structured reports, read and written."""

    def read(self, data_set: bytes, transfer_syntax_uid: str) -> IncomingReport:
        """Raises CannotUnderstand when it is no report document or lacks what a report must have."""

    def claims(self, data_set: bytes, transfer_syntax_uid: str) -> RefusedClaims:
        """What a document that is refused says of alerts, and of whom; never fails."""

    def write(self, report: OutgoingReport) -> OutgoingInstance:
        """A new series of the same study; the same report and version always gives the same UIDs and bytes."""


class RouterLink(Protocol):
    """The router, dialled by the node."""

    def post_facts(self, batch: FactBatch) -> FactReceipt:
        """Raises PeerUnavailable (try again), PeerRefused (token, version: says why) or NumberingRefused."""

    def get_orders(self, log_id: str | None, after: int, wait_s: float) -> OrderBatch: ...


HealthProbe = Callable[[], NodeHealth]
