"""What exists elsewhere and what is available here, told by IAN (DICOM PS3.4 annex R) in both directions."""

import uuid
from collections.abc import Callable
from datetime import timedelta

from dicom_nodes.flows.ports import Checkpoint, no_checkpoint
from dicom_nodes.flows.workflow_ports import Announcements, AvailabilityScu, ProcedureSteps
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.attributes import Attributes
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.procedure import Announcement
from dicom_nodes.rules.procedure_step import changed, created, require_creator

_NAMESPACE = uuid.UUID("8f3c9f57-52a6-4a0f-9a4b-6a3f2f1f2b0a")


class TakeAnnouncements:
    """Keeps what others say; a return means durable. Handler of `check-announced`, whose key is the study's UID."""

    def __init__(
        self, store: Announcements, hold_s: float, clock: Clock, checkpoint: Checkpoint = no_checkpoint
    ) -> None:
        """`hold_s` is how long instances may take to arrive before a person hears that they are missing."""
        self._store, self._hold, self._clock = store, timedelta(seconds=hold_s), clock
        self._checkpoint = checkpoint

    def take(self, announcement: Announcement) -> None:
        self._store.take(announcement, self._clock() + self._hold)
        self._checkpoint("announcement.taken")

    def __call__(self, job: Job) -> None:
        self._store.tell_missing(job)


class TakeProcedureSteps:
    """Keeps what modalities perform; a return means durable."""

    def __init__(
        self, store: ProcedureSteps, hold_s: float, clock: Clock, checkpoint: Checkpoint = no_checkpoint
    ) -> None:
        self._store, self._hold, self._clock = store, timedelta(seconds=hold_s), clock
        self._checkpoint = checkpoint

    def create(self, sop_instance_uid: str, attributes: Attributes, performed_by: str) -> None:
        """Raises OperationRefused, see `rules.procedure_step.created`; 0111 for one that is here already."""
        self._store.create(created(sop_instance_uid, attributes, performed_by))
        self._checkpoint("procedure_step.created")

    def change(self, sop_instance_uid: str, attributes: Attributes, changed_by: str) -> None:
        """Raises OperationRefused, see `rules.procedure_step.changed`; 0112 not here, 0124 another's.

        Only the AE title that created a step may end it: a second device would end what goes on at the first.
        """
        self._store.change(
            sop_instance_uid,
            lambda step: changed(require_creator(step, changed_by), attributes),
            self._clock() + self._hold,
        )
        self._checkpoint("procedure_step.changed")


class NotifyAvailability:
    """Handler of the job `notify`: payload study, revision and peer; the same one is always the same notification."""

    def __init__(
        self, store: Announcements, scu: AvailabilityScu, address: Callable[[str], ApplicationEntity | None]
    ) -> None:
        self._store, self._scu, self._address = store, scu, address

    def __call__(self, job: Job) -> None:
        """Raises PeerUnavailable or PeerRefused until the peer has taken it."""
        study, revision, peer = job.payload["study"], int(job.payload["revision"]), job.payload["peer"]
        to = self._address(peer)
        if to is None:
            raise PeerRefused(f"{peer!r} is not among this node's peers with an address")
        notification_uid = f"2.25.{uuid.uuid5(_NAMESPACE, job.key).int}"
        self._scu.notify(to, notification_uid, study, self._store.revision_instances(study, revision))
        self._store.complete(job)
