"""Turns a retrieve identifier into the instances to send, and reads their bytes.

Like a query, a retrieve waits until what was acknowledged is catalogued: less than that is never sent as everything.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from dicom_nodes.flows.ports import CaughtUp
from dicom_nodes.flows.sending import DataSetReader, outgoing
from dicom_nodes.model.delivery import OutgoingInstance
from dicom_nodes.model.errors import CannotRetrieve
from dicom_nodes.model.instance import StoredObject
from dicom_nodes.model.query import Query
from dicom_nodes.rules.query_identifier import RetrieveSelection, check_retrieve


class RetrieveCatalogue(Protocol):
    """Finds the instances that unique keys select."""

    def select(self, selection: RetrieveSelection) -> Sequence[StoredObject]:
        """Every instance under the selection, ordered by study, series and SOP Instance UID."""


class RetrieveFlow:
    """C-MOVE and C-GET without their wire."""

    def __init__(
        self,
        catalogue: RetrieveCatalogue,
        spool: DataSetReader,
        caught_up: CaughtUp = lambda: True,
        uncatalogued: Callable[[], Sequence[StoredObject]] = lambda: (),
    ) -> None:
        """`uncatalogued` gives what is kept and what the database will not take: it is sent all the same."""
        self._catalogue, self._spool, self._caught_up = catalogue, spool, caught_up
        self._uncatalogued = uncatalogued

    def resolve(self, query: Query) -> Sequence[OutgoingInstance]:
        """The instances to send; none when nothing matches.

        Raises:
            IdentifierMismatch: the identifier is not one its information model allows.
            CannotRetrieve: the catalogue is behind.
        """
        selection = check_retrieve(query)
        if not self._caught_up():
            raise CannotRetrieve("catalogue is behind, try again")
        selected = [*self._catalogue.select(selection), *filter(selection.holds, self._uncatalogued())]
        return [outgoing(self._spool, stored) for stored in selected]
