"""Turns a retrieve identifier into the instances to send, and reads their bytes."""

from collections.abc import Sequence
from typing import Protocol

from dicom_nodes.model.delivery import OutgoingInstance
from dicom_nodes.model.instance import StoredObject
from dicom_nodes.model.query import Query
from dicom_nodes.rules.query_identifier import RetrieveSelection, check_retrieve


class RetrieveCatalogue(Protocol):
    """Finds the instances that unique keys select."""

    def select(self, selection: RetrieveSelection) -> Sequence[StoredObject]:
        """Every instance under the selection, ordered by study, series and SOP Instance UID."""


class DataSetReader(Protocol):
    """The part of the spool that a retrieve needs."""

    def read_data_set(self, location: str) -> bytes: ...


class RetrieveFlow:
    """C-MOVE and C-GET without their wire."""

    def __init__(self, catalogue: RetrieveCatalogue, spool: DataSetReader) -> None:
        self._catalogue = catalogue
        self._spool = spool

    def resolve(self, query: Query) -> Sequence[OutgoingInstance]:
        """The instances to send; none when nothing matches.

        Raises:
            IdentifierMismatch: the identifier is not one its information model allows.
        """
        return [self._outgoing(stored) for stored in self._catalogue.select(check_retrieve(query))]

    def _outgoing(self, stored: StoredObject) -> OutgoingInstance:
        return OutgoingInstance(
            sop_instance_uid=stored.sop_instance_uid,
            sop_class_uid=stored.sop_class_uid,
            transfer_syntax_uid=stored.transfer_syntax_uid,
            read_data_set=lambda: self._spool.read_data_set(stored.location),
        )
