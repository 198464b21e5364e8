"""Bring a revision from the node of the trust that made it into this node's spool."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from dicom_nodes.contract import FetchStudy as FetchOrder
from dicom_nodes.contract import Manifest, ManifestEntry, NodeAddress, OrderCompleted
from dicom_nodes.flows.ingest import Ingest, Issuers
from dicom_nodes.flows.ports import Catalogue, Checkpoint, OrderStore, RetrieveScu, no_checkpoint
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.delivery import ApplicationEntity, RetrievedInstance
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import CannotUnderstand, PeerRefused, PeerUnavailable, Refused, Stopping
from dicom_nodes.model.instance import Channel, IncomingInstance, Provenance


class FetchStudy:
    """Handler of the job `fetch`, whose key is the order's id."""

    def __init__(
        self,
        orders: OrderStore,
        catalogue: Catalogue,
        scu: RetrieveScu,
        ingest: Ingest,
        clock: Clock,
        checkpoint: Checkpoint = no_checkpoint,
        stopping: Callable[[], bool] = lambda: False,
        *,
        source_of: Callable[[NodeAddress], ApplicationEntity],
    ) -> None:
        """`source_of` says whom an order's source stands for, or raises PeerRefused."""
        self._orders, self._catalogue, self._scu, self._ingest = orders, catalogue, scu, ingest
        self._clock, self._checkpoint, self._stopping = clock, checkpoint, stopping
        self._source_of = source_of

    def __call__(self, job: Job) -> None:
        """Raises PeerUnavailable or PeerRefused until every instance of the manifest is here with its digest."""
        body = self._orders.order(job.key).body
        assert isinstance(body, FetchOrder)
        missing = self._missing(body.manifest)
        if missing:
            self._retrieve(body, job.key, missing)
        missing = self._missing(body.manifest)
        if missing:
            raise PeerUnavailable(
                f"node {body.source.ods_code} sent {len(body.manifest.entries) - len(missing)} "
                f"of {len(body.manifest.entries)} instances"
            )
        self._checkpoint("fetch.complete")
        self._orders.complete(
            job,
            OrderCompleted(
                order_id=job.key,
                instance_count=len(body.manifest.entries),
                manifest_digest=body.manifest.digest,
            ),
        )

    def _missing(self, manifest: Manifest) -> list[ManifestEntry]:
        missing = []
        for entry in manifest.entries:
            stored = self._catalogue.find_instance(entry.sop_instance_uid)
            if stored is None or (stored.digest == entry.digest and not self._ingest.is_here(stored)):
                missing.append(entry)
            elif stored.digest != entry.digest:
                raise PeerRefused("this node holds the same SOP Instance UID with other content; a person must decide")
        return missing

    def _retrieve(self, body: FetchOrder, order_id: str, missing: Sequence[ManifestEntry]) -> None:
        """Ask for what is missing by name: images still arriving at the origin belong to a later revision's order."""
        source = self._source_of(body.source)
        contexts = sorted({(entry.sop_class_uid, entry.transfer_syntax_uid) for entry in missing})
        expected = {entry.sop_instance_uid: entry.digest for entry in body.manifest.entries}
        wanted: dict[str, list[str]] = {}
        for entry in missing:
            wanted.setdefault(entry.series_instance_uid, []).append(entry.sop_instance_uid)
        refused: list[Refused] = []

        def receive(instance: RetrievedInstance) -> int:
            if self._stopping():
                raise Stopping
            try:
                self._take(body, expected, instance, order_id, self._clock())
            except Refused as refusal:
                refused.append(refusal)
                return refusal.status
            self._checkpoint("fetch.kept")
            return Status.SUCCESS

        study = body.study.study_instance_uid
        summary = self._scu.get_study(source, study, contexts, receive, self._ingest.draft, only=wanted)
        if refused:
            raise (PeerUnavailable if refused[0].retryable else PeerRefused)(
                f"{len(refused)} instances from node {body.source.ods_code} could not be taken: {refused[0]}"
            )
        if summary.status != Status.SUCCESS:
            raise PeerUnavailable(
                f"node {body.source.ods_code} answered {summary.status:04X}: {summary.completed} instances sent, "
                f"{summary.failed} failed"
            )

    def _take(
        self,
        body: FetchOrder,
        expected: Mapping[str, str],
        instance: RetrievedInstance,
        order_id: str,
        now: datetime,
    ) -> None:
        """Take what the manifest names, with the content that it names; anything else is kept aside and refused.

        Otherwise a wrong copy would stand under a UID that readers trust, and keep the right one out. `expected` maps
        each SOP Instance UID of the manifest to its digest.
        """
        incoming = IncomingInstance(
            sop_class_uid=instance.sop_class_uid,
            sop_instance_uid=instance.sop_instance_uid,
            transfer_syntax_uid=instance.transfer_syntax_uid,
            data_set=instance.data_set,
            provenance=Provenance(body.study.origin, Channel.FETCHED, body.source.ae_title, now),
            association_id=f"order {order_id}",
        )
        digest = expected.get(instance.sop_instance_uid)
        if digest is None:
            self._ingest.keep_aside(incoming, CannotUnderstand("the manifest does not name this instance"))
        if digest != instance.data_set.digest:
            self._ingest.keep_aside(incoming, CannotUnderstand("its content is not what the manifest says"))
        self._ingest(incoming, Issuers(body.study.patient.issuer, body.study.accession_issuer))
