"""A PACS reached by C-STORE. The sender is handed in, because adapters do not know each other."""

from collections.abc import Iterator, Sequence

from dicom_nodes.flows.ports import StoreScu
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance, StoreResult


class DimseArchive:
    """Implements `Archive` with a `StoreScu`."""

    def __init__(self, scu: StoreScu, pacs: ApplicationEntity) -> None:
        self._scu, self._pacs = scu, pacs

    @property
    def name(self) -> str:
        return self._pacs.ae_title

    def store(self, instances: Sequence[OutgoingInstance]) -> Iterator[StoreResult]:
        return self._scu.send(self._pacs, instances)
