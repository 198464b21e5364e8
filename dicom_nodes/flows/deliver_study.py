"""Send a revision to a reader's workstation: proof for every instance, then the whole compared with the manifest."""

from collections.abc import Callable

from dicom_nodes.contract import DeliverStudy as DeliverOrder
from dicom_nodes.contract import Manifest, ManifestEntry, OrderCompleted
from dicom_nodes.flows.ports import Catalogue, Checkpoint, OrderStore, Spool, StoreScu, no_checkpoint
from dicom_nodes.flows.sending import failure_of, outgoing
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance, StoreResult
from dicom_nodes.model.dimse_status import is_stored
from dicom_nodes.model.errors import PeerRefused, PeerUnavailable, Stopping


class DeliverStudy:
    """Handler of the job `deliver`, whose key is the order's id."""

    def __init__(
        self,
        orders: OrderStore,
        catalogue: Catalogue,
        spool: Spool,
        scu: StoreScu,
        workstation: Callable[[str], ApplicationEntity | None],
        checkpoint: Checkpoint = no_checkpoint,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """`workstation` finds the address of a workstation in the trust's settings by AE title."""
        self._orders, self._catalogue, self._spool, self._scu = orders, catalogue, spool, scu
        self._workstation, self._checkpoint, self._stopping = workstation, checkpoint, stopping

    def __call__(self, job: Job) -> None:
        """Raises PeerUnavailable or PeerRefused until every instance of the manifest was acknowledged."""
        order = self._orders.order(job.key)
        assert isinstance(order.body, DeliverOrder)
        body = order.body
        destination = self._workstation(body.workstation_ae_title)
        if destination is None:
            raise PeerRefused(
                f"workstation {body.workstation_ae_title!r} is not among this node's peers with an address"
            )
        proven = self._orders.delivered(job.key)
        waiting = {e.sop_instance_uid: e for e in body.manifest.entries if proven.get(e.sop_instance_uid) != e.digest}
        failures: list[StoreResult] = []
        if waiting:
            for result in self._scu.send(destination, [self._outgoing(entry) for entry in waiting.values()]):
                if result.status is None or not is_stored(result.status):
                    failures.append(result)
                    continue
                self._checkpoint("deliver.acknowledged")
                digest = waiting[result.sop_instance_uid].digest
                self._orders.record_delivered(job.key, result.sop_instance_uid, digest, result.status)
                self._checkpoint("deliver.recorded")
                if self._stopping():
                    raise Stopping
        if failures:
            raise failure_of(destination.ae_title, failures, len(body.manifest.entries))
        self._prove(job, body.manifest)

    def _outgoing(self, entry: ManifestEntry) -> OutgoingInstance:
        stored = self._catalogue.find_instance(entry.sop_instance_uid)
        if stored is None:
            raise PeerUnavailable("an instance of the revision is not at this node")
        if stored.digest != entry.digest:
            raise PeerRefused("an instance at this node has other content than the revision")
        if stored.location is None:
            raise PeerRefused(
                "an instance of the revision is not in this node's spool any more: it must come here again"
            )
        return outgoing(self._spool, stored)

    def _prove(self, job: Job, manifest: Manifest) -> None:
        """Compare what was proven with what was ordered; only equality completes the order (HAZARDS 5)."""
        proven = self._orders.delivered(job.key)
        entries = tuple(e for e in manifest.entries if proven.get(e.sop_instance_uid) == e.digest)
        delivered = Manifest(entries=entries)
        if delivered.digest != manifest.digest:
            missing = len(manifest.entries) - len(entries)
            raise PeerUnavailable(f"{missing} of {len(manifest.entries)} instances have no proof of delivery")
        self._checkpoint("deliver.proven")
        self._orders.complete(
            job,
            OrderCompleted(order_id=job.key, instance_count=len(entries), manifest_digest=delivered.digest),
        )
        self._checkpoint("deliver.completed")
