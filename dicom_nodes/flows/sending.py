"""What archiving and delivering share: sending stored objects and reading a partner's answers."""

from typing import Protocol

from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.model.delivery import OutgoingInstance, StoreResult
from dicom_nodes.model.errors import NotInSpool, PeerFailed, PeerRefused, PeerUnavailable
from dicom_nodes.model.instance import StoredObject


class DataSetReader(Protocol):
    """The part of the spool that sending needs."""

    def read_data_set(self, location: str) -> Buffer: ...


def bytes_of(spool: DataSetReader, stored: StoredObject) -> Buffer:
    """The stored object's data set.

    Raises:
        NotInSpool: it was evicted.
        CrashConsistency: it is damaged.
    """
    if stored.location is None:
        raise NotInSpool
    return spool.read_data_set(stored.location)


def outgoing(spool: DataSetReader, stored: StoredObject) -> OutgoingInstance:
    """The stored object as it is sent: its bytes are read when its turn comes, and are checked then."""
    return OutgoingInstance(
        sop_instance_uid=stored.sop_instance_uid,
        sop_class_uid=stored.sop_class_uid,
        transfer_syntax_uid=stored.transfer_syntax_uid,
        read_data_set=lambda: bytes_of(spool, stored),
        size_bytes=stored.size_bytes,
    )


def failure_of(partner: str, failures: list[StoreResult], total: int) -> PeerFailed:
    """What to raise when `partner` did not take every instance: worth another try, or not."""
    first = failures[0]
    answer = "gave no answer" if first.status is None else f"answered {first.status:04X}"
    words = f"{partner} did not take {len(failures)} of {total} instances; the first: {answer}"
    if first.comment:
        words += f" ({first.comment})"
    retryable = any(failure.status is None or failure.status & 0xFF00 == 0xA700 for failure in failures)
    return PeerUnavailable(words) if retryable else PeerRefused(words)
