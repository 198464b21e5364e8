"""`python -m dicom_nodes.receiver`: one of several processes on a node's DICOM ports; started by the node, by nobody
else (ADR 053).

It serves associations as a node alone does, and asks the main process, at the other end of its standard input, for
whatever must be decided once for the node. It is the composition root of that process.
"""

import ctypes
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from dicom_nodes.config import NodeSettings
from dicom_nodes.dimse.data_set_sink import draft_sinks
from dicom_nodes.dimse.listener import DicomListener
from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.dimse.services import DimseServices, WorkflowServices
from dicom_nodes.dimse.store_scu import DicomStoreScu
from dicom_nodes.dimse.tls_settings import TlsCaller, tls_contexts
from dicom_nodes.documents.structured_report import StructuredReports
from dicom_nodes.flows.announcements import TakeAnnouncements, TakeProcedureSteps
from dicom_nodes.flows.ingest import Ingest, Issuers
from dicom_nodes.flows.ports import Checkpoint, no_checkpoint
from dicom_nodes.flows.query import QueryFlow
from dicom_nodes.flows.retrieve import RetrieveFlow
from dicom_nodes.flows.worklist import ServeWorklist
from dicom_nodes.foundation.clock import Clock, utc_now
from dicom_nodes.foundation.end_signal import end_signal
from dicom_nodes.foundation.event_log import UidHash, configure_event_log, event_log
from dicom_nodes.foundation.process_limits import prepare_for_many_connections
from dicom_nodes.pixels.pool import TranscodingPool
from dicom_nodes.receivers.channel import Channel, ChannelClosed
from dicom_nodes.receivers.link import Link
from dicom_nodes.receivers.remote import RemoteCommitments, RemoteNode, RemotePlaces, RemoteRegister
from dicom_nodes.spool.lending import BorrowedRing
from dicom_nodes.spool.segments import SegmentSpool
from dicom_nodes.spool.study_query import StudyQuery
from dicom_nodes.wiring import asking_for_commitment, collect_garbage_seldom, open_node_store

_ABORTS_WITHIN_S = 5.0
_PR_SET_PDEATHSIG = 1


class _ReceiverSpool(SegmentSpool):
    """The node's spool, as a borrower of its segments has it; damage is the node's to know."""

    say_damaged: Callable[[str], None]

    def _note_damage(self, location: str, error: Exception) -> None:
        super()._note_damage(location, error)
        self.say_damaged(location)


class ReceiverApp:
    """The parts of a receiver. `start()` returns when it listens; `stop()` when what is in hand is finished."""

    def __init__(
        self, settings: NodeSettings, link: Link, clock: Clock = utc_now, checkpoint: Checkpoint = no_checkpoint
    ) -> None:
        node, trust = settings.node, settings.trust
        tls = tls_contexts(settings, lambda why: event_log().error("tls.not_reloaded", why=why))
        caller = None if tls is None else TlsCaller(tls, settings.certificate_of, settings.may_be_called)
        open_association = AssociationRequester(node.ae_title, tls=caller)
        self._transcoding = TranscodingPool()
        self._store = store = open_node_store(settings, clock, checkpoint=checkpoint)
        main, register = RemoteNode(link), RemoteRegister(link)
        self._spool = _spool(settings, register, main, checkpoint)
        reserve_bytes = node.disk_reserve_mib << 20
        issuers = Issuers(trust.patient_id_issuer, trust.accession_issuer)
        ingest = Ingest(
            self._spool, register, StructuredReports(), issuers, reserve_bytes, checkpoint, main.say_refused
        )
        queries = StudyQuery(store.database)
        self._listener = DicomListener(
            settings,
            DimseServices(
                settings=settings,
                ingest=ingest,
                query=QueryFlow(queries, main.caught_up),
                retrieve=RetrieveFlow(queries, self._spool, main.caught_up, main.uncatalogued),
                move_scu=DicomStoreScu(node.ae_title, open_association=open_association, transcode=self._transcoding),
                clock=clock,
                log=event_log(),
                uid_hash=UidHash.from_file(node.data_dir / "log.key"),
                transcode=self._transcoding,
                association_opened=main.association_opened,
                association_closed=main.association_closed,
                open_sink=draft_sinks(ingest.draft),
                workflow_services=WorkflowServices(
                    RemoteCommitments(store.commitment_requests, link, checkpoint),
                    TakeAnnouncements(store.announcements, node.settle_hold_s, clock, checkpoint),
                    TakeProcedureSteps(store.procedure_steps, node.settle_hold_s, clock, checkpoint),
                    ServeWorklist(store.worklist, checkpoint),
                    asking_for_commitment(settings, store, clock, open_association, checkpoint),
                ),
            ),
            tls=tls,
            reuse_port=True,
            places=RemotePlaces(link),
            pace_of=main.pace_of,
        )

    def start(self) -> None:
        """Raises OSError: an address cannot be bound."""
        self._listener.start()

    def abort(self) -> None:
        """Abort every association; nothing that is not acknowledged will be."""
        self._listener.stop(drain_s=0.0)

    def stop(self) -> None:
        """Take nothing new, finish what is in hand, give the segments back."""
        self._listener.stop()
        self._transcoding.close()
        self._spool.close()
        self._store.database.dispose()


def _spool(settings: NodeSettings, register: RemoteRegister, main: RemoteNode, checkpoint: Checkpoint) -> SegmentSpool:
    node = settings.node
    folder, segment_bytes = node.data_dir / "spool", node.spool_segment_mib << 20
    reserve_bytes = node.disk_reserve_mib << 20
    ring = BorrowedRing(folder / "segments", segment_bytes, register, reserve_bytes=reserve_bytes)
    spool = _ReceiverSpool(
        folder, segment_bytes=segment_bytes, reserve_bytes=reserve_bytes, checkpoint=checkpoint, ring=ring
    )
    spool.say_damaged = main.say_damaged
    return spool


def run(checkpoint: Checkpoint = no_checkpoint) -> int:
    """Serve until SIGTERM, or until the main process is gone; return the exit code."""
    _be_killed_with_the_main_process()
    control = socket.socket(fileno=os.dup(0))
    wait_for_the_end = end_signal()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the main process tells us when
    prepare_for_many_connections()
    try:
        settings = NodeSettings.model_validate_json(Channel(control).receive())
    except ChannelClosed:
        return 1
    link = Link(control)
    app = ReceiverApp(settings, link, checkpoint=checkpoint)
    threading.Thread(target=_end_with_the_main_process, args=(control, app), name="main-watch", daemon=True).start()
    try:
        app.start()
    except OSError as error:
        event_log().error("receiver.cannot_listen", reason=error.strerror)
        return 1
    collect_garbage_seldom()
    link.say_listening()
    wait_for_the_end()
    app.stop()
    return 0


def _end_with_the_main_process(control: socket.socket, app: ReceiverApp) -> None:
    """It says nothing after the settings; the end of its socket, in whatever way it is told, is its own."""
    try:
        with suppress(OSError):  # a reset, where it died before it had read all that we said
            while control.recv(1):
                pass
        threading.Timer(_ABORTS_WITHIN_S, os._exit, args=(1,)).start()
        event_log().error("receiver.main_gone")
        app.abort()
    finally:
        os._exit(1)


def _be_killed_with_the_main_process() -> None:
    """The kernel's word for it, beside the watch on the socket: nobody may hold the port and the lock without a main
    process. It is given at the end of the thread that started us, which lives as long as we do.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    configure_event_log(as_json=not sys.stderr.isatty())
    sys.exit(run())
