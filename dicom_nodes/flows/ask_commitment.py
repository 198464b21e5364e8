"""Ask the archive to commit to what it acknowledged; retention may then rely on more than an answer to C-STORE.

A refused instance is archived again, and parked for a person where that does not help (ADR 043).
"""

import uuid
from collections.abc import Callable
from datetime import timedelta

from dicom_nodes.flows.ports import Checkpoint, no_checkpoint
from dicom_nodes.flows.workflow_ports import ArchiveCommitments, CommitmentScu
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.commitment import CommitmentResult
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import PeerRefused

MOST_REFUSALS = 3
MOST_QUESTIONS = 4
PATIENCE = timedelta(minutes=15)


def new_uid() -> str:
    """A UID that nobody else makes (DICOM PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


class AskCommitment:
    """Handler of the job `ask-commitment`, whose key is the Study Instance UID; also takes the archive's reports."""

    def __init__(
        self,
        store: ArchiveCommitments,
        scu: CommitmentScu,
        archive: ApplicationEntity,
        clock: Clock,
        checkpoint: Checkpoint = no_checkpoint,
        make_uid: Callable[[], str] = new_uid,
        patience: timedelta = PATIENCE,
    ) -> None:
        """An archive that has not reported after `patience` is asked again, `MOST_QUESTIONS` times in all."""
        self._store, self._scu, self._archive, self._clock = store, scu, archive, clock
        self._checkpoint, self._make_uid, self._patience = checkpoint, make_uid, patience

    @property
    def archive_ae_title(self) -> str:
        return self._archive.ae_title

    def take_result(self, result: CommitmentResult) -> bool:
        """Record what the archive reports, durable on return; False when we asked no such thing."""
        return self._store.take_result(result, MOST_REFUSALS)

    def __call__(self, job: Job) -> None:
        """Raises PeerUnavailable or PeerRefused where the archive cannot be asked, or does not commit."""
        refused = self._store.refused(job.key, MOST_REFUSALS)
        if refused:
            self._give_up(job, f"does not commit to {refused} instances that it acknowledged")
        self._store.archive_again(job.key)
        if not self._store.is_open(job.key):
            self._store.complete(job)
            return
        waiting = self._store.waiting(job.key, self._clock() - self._patience)
        if waiting:
            if self._store.unanswered(job.key) >= MOST_QUESTIONS:
                self._give_up(job, f"has not answered {MOST_QUESTIONS} requests for storage commitment")
            transaction_uid = self._make_uid()
            self._store.open_transaction(transaction_uid, job.key, waiting)
            self._checkpoint("commitment.opened")
            self._scu.ask(self._archive, transaction_uid, waiting, self.take_result)
            self._checkpoint("commitment.asked")
            self._store.record_accepted(transaction_uid)
        if self._store.is_open(job.key):
            self._store.look_again(job, self._clock() + self._patience)
        else:
            self._store.complete(job)

    def _give_up(self, job: Job, words: str) -> None:
        self._store.give_up(job.key)
        raise PeerRefused(f"{self._archive.ae_title} {words}")
