"""The composition root of a node: the only place where its parts are made and wired."""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from dicom_nodes.config import NodeSettings, read_token
from dicom_nodes.contract import NodeHealth
from dicom_nodes.dimse.admission import NodePlaces
from dicom_nodes.dimse.availability_scu import DicomAvailabilityScu
from dicom_nodes.dimse.commitment_scu import DicomCommitmentReporter
from dicom_nodes.dimse.data_set_sink import draft_sinks
from dicom_nodes.dimse.listener import DicomListener
from dicom_nodes.dimse.pacing import PeerPaces
from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.dimse.retrieve_scu import DicomRetrieveScu
from dicom_nodes.dimse.services import DimseServices, WorkflowServices
from dicom_nodes.dimse.store_scu import DicomStoreScu
from dicom_nodes.dimse.tls_settings import TlsCaller, tls_contexts
from dicom_nodes.documents.structured_report import StructuredReports
from dicom_nodes.flows.announcements import NotifyAvailability, TakeAnnouncements, TakeProcedureSteps
from dicom_nodes.flows.archive_study import ArchiveStudy
from dicom_nodes.flows.associations import OpenAssociations
from dicom_nodes.flows.commit_storage import CommitStorage
from dicom_nodes.flows.deliver_study import DeliverStudy
from dicom_nodes.flows.fetch_study import FetchStudy
from dicom_nodes.flows.ingest import Ingest, Issuers
from dicom_nodes.flows.keep_refused import KeepRefused
from dicom_nodes.flows.make_room import MakeRoom
from dicom_nodes.flows.ports import Checkpoint, no_checkpoint
from dicom_nodes.flows.query import QueryFlow
from dicom_nodes.flows.refusals import Refusals
from dicom_nodes.flows.register import CatalogueRegister
from dicom_nodes.flows.retrieve import RetrieveFlow
from dicom_nodes.flows.return_report import ReturnReport
from dicom_nodes.flows.scrub import Scrub
from dicom_nodes.flows.settle import SettleStudies
from dicom_nodes.flows.take_report import TakeReport
from dicom_nodes.flows.talk_to_router import SendFacts, take_orders
from dicom_nodes.flows.tell_ris import TellRis
from dicom_nodes.flows.ticker import Ticker
from dicom_nodes.flows.work import Handler, Workers
from dicom_nodes.flows.worklist import ServeWorklist
from dicom_nodes.foundation.backoff import RetryPolicy
from dicom_nodes.foundation.clock import Clock, utc_now
from dicom_nodes.foundation.end_signal import end_signal
from dicom_nodes.foundation.event_log import UidHash, event_log
from dicom_nodes.foundation.jobs import JobState
from dicom_nodes.foundation.process_limits import prepare_for_many_connections
from dicom_nodes.hl7.adt_intake import AdtIntake
from dicom_nodes.hl7.alert_sender import MllpAlertSender
from dicom_nodes.hl7.imaging_order import OrderIssuers
from dicom_nodes.hl7.intake import Hl7Intake
from dicom_nodes.hl7.listener import MllpListener
from dicom_nodes.hl7.order_details import OrderCodes
from dicom_nodes.hl7.order_intake import OrderIntake
from dicom_nodes.hl7.report_intake import OruIntake
from dicom_nodes.partners import address_of, archive_of, return_channels, ris_sender_of, workstation_of
from dicom_nodes.pixels.pool import TranscodingPool
from dicom_nodes.receivers.desk import MainParts
from dicom_nodes.receivers.supervisor import COMMAND, Receivers
from dicom_nodes.rules.fetch_source import source_of
from dicom_nodes.rules.health import Vitals, judge
from dicom_nodes.rules.retention import Retention
from dicom_nodes.spool.announcements import CHECK_JOB
from dicom_nodes.spool.catalogue import ARCHIVE_JOB
from dicom_nodes.spool.commitments import ASK_COMMITMENT_JOB, REPORT_COMMITMENT_JOB
from dicom_nodes.spool.returned_answers import RETURN_JOB
from dicom_nodes.spool.ring import FullSegment
from dicom_nodes.spool.segments import SegmentSpool
from dicom_nodes.spool.sole_user import sole_user_of
from dicom_nodes.spool.studies import NOTIFY_JOB
from dicom_nodes.spool.study_query import StudyQuery
from dicom_nodes.uplink.health_page import HealthPage
from dicom_nodes.uplink.link import HttpRouterLink
from dicom_nodes.wiring import asking_for_commitment, collect_garbage_seldom, open_node_store

