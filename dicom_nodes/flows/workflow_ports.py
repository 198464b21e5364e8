"""What the workflow services need from the outside: commitment, announcements, procedure steps, the worklist."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.attributes import Attributes
from dicom_nodes.model.commitment import CommitmentRequest, CommitmentResult, InstanceReference
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.procedure import Announced, Announcement, ImagingOrder, PerformedStep


class CommitmentRequests(Protocol):
    """What peers ask us to commit to."""

    def take(self, request: CommitmentRequest) -> None:
        """Keep the request with its job, durable on return; asked again, it is answered again.

        Raises:
            OperationRefused: the peer used the transaction UID for other instances.
        """

    def request(self, key: str) -> CommitmentRequest: ...

    def is_reported(self, key: str) -> bool: ...

    def record_reported(self, key: str, failures: Mapping[str, int]) -> None:
        """Remember what was reported: SOP Instance UID → reason of every failure."""

    def complete(self, job: Job) -> None: ...

    def quarantined(self, sop_instance_uids: Sequence[str]) -> frozenset[str]:
        """Those of which some bytes are in quarantine."""

    def evicted(self, sop_instance_uids: Sequence[str], *, needs_promise: bool) -> frozenset[str]:
        """Those that the spool let go of and the archive has acknowledged; with `needs_promise`, committed to."""


class CommitmentReporter(Protocol):
    """Tells a peer what we committed to, on an association of our own."""

    def report(self, to: ApplicationEntity, result: CommitmentResult) -> None:
        """Raises PeerUnavailable or PeerRefused unless the peer answered with success."""


class CommitmentScu(Protocol):
    """Asks the archive."""

    def ask(
        self,
        archive: ApplicationEntity,
        transaction_uid: str,
        instances: Sequence[InstanceReference],
        take: Callable[[CommitmentResult], bool],
    ) -> None:
        """A result that comes on the same association is given to `take` before it is answered; others come later.

        Raises:
            PeerUnavailable, PeerRefused.
        """


class ArchiveCommitments(Protocol):
    """What the archive has promised, instance by instance."""

    def waiting(self, study_instance_uid: str, asked_before: datetime) -> Sequence[InstanceReference]:
        """Archived, not committed, and not part of a question taken since `asked_before` and still open."""

    def is_open(self, study_instance_uid: str) -> bool:
        """Whether any instance that was archived is not yet committed."""

    def refused(self, study_instance_uid: str, times: int) -> int:
        """How many instances the archive has refused to commit to so many times."""

    def unanswered(self, study_instance_uid: str) -> int:
        """How many questions were never answered since the last one that was, or was given up."""

    def open_transaction(
        self, transaction_uid: str, study_instance_uid: str, instances: Sequence[InstanceReference]
    ) -> None: ...

    def record_accepted(self, transaction_uid: str) -> None:
        """The archive took the question; one that it did not take is asked again at once."""

    def take_result(self, result: CommitmentResult, most_refusals: int) -> bool:
        """Record it, and have what was refused archived again, all in one commit; False: no such transaction."""

    def archive_again(self, study_instance_uid: str) -> None:
        """Have what was given up as refused archived once more, because a person wished to try again."""

    def give_up(self, study_instance_uid: str) -> None:
        """Close the questions, so that a person's wish to try again starts from the beginning."""

    def complete(self, job: Job) -> None: ...

    def look_again(self, job: Job, at: datetime) -> None: ...


class Announcements(Protocol):
    """What others say exists."""

    def take(self, announcement: Announcement, check_at: datetime) -> None:
        """Keep it with the job that compares it with what is here, durable on return."""

    def announced(self, study_instance_uid: str) -> Announced | None: ...

    def tell_missing(self, job: Job) -> None:
        """Complete the job, with the fact `study.incomplete` where something is still missing."""

    def revision_instances(self, study_instance_uid: str, revision: int) -> Mapping[str, Sequence[InstanceReference]]:
        """Series Instance UID → instances of a settled revision."""

    def complete(self, job: Job) -> None: ...


class AvailabilityScu(Protocol):
    """Tells a peer what is available here (IAN)."""

    def notify(
        self,
        to: ApplicationEntity,
        notification_uid: str,
        study_instance_uid: str,
        series: Mapping[str, Sequence[InstanceReference]],
    ) -> None:
        """Raises PeerUnavailable or PeerRefused unless it was taken, now or before."""


class ProcedureSteps(Protocol):
    """Performed procedure steps."""

    def create(self, step: PerformedStep) -> None:
        """Keep it with its fact, and take what it performs off the worklist.

        Raises:
            OperationRefused: 0111, it is here already.
        """

    def change(
        self, sop_instance_uid: str, change: Callable[[PerformedStep], PerformedStep], check_at: datetime
    ) -> PerformedStep:
        """Apply `change` to the step as it stands and keep the outcome with its fact, in one commit.

        Raises:
            OperationRefused: 0112 no such step, or what `change` raises.
        """


class Worklist(Protocol):
    """Scheduled steps."""

    def scheduled(self, earliest: str | None, latest: str | None) -> Iterator[Attributes]:
        """Worklist items that start between these dates (YYYYMMDD), in order of their start; no overdue ones."""

    def overdue(self) -> int:
        """How many steps nobody began or cancelled for so long that they are no longer listed."""

    def take(self, orders: Sequence[ImagingOrder]) -> None:
        """Carry all of them out in one commit, durable on return.

        Raises:
            OrderConflict: says which rule forbids it.
        """
