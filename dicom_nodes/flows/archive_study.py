"""Forward what a study has gained to the trust's own archive, and remember what was acknowledged."""

from collections.abc import Callable

from dicom_nodes.flows.ports import Archive, ArchivingStore, Checkpoint, Spool, no_checkpoint
from dicom_nodes.flows.sending import failure_of, outgoing
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.delivery import StoreResult
from dicom_nodes.model.dimse_status import is_stored
from dicom_nodes.model.errors import Stopping

_REMEMBER_EVERY = 50


class ArchiveStudy:
    """Handler of the job `archive`, whose key is the Study Instance UID."""

    def __init__(
        self,
        store: ArchivingStore,
        spool: Spool,
        archive: Archive,
        checkpoint: Checkpoint = no_checkpoint,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store, self._spool, self._archive = store, spool, archive
        self._checkpoint, self._stopping = checkpoint, stopping

    def __call__(self, job: Job) -> None:
        """Raises PeerUnavailable or PeerRefused unless the archive acknowledged every instance, or Stopping."""
        waiting = self._store.instances_to_archive(job.key)
        acknowledged: list[str] = []
        failures: list[StoreResult] = []
        try:
            for result in self._archive.store([outgoing(self._spool, stored) for stored in waiting]):
                if result.status is not None and is_stored(result.status):
                    self._checkpoint("archive.acknowledged")
                    acknowledged.append(result.sop_instance_uid)
                else:
                    failures.append(result)
                if len(acknowledged) == _REMEMBER_EVERY:
                    self._store.mark_archived(acknowledged)
                    acknowledged = []
                if self._stopping():
                    raise Stopping
        finally:
            if acknowledged:
                self._store.mark_archived(acknowledged)
        self._checkpoint("archive.marked")
        if failures:
            raise failure_of(self._archive.name, failures, len(waiting))
        self._store.finish_archiving(job)
