"""Where the fragments of a data set go as they arrive: the seam between the wire and whatever keeps the bytes."""

from collections.abc import Callable
from io import BytesIO
from typing import Generic, Protocol, TypeVar

from dicom_nodes.dimse.messages import StoreRequest
from dicom_nodes.encoding.digest import HeldDataSet
from dicom_nodes.flows.ports import Draft
from dicom_nodes.model.errors import OutOfResources
from dicom_nodes.model.instance import ReceivedDataSet

ReceivedT = TypeVar("ReceivedT")
ReceivedT_co = TypeVar("ReceivedT_co", covariant=True)


class DataSetSink(Protocol[ReceivedT_co]):
    """Takes one data set, fragment by fragment, in the thread of its association."""

    def write(self, fragment: memoryview) -> None:
        """Take a fragment; the view is of a buffer that is used again, so it ends with the call.

        Raises:
            Refused: the rest is read and thrown away, then the request is answered with this refusal.
        """

    def close(self) -> ReceivedT_co:
        """The data set is complete; what the request carries from here on."""

    def discard(self) -> None:
        """The association ended before the data set did."""


OpenSink = Callable[[StoreRequest], DataSetSink[ReceivedDataSet]]
"""Where the data set of a C-STORE goes as it arrives; the request has none yet. Raises Refused."""


class MemorySink:
    """Keeps the data set in memory until it is complete, then hands it over without another copy."""

    def __init__(self, largest_bytes: int | None = None) -> None:
        self._buffer = BytesIO()
        self._largest_bytes = largest_bytes

    def write(self, fragment: memoryview) -> None:
        if self._largest_bytes is not None and self._buffer.tell() + len(fragment) > self._largest_bytes:
            raise OutOfResources("the data set is longer than what is taken here")
        self._buffer.write(fragment)

    def close(self) -> bytes:
        return self._buffer.getvalue()

    def discard(self) -> None:
        self._buffer = BytesIO()


class HoldingSink:
    """Keeps an instance's data set in memory, as one that was received."""

    def __init__(self) -> None:
        self._held = MemorySink()
        self.write, self.discard = self._held.write, self._held.discard

    def close(self) -> ReceivedDataSet:
        return HeldDataSet(self._held.close())


def new_holding_sink(_request: StoreRequest) -> HoldingSink:
    """An `OpenSink` for whoever has nowhere else to keep a data set."""
    return HoldingSink()


class DraftSink:
    """Hands an instance's data set on to where it will be kept."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.write, self.discard = draft.write, draft.discard

    def close(self) -> ReceivedDataSet:
        return self._draft


def draft_sinks(draft: Callable[..., Draft]) -> OpenSink:
    """An `OpenSink` that begins a draft, named by the request's UIDs, for each request; see `ports.Spool.draft`."""

    def open_sink(request: StoreRequest) -> DraftSink:
        return DraftSink(draft(request.sop_class_uid, request.sop_instance_uid, request.context.transfer_syntax))

    return open_sink


class Intake(Generic[ReceivedT]):
    """Opens a sink and fills it; once that fails, throws the rest away and keeps the reason for the answer."""

    def __init__(self, open_sink: Callable[[], DataSetSink[ReceivedT]]) -> None:
        self._sink: DataSetSink[ReceivedT] | None = None
        self.failure: Exception | None = None
        try:
            self._sink = open_sink()
        except Exception as error:  # noqa: BLE001 - kept, and answered by the dispatcher once the data set is read
            self.failure = error

    def write(self, fragment: memoryview) -> None:
        """Take a fragment, whatever became of those before."""
        if self._sink is None:
            return
        try:
            self._sink.write(fragment)
        except Exception as error:  # noqa: BLE001 - as above
            self.discard()
            self.failure = error

    def close(self) -> ReceivedT | None:
        """The data set; None when `failure` says why."""
        if self._sink is None:
            return None
        try:
            return self._sink.close()
        except Exception as error:  # noqa: BLE001 - as above
            self.failure = error
            return None

    def discard(self) -> None:
        """Let go of what came so far."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.discard()
