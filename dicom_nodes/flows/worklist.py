"""The worklist: orders come in, modalities ask what they are to do."""

from collections.abc import Iterator, Sequence

from dicom_nodes.flows.ports import Checkpoint, no_checkpoint
from dicom_nodes.flows.workflow_ports import Worklist
from dicom_nodes.model.attributes import Attributes
from dicom_nodes.model.procedure import ImagingOrder
from dicom_nodes.rules.worklist import answer, dates_wanted, meets


class ServeWorklist:
    """C-FIND of the worklist without its wire, and its orders without theirs."""

    def __init__(self, store: Worklist, checkpoint: Checkpoint = no_checkpoint) -> None:
        self._store, self._checkpoint = store, checkpoint

    def find(self, wanted: Attributes) -> Iterator[Attributes]:
        """Answers to a query; close it to let go of the database.

        Raises:
            IdentifierMismatch: a date or time key is malformed; before anything is yielded.
        """
        dates = dates_wanted(wanted)
        meets(wanted, {})
        return self._answers(wanted, dates.low, dates.high)

    def take(self, orders: Sequence[ImagingOrder]) -> None:
        """Carry the orders of one message out; a return means durable.

        Raises:
            OrderConflict: they contradict what is known; nothing of the message was done.
        """
        self._store.take(orders)
        self._checkpoint("order.taken")

    def _answers(self, wanted: Attributes, earliest: str | None, latest: str | None) -> Iterator[Attributes]:
        for step in self._store.scheduled(earliest, latest):
            if meets(wanted, step):
                yield answer(wanted, step)
