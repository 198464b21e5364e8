"""Everything that can go wrong at a node, as one tree.

    NodeError
    ├── Refused                     we say no to a caller; carries the DIMSE status to answer with
    │   ├── OutOfResources          A700: disk reserve reached, queue full; the sender may retry
    │   ├── CannotRetrieve          A702: the instances to send cannot be told just now; the asker may retry
    │   ├── DataSetMismatch         A900: data set does not match what the request announced
    │   ├── CannotUnderstand        C000: damaged, or without the identifiers it must have
    │   ├── NotAuthorised           0124: this caller may not do that
    │   ├── MoveDestinationUnknown  A801
    │   ├── IdentifierMismatch      A900: a query or retrieve identifier that its model does not allow
    │   ├── OrderConflict           an order message contradicts the orders known here
    │   └── OperationRefused        a DIMSE-N operation; its status and error id are given one by one
    ├── PeerFailed                  somebody we call did not do it
    │   ├── PeerUnavailable         retryable: no connection, rejected transiently, aborted, timed out
    │   │   └── NothingSent         there was no connection at all, so that the partner cannot have it
    │   ├── PeerRefused             permanent: it answered no, and asking again would not change that
    │   └── NumberingRefused        the router knows other facts under our numbers, or misses some (ADR 004)
    ├── CannotTranscode             one instance cannot be had in another transfer syntax; it is not sent
    ├── NotInSpool                  the instance is known, but its bytes were evicted: its archive has them
    ├── CrashConsistency            what is on disk and what the catalogue says differ
    └── HandBack                    the work in hand goes back into the queue unharmed
        └── Stopping                the node is asked to end

Messages are for people and name what, where and what was expected; none holds patient data.
"""

from dicom_nodes.model.dimse_status import Status


class NodeError(Exception):
    """Base of the tree; `phase` says where in the work it happened."""

    phase = "node"
    retryable = False


class Refused(NodeError):
    """We refuse what a caller asked; `status` is the DIMSE answer, the message its Error Comment."""

    phase = "request"
    status: int = Status.CANNOT_UNDERSTAND
    error_id: int | None = None
    """Error ID (0000,0903), where the standard has one for it."""


class OutOfResources(Refused):
    status = Status.OUT_OF_RESOURCES
    retryable = True


class CannotRetrieve(Refused):
    status = Status.CANNOT_PERFORM_SUB_OPERATIONS
    retryable = True


class DataSetMismatch(Refused):
    status = Status.DATA_SET_MISMATCH


class CannotUnderstand(Refused):
    status = Status.CANNOT_UNDERSTAND


class NotAuthorised(Refused):
    status = Status.NOT_AUTHORISED


class MoveDestinationUnknown(Refused):
    status = Status.MOVE_DESTINATION_UNKNOWN


class IdentifierMismatch(Refused):
    status = Status.DATA_SET_MISMATCH


class OrderConflict(Refused):
    """The message says which rule forbids it."""


class UnknownOrder(OrderConflict):
    pass


class OperationRefused(Refused):
    """A DIMSE-N operation fails with a status of DICOM PS3.7 annex C."""

    def __init__(self, status: int, words: str, error_id: int | None = None) -> None:
        super().__init__(words)
        self.status, self.error_id = status, error_id


class PeerFailed(NodeError):
    """A partner did not do what we asked; the message says who and what in words."""

    phase = "peer"


class PeerUnavailable(PeerFailed):
    retryable = True


class NothingSent(PeerUnavailable):
    """No connection came about: what was to be sent is certainly not there, which silence leaves open."""


class PeerRefused(PeerFailed):
    retryable = False


class NumberingRefused(PeerFailed):
    """One side was restored from a backup: the outbox must take a new name and number what waits from 1."""

    retryable = True


class CannotTranscode(NodeError):
    """Nothing that is not the same image is sent: the message says why there is none."""

    phase = "transcoding"


class NotInSpool(NodeError):
    """Only this instance cannot be had here; the rest of an answer goes on and says what is missing."""

    phase = "spool"

    def __init__(self) -> None:
        super().__init__("the instance is not in this node's spool any more; the archive of its trust has it")


class CrashConsistency(NodeError):
    phase = "recovery"


class HandBack(NodeError):
    """Raised where work cannot be done now, though nothing failed: somebody takes it up again."""

    phase = "worker"
    retryable = True


class Stopping(HandBack):
    """Raised between two instances when the node is asked to stop."""

    phase = "shutdown"
    retryable = True
