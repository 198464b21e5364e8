"""What a node's processes, and the commands that look at its data, put together in the same way."""

import gc
from datetime import timedelta

from dicom_nodes.config import DimseArchive as DimseArchiveSettings
from dicom_nodes.config import NodeSettings
from dicom_nodes.dimse.commitment_scu import DicomCommitmentScu
from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.flows.ask_commitment import AskCommitment
from dicom_nodes.flows.ports import Checkpoint, no_checkpoint
from dicom_nodes.foundation.clock import Clock, utc_now
from dicom_nodes.foundation.settings_file import split_host_port
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.spool.store import NodeStore, open_store
from dicom_nodes.spool.studies import FollowUps


def open_node_store(
    settings: NodeSettings, clock: Clock = utc_now, archive: str = "", checkpoint: Checkpoint = no_checkpoint
) -> NodeStore:
    """Open a node's database, by default in its data directory; also for looking at parked jobs beside the node."""
    url = settings.node.database_url or f"sqlite:///{settings.node.data_dir / 'node.db'}"
    follow_ups = FollowUps(
        notify=tuple(peer.ae_title for peer in settings.peers if peer.notify),
        commitment=isinstance(settings.archive, DimseArchiveSettings) and settings.archive.commitment,
    )
    keep, channels = timedelta(days=settings.node.worklist_days), settings.reports.return_channels
    return open_store(url, clock, archive, checkpoint, follow_ups, keep, channels)


def asking_for_commitment(
    settings: NodeSettings,
    store: NodeStore,
    clock: Clock,
    open_association: AssociationRequester,
    checkpoint: Checkpoint,
) -> AskCommitment | None:
    """Where the archive is one that is asked for storage commitment."""
    pacs = settings.archive
    if not isinstance(pacs, DimseArchiveSettings) or not pacs.commitment:
        return None
    entity = ApplicationEntity(pacs.ae_title, *split_host_port(pacs.address))
    return AskCommitment(store.archive_commitments, DicomCommitmentScu(open_association), entity, clock, checkpoint)


def collect_garbage_seldom() -> None:
    """What was made at start stays; instances pass through by the thousand and leave no cycles behind.

    With Python's own thresholds a third of the time in which the interpreter is held went into looking for some.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
