"""Commit to what a peer asks about: kept before the answer, judged afterwards, and reported until the peer has heard.

DICOM PS3.4 annex J. What is promised, and why, is in ADR 043.
"""

import threading
from collections.abc import Callable

from dicom_nodes.flows.ports import Catalogue, Checkpoint, Spool, no_checkpoint
from dicom_nodes.flows.sending import bytes_of
from dicom_nodes.flows.workflow_ports import CommitmentReporter, CommitmentRequests
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.commitment import CommitmentRequest, CommitmentResult, FailureReason, InstanceReference
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import NodeError, PeerRefused, Stopping
from dicom_nodes.rules.commitment import judge


class CommitStorage:
    """Takes requests, and is the handler of the job `report-commitment`, whose key is the request's."""

    def __init__(
        self,
        store: CommitmentRequests,
        catalogue: Catalogue,
        spool: Spool,
        reporter: CommitmentReporter,
        address: Callable[[str], ApplicationEntity | None],
        checkpoint: Checkpoint = no_checkpoint,
        stopping: Callable[[], bool] = lambda: False,
        needs_promise: bool = False,
    ) -> None:
        """`address` finds where a peer listens, by AE title; `needs_promise`: the archive is asked for commitment."""
        self._needs_promise = needs_promise
        self._store, self._catalogue, self._spool, self._reporter = store, catalogue, spool, reporter
        self._address, self._checkpoint, self._stopping = address, checkpoint, stopping
        self._locks = [threading.Lock() for _ in range(64)]

    def take(self, request: CommitmentRequest) -> None:
        """Keep the request; a return means durable, and that the peer will hear."""
        self._store.take(request)
        self._checkpoint("commitment.taken")

    def report_here(self, request: CommitmentRequest, say: Callable[[CommitmentResult], bool]) -> None:
        """Report on the association that asked; `say` returns whether the peer has understood."""
        with self._lock_of(request.key):
            if self._store.is_reported(request.key):
                return
            result = self._judge(request)
            if say(result):
                self._record(request.key, result)

    def __call__(self, job: Job) -> None:
        """Raises PeerUnavailable or PeerRefused until the peer has understood the report."""
        with self._lock_of(job.key):
            if not self._store.is_reported(job.key):
                self._report(self._store.request(job.key))
        self._store.complete(job)

    def _report(self, request: CommitmentRequest) -> None:
        to = self._address(request.peer)
        if to is None:
            raise PeerRefused(f"{request.peer!r} is not among this node's peers with an address")
        result = self._judge(request)
        self._checkpoint("commitment.judged")
        self._reporter.report(to, result)
        self._checkpoint("commitment.reported")
        self._record(request.key, result)

    def _record(self, key: str, result: CommitmentResult) -> None:
        self._store.record_reported(key, {item.sop_instance_uid: reason for item, reason in result.failed.items()})

    def _judge(self, request: CommitmentRequest) -> CommitmentResult:
        uids = [item.sop_instance_uid for item in request.instances]
        quarantined = self._store.quarantined(uids)
        evicted = self._store.evicted(uids, needs_promise=self._needs_promise)
        committed: list[InstanceReference] = []
        failed: dict[InstanceReference, int] = {}
        for item in request.instances:
            if self._stopping():
                raise Stopping
            uid = item.sop_instance_uid
            reason = self._judge_one(item, uid in quarantined, uid in evicted)
            if reason is None:
                committed.append(item)
            else:
                failed[item] = reason
        return CommitmentResult(request.transaction_uid, tuple(committed), failed)

    def _judge_one(self, item: InstanceReference, has_quarantined: bool, is_evicted: bool) -> FailureReason | None:
        stored = self._catalogue.find_instance(item.sop_instance_uid)
        is_readable = False
        if stored is not None and not has_quarantined:
            try:
                bytes_of(self._spool, stored)  # compares the digest
                is_readable = True
            except NodeError:
                is_readable = False
        return judge(item, stored, has_quarantined=has_quarantined, is_evicted=is_evicted, is_readable=is_readable)

    def _lock_of(self, key: str) -> threading.Lock:
        """One report at a time of a request: on its association or on ours."""
        return self._locks[hash(key) % len(self._locks)]
