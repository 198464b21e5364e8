"""Sending to partners: what is sent, and what each partner answered, instance by instance."""

from collections.abc import Callable
from dataclasses import dataclass

from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.model.instance import ReceivedDataSet


@dataclass(frozen=True, slots=True)
class ApplicationEntity:
    """A DICOM partner that we call; `parallel_associations` is how many it lets us hold at once for sending."""

    ae_title: str
    host: str
    port: int
    parallel_associations: int = 1


@dataclass(frozen=True, slots=True)
class OutgoingInstance:
    """An instance to be sent by C-STORE.

    `read_data_set` returns the data set's bytes as they are stored; a read-only memory map where they are many.
    """

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    read_data_set: Callable[[], Buffer]
    size_bytes: int = 0
    """What to expect; 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class StoreResult:
    """A partner's answer for one instance. `status` is None when none came.

    `comment` says why in our own words, never the partner's: they may quote the patient, and this is logged and told.
    """

    sop_instance_uid: str
    status: int | None
    comment: str = ""
    sent_as: str = ""
    """The transfer syntax it was converted to, because the partner does not take the one it is stored in."""


@dataclass(frozen=True, slots=True)
class RetrievedInstance:
    """An instance that another node handed us by a C-GET sub-operation."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set: ReceivedDataSet


@dataclass(frozen=True, slots=True)
class RetrieveSummary:
    """What a C-GET ended with (DICOM PS3.4 C.4.3.1): B000 or a failed count is an incomplete answer."""

    status: int
    completed: int
    failed: int
    warning: int
    comment: str = ""
