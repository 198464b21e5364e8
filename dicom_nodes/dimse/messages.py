"""DIMSE messages as plain values (DICOM PS3.7 9.3, 10.3), so that handlers and requesters know no library."""

from dataclasses import dataclass

from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.model.instance import ReceivedDataSet


@dataclass(frozen=True, slots=True)
class PresentationContext:
    """A proposed or accepted pair; `id` is odd, 1 to 255 (DICOM PS3.8 9.3.2.2)."""

    id: int
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class EchoRequest:
    context: PresentationContext
    message_id: int
    sop_class_uid: str


@dataclass(frozen=True, slots=True)
class MoveOriginator:
    """Who asked for the C-MOVE that a C-STORE sub-operation serves."""

    ae_title: str
    message_id: int


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """`data_set` is encoded in the context's transfer syntax and is passed on as it is.

    That of a request which came to our listener is `received`: it lies where its sink put it.
    """

    context: PresentationContext
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    data_set: Buffer = b""
    originator: MoveOriginator | None = None
    received: ReceivedDataSet | None = None


@dataclass(frozen=True, slots=True)
class FindRequest:
    context: PresentationContext
    message_id: int
    sop_class_uid: str
    identifier: bytes


@dataclass(frozen=True, slots=True)
class GetRequest:
    context: PresentationContext
    message_id: int
    sop_class_uid: str
    identifier: bytes


@dataclass(frozen=True, slots=True)
class MoveRequest:
    context: PresentationContext
    message_id: int
    sop_class_uid: str
    identifier: bytes
    destination: str


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """N-ACTION (DICOM PS3.7 10.1.4)."""

    context: PresentationContext
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    action_type_id: int
    data_set: bytes


@dataclass(frozen=True, slots=True)
class EventReportRequest:
    """N-EVENT-REPORT (DICOM PS3.7 10.1.1)."""

    context: PresentationContext
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    event_type_id: int
    data_set: bytes


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """N-CREATE (DICOM PS3.7 10.1.5); `sop_instance_uid` is empty where the performer is to choose one."""

    context: PresentationContext
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    data_set: bytes


@dataclass(frozen=True, slots=True)
class SetRequest:
    """N-SET (DICOM PS3.7 10.1.3)."""

    context: PresentationContext
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    data_set: bytes


NormalizedRequest = ActionRequest | EventReportRequest | CreateRequest | SetRequest
"""Operations and notifications on one SOP instance: DIMSE-N."""
Request = EchoRequest | StoreRequest | FindRequest | GetRequest | MoveRequest | NormalizedRequest


@dataclass(frozen=True, slots=True)
class SubOperations:
    """Counters of a C-GET or C-MOVE (DICOM PS3.7 9.1.3.1)."""

    remaining: int
    completed: int
    failed: int
    warning: int


@dataclass(frozen=True, slots=True)
class Response:
    """An answer to a request. `identifier` is an encoded data set; `comment` becomes Error Comment (0000,0902)."""

    status: int
    comment: str = ""
    identifier: bytes | None = None
    sub_operations: SubOperations | None = None
    error_id: int | None = None

    @property
    def is_pending(self) -> bool:
        return self.status in {0xFF00, 0xFF01}