_ORDER_WAIT_S = 20.0
_CATCH_UP_S = 5.0
_FACT_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 30.0
_RETURNS_AT_ONCE = 16
"""How many reports on their way home a worker takes from the queue at once."""


class NodeApp:
    """One node. `start()` returns when it listens; `stop()` when everything in hand is finished or handed back."""

    def __init__(
        self,
        settings: NodeSettings,
        clock: Clock = utc_now,
        checkpoint: Checkpoint = no_checkpoint,
        receiver_command: Sequence[str] = COMMAND,
    ) -> None:
        """Open the data directory and wire the parts; nothing listens yet. `receiver_command` starts a receiver.

        Raises:
            CrashConsistency: another node runs on this data directory, or its content is not this version's.
            TlsFilesError: the files of TLS cannot be used.
        """
        self._settings, self._clock = settings, clock
        node, trust = settings.node, settings.trust
        node.data_dir.mkdir(parents=True, exist_ok=True)
        self._tls = tls_contexts(settings, _say_not_reloaded)
        self._lock = sole_user_of(node.data_dir)
        self._uid_hash = UidHash.from_file(node.data_dir / "log.key")
        self._transcoding = TranscodingPool()
        caller = None if self._tls is None else TlsCaller(self._tls, settings.certificate_of, settings.may_be_called)
        open_association = self._open_association = AssociationRequester(node.ae_title, tls=caller)
        store_scu = DicomStoreScu(node.ae_title, open_association=open_association, transcode=self._transcoding)
        archive = archive_of(settings, store_scu)
        self.store = open_node_store(settings, clock, archive.name, checkpoint)
        self._spool = SegmentSpool(
            node.data_dir / "spool",
            segment_bytes=node.spool_segment_mib << 20,
            reserve_bytes=node.disk_reserve_mib << 20,
            checkpoint=checkpoint,
        )
        associations = OpenAssociations()
        documents = StructuredReports()
        take_report = TakeReport(self.store.orders, checkpoint)
        self._register = CatalogueRegister(self.store.catalogue, self._spool.is_sound, associations, take_report)
        self._refusals = Refusals()
        self._ingest = Ingest(
            self._spool,
            self._register,
            documents,
            Issuers(trust.patient_id_issuer, trust.accession_issuer),
            node.disk_reserve_mib << 20,
            checkpoint,
            self._refusals.note,
        )
        queries = StudyQuery(self.store.database)
        stopping = threading.Event()
        workflow = self._workflow(checkpoint, stopping)
        self._main_parts = MainParts(
            settings,
            self._register,
            self.store.catalogue,
            self._spool,
            associations,
            NodePlaces(node.maximum_associations),
            PeerPaces(),
            self._refusals,
            self._commit_storage,
            self._caught_up,
            checkpoint,
        )
        self._receivers: Receivers | None = None
        if node.receivers:
            self._receivers = Receivers(settings, self._main_parts, self._lock.fileno(), receiver_command)
        self._listener = self._receivers or DicomListener(
            settings,
            DimseServices(
                settings=settings,
                ingest=self._ingest,
                query=QueryFlow(queries, self._caught_up),
                retrieve=RetrieveFlow(queries, self._spool, self._caught_up, self.store.catalogue.uncatalogued),
                move_scu=store_scu,
                clock=clock,
                log=event_log(),
                uid_hash=self._uid_hash,
                transcode=self._transcoding,
                association_opened=associations.opened,
                association_closed=associations.closed,
                open_sink=draft_sinks(self._ingest.draft),
                workflow_services=workflow,
            ),
            tls=self._tls,
        )
        self._hl7 = None
        if settings.hl7:
            issuers = OrderIssuers(trust.patient_id_issuer, trust.accession_issuer)
            codes = OrderCodes(settings.hl7.suspected_cancer_codes, settings.hl7.pathway_codes)
            keep_refused = KeepRefused(self.store.refused_messages)
            orders_in = OrderIntake(
                workflow.worklist.take, issuers, settings.hl7.stations, codes=codes, keep=keep_refused
            )
            patients_in = AdtIntake(self.store.patient_changes.take, trust.patient_id_issuer, keep=keep_refused)
            intake = Hl7Intake(OruIntake(take_report), orders_in, patients=patients_in)
            self._hl7 = MllpListener(settings.hl7, intake)
        self._health_page = HealthPage(node.health_listen, self.health) if node.health_listen else None
        orders, catalogue = self.store.orders, self.store.catalogue
        ris = ris_sender_of(settings)
        channels = return_channels(settings, ris, archive, documents)
        none_follows = ris.hang_up if ris else lambda: None
        return_report = ReturnReport(orders, catalogue, channels, trust.ods_code, checkpoint, none_follows)
        self._workers = Workers(
            self.store.jobs,
            orders,
            {
                ARCHIVE_JOB: ArchiveStudy(self.store.studies, self._spool, archive, checkpoint, stopping.is_set),
                "fetch": FetchStudy(
                    orders,
                    catalogue,
                    DicomRetrieveScu(node.ae_title, open_association=open_association),
                    self._ingest,
                    clock,
                    checkpoint,
                    stopping.is_set,
                    source_of=partial(source_of, settings),
                ),
                "deliver": DeliverStudy(
                    orders,
                    catalogue,
                    self._spool,
                    store_scu,
                    partial(workstation_of, settings),
                    checkpoint,
                    stopping.is_set,
                ),
                "tell_ris": TellRis(
                    orders,
                    catalogue,
                    MllpAlertSender(settings.ris, trust) if settings.ris else None,
                    trust.ods_code,
                    checkpoint,
                ),
                RETURN_JOB: return_report,
                **self._workflow_jobs(workflow),
            },
            RetryPolicy(
                attempts=settings.delivery.attempts,
                first_s=settings.delivery.first_retry_s,
                longest_s=settings.delivery.longest_retry_s,
            ),
            clock,
            node.workers,
            stopping,
            together={RETURN_JOB: _RETURNS_AT_ONCE},
            groups={RETURN_JOB: return_report.together},
        )
        settle = SettleStudies(
            self.store.studies,
            associations,
            node.settle_quiet_s,
            clock,
            self._say_settled,
            checkpoint,
            node.settle_hold_s,
            self.store.catalogue.is_uncatalogued,
        )
        self._router = HttpRouterLink(settings.router.url, read_token(settings))
        send_facts = self._send_facts = SendFacts(self.store.outbox, self._router, self.health, clock)
        self._make_room = MakeRoom(
            self.store.eviction,
            self._spool,
            _retention(settings),
            clock,
            catalogue.note_surplus,
            grace_s=settings.spool.grace_s,
            checkpoint=checkpoint,
            stopping=stopping.is_set,
        )
        scrub = Scrub(
            self.store.scrubbing, self._spool, settings.spool.scrub_mib_per_s * (1 << 20), clock, stopping.wait
        )
        self._full_segments: list[FullSegment] = []
        make_room_every_s = min(10.0, 1.0 + settings.spool.grace_s / 4)
        self._tickers = (
            Ticker("segments", self._vouch_for_full_segments, pause_s=5.0, longest_pause_s=_LONGEST_PAUSE_S),
            Ticker(
                "room",
                self._make_room,
                pause_s=make_room_every_s,
                longest_pause_s=_LONGEST_PAUSE_S,
            ),
            Ticker("scrub", scrub, pause_s=1.0, longest_pause_s=_LONGEST_PAUSE_S),
            Ticker("settle", settle, pause_s=min(1.0, node.settle_quiet_s / 4), longest_pause_s=_LONGEST_PAUSE_S),
            Ticker("facts", send_facts, pause_s=_FACT_PAUSE_S, longest_pause_s=_LONGEST_PAUSE_S),
            Ticker("orders", self._take_orders, pause_s=0.0, longest_pause_s=_LONGEST_PAUSE_S, patience_s=0.1),
        )

    @property
    def dicom_port(self) -> int:
        return self._listener.port

    @property
    def dicom_tls_port(self) -> int:
        """0 where no TLS is accepted."""
        return self._listener.tls_port

    @property
    def hl7_port(self) -> int:
        """0 where no HL7 listener is configured."""
        return self._hl7.port if self._hl7 else 0

    @property
    def health_port(self) -> int:
        """0 where no health page is configured."""
        return self._health_page.port if self._health_page else 0

    def start(self) -> None:
        """Recover what a crash left behind, then work and listen.

        Raises:
            OSError: an address cannot be bound.
        """
        if self._settings.node.database_url is None:
            self.store.jobs.release_all()
        recovered = self.store.catalogue.recover(self._spool)
        event_log().info("node.recovered", objects=recovered)
        self.store.catalogue.committer.start()
        self._workers.start()
        for ticker in self._tickers:
            ticker.start()
        self._listener.start()
        if self._hl7:
            self._hl7.start()
        if self._health_page:
            self._health_page.start()
        event_log().info(
            "node.started",
            ods=self._settings.trust.ods_code,
            dicom_port=self.dicom_port,
            dicom_tls_port=self.dicom_tls_port,
            hl7_port=self.hl7_port,
        )

    def stop(self) -> None:
        """Take nothing new, finish or hand back what is in hand, make it durable, let go."""
        self._listener.stop()
        if self._hl7:
            self._hl7.stop()
        self._workers.stop()
        self._transcoding.close()
        for ticker in self._tickers:
            ticker.stop()
        if self._health_page:
            self._health_page.stop()
        self.store.catalogue.committer.stop()
        self._router.close()
        self._vouch_for_full_segments()
        self._spool.close()
        self.store.database.dispose()
        self._lock.close()
        event_log().info("node.stopped", ods=self._settings.trust.ods_code)

    def health(self) -> NodeHealth:
        """How the node is now."""
        depth, oldest_s = self.store.outbox.depth()
        return judge(
            Vitals(
                free_bytes=self._spool.free_bytes(),
                reserve_bytes=self._settings.node.disk_reserve_mib << 20,
                catalogue_failing=self.store.catalogue.committer.database_away,
                uncatalogued=self.store.catalogue.committer.set_aside,
                stopped_parts=self._stopped_parts(),
                refused_for=self._refusals.lately(),
                router_silent_s=self._send_facts.silent_s(),
                damaged_objects=len(self._spool.damaged),
                parked_jobs=len(self.store.jobs.listing([JobState.PARKED])),
                quarantined=self.store.catalogue.quarantined_count(),
                outbox_depth=depth,
                outbox_oldest_s=oldest_s,
                overdue_steps=self.store.worklist.overdue(),
                certificate_days_left=self._certificate_days_left(),
                room_shortage=self._make_room.shortage,
                receivers_away=self._receivers.away if self._receivers else 0,
                nobody_listens=self._receivers is not None and self._receivers.away >= self._settings.node.receivers,
            )
        )

    def _vouch_for_full_segments(self) -> None:
        self.store.catalogue.note_left_aside()
        self._full_segments += self._spool.full()
        self._full_segments = self.store.catalogue.vouch_for(self._full_segments)

    def _caught_up(self) -> bool:
        """Whether every acknowledged instance can be found by a query, having waited a little for it."""
        return self.store.catalogue.committer.wait_until_committed(_CATCH_UP_S)

    def _certificate_days_left(self) -> float | None:
        return None if self._tls is None else (self._tls.certificate_ends - self._clock()).total_seconds() / 86_400

    def _stopped_parts(self) -> tuple[str, ...]:
        parts = [ticker.name for ticker in self._tickers if not ticker.is_alive]
        if not self.store.catalogue.committer.is_alive:
            parts.append("catalogue")
        if self._workers.dead:
            parts.append(f"{self._workers.dead} workers")
        return tuple(parts)

    def _take_orders(self) -> None:
        take_orders(self.store.orders, self._router, _ORDER_WAIT_S)

    def _say_settled(self, study_instance_uid: str, revision: int) -> None:
        event_log().info("study.settled", study=self._uid_hash(study_instance_uid), revision=revision)

    def _workflow(self, checkpoint: Checkpoint, stopping: threading.Event) -> WorkflowServices:
        store, node, clock = self.store, self._settings.node, self._clock
        asking = asking_for_commitment(self._settings, store, clock, self._open_association, checkpoint)
        reporter = DicomCommitmentReporter(node.ae_title, open_association=self._open_association)
        self._commit_storage = CommitStorage(
            store.commitment_requests,
            store.catalogue,
            self._spool,
            reporter,
            partial(address_of, self._settings),
            checkpoint,
            stopping.is_set,
            needs_promise=asking is not None,
        )
        return WorkflowServices(
            self._commit_storage,
            TakeAnnouncements(store.announcements, node.settle_hold_s, clock, checkpoint),
            TakeProcedureSteps(store.procedure_steps, node.settle_hold_s, clock, checkpoint),
            ServeWorklist(store.worklist, checkpoint),
            asking,
        )

    def _workflow_jobs(self, workflow: WorkflowServices) -> dict[str, Handler]:
        scu = DicomAvailabilityScu(self._settings.node.ae_title, open_association=self._open_association)
        jobs: dict[str, Handler] = {
            REPORT_COMMITMENT_JOB: self._commit_storage,
            CHECK_JOB: workflow.announcements,
            NOTIFY_JOB: NotifyAvailability(self.store.announcements, scu, partial(address_of, self._settings)),
        }
        if workflow.ask_commitment is not None:
            jobs[ASK_COMMITMENT_JOB] = workflow.ask_commitment
        return jobs


def run(
    settings: NodeSettings,
    checkpoint: Checkpoint = no_checkpoint,
    on_started: Callable[[NodeApp], None] = lambda _app: None,
) -> int:
    """Run a node until SIGTERM or SIGINT; return the exit code of the process."""
    descriptors = prepare_for_many_connections()
    wait_for_the_end = end_signal()
    app = NodeApp(settings, checkpoint=checkpoint)
    try:
        app.start()
    except OSError as error:
        event_log().error("node.cannot_listen", reason=error.strerror)
        app.stop()
        return 1
    collect_garbage_seldom()
    event_log().info("node.limits", descriptors=descriptors)
    on_started(app)
    wait_for_the_end()
    app.stop()
    return 0


def _retention(settings: NodeSettings) -> Retention:
    below_mib, until_mib = settings.make_room_mib
    return Retention(
        keep=timedelta(days=settings.spool.keep_days),
        keep_at_least=timedelta(minutes=settings.spool.keep_at_least_minutes),
        make_room_below_bytes=below_mib << 20,
        make_room_until_bytes=until_mib << 20,
    )


def _say_not_reloaded(why: str) -> None:
    event_log().error("tls.not_reloaded", why=why)
