"""What the handlers need from the node, and what they know of the caller."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from dicom_nodes.config import NodeSettings, Peer
from dicom_nodes.dimse.data_set_sink import OpenSink, new_holding_sink
from dicom_nodes.dimse.messages import MoveOriginator
from dicom_nodes.dimse.outgoing import no_transcoding
from dicom_nodes.flows.announcements import TakeAnnouncements, TakeProcedureSteps
from dicom_nodes.flows.ask_commitment import AskCommitment
from dicom_nodes.flows.ports import Transcode
from dicom_nodes.flows.query import QueryFlow
from dicom_nodes.flows.retrieve import RetrieveFlow
from dicom_nodes.flows.worklist import ServeWorklist
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.model.commitment import CommitmentRequest, CommitmentResult
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance, StoreResult
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import OperationRefused
from dicom_nodes.model.instance import IncomingInstance


class EventLog(Protocol):
    """Takes events with a fixed name and fields that hold no patient data."""

    def info(self, event: str, **fields: object) -> object: ...

    def warning(self, event: str, **fields: object) -> object: ...

    def error(self, event: str, **fields: object) -> object: ...


class MoveScu(Protocol):
    """Sends the sub-operations of a C-MOVE."""

    def send(
        self,
        to: ApplicationEntity,
        instances: Sequence[OutgoingInstance],
        *,
        originator: MoveOriginator | None = None,
        is_cancelled: Callable[[], bool] = ...,
    ) -> Iterator[StoreResult]:
        """As `ports.StoreScu.send`; stops before the next instance once `is_cancelled` says so."""


class CommitmentService(Protocol):
    """Takes requests for storage commitment; see `flows.commit_storage.CommitStorage`."""

    def take(self, request: CommitmentRequest) -> None: ...

    def report_here(self, request: CommitmentRequest, say: Callable[[CommitmentResult], bool]) -> None: ...


@dataclass(frozen=True, slots=True)
class WorkflowServices:
    """Commitment, notification, procedure steps and worklist; `ask_commitment` only where the archive is asked."""

    commit_storage: CommitmentService
    announcements: TakeAnnouncements
    procedure_steps: TakeProcedureSteps
    worklist: ServeWorklist
    ask_commitment: AskCommitment | None = None


@dataclass(frozen=True, slots=True)
class DimseServices:
    """The node behind the wire.

    `ingest` returns once the instance is durable; it raises `Refused` with the status to answer. The association
    callbacks take an id that is unique for the life of the node.
    """

    settings: NodeSettings
    ingest: Callable[[IncomingInstance], None]
    query: QueryFlow
    retrieve: RetrieveFlow
    move_scu: MoveScu
    clock: Clock
    log: EventLog
    uid_hash: Callable[[str], str]
    association_opened: Callable[[str], None] = lambda _id: None
    association_closed: Callable[[str], None] = lambda _id: None
    transcode: Transcode = no_transcoding
    """For callers that take a SOP class, but not in the transfer syntax in which it is stored."""
    open_sink: OpenSink = new_holding_sink

    workflow_services: WorkflowServices | None = None

    @property
    def workflow(self) -> WorkflowServices:
        """Raises OperationRefused (0122) where the node has none."""
        if self.workflow_services is None:
            raise OperationRefused(Status.SOP_CLASS_NOT_SUPPORTED, "the service is not offered here")
        return self.workflow_services

    @property
    def own_ods(self) -> str:
        return self.settings.trust.ods_code


@dataclass(frozen=True, slots=True)
class Caller:
    """The peer on the other end of an accepted association."""

    peer: Peer
    association_id: str
    relational_queries: frozenset[str] = frozenset()
    """SOP classes for which relational queries were negotiated."""
