"""Answers a query from what this node holds; the network scope comes with a later issue.

What was acknowledged is found: where the catalogue's rows are behind the spool, an answer would be incomplete without
saying so (DESIGN.md promise 9), and none is given.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from dicom_nodes.flows.ports import CaughtUp
from dicom_nodes.model.errors import OutOfResources
from dicom_nodes.model.query import Match, Query
from dicom_nodes.rules.query_identifier import CheckedQuery, check_query


class QueryCatalogue(Protocol):
    """Finds what a checked query asks for."""

    def find(self, query: CheckedQuery, is_cancelled: Callable[[], bool]) -> Iterator[Match]:
        """Stream the matches; each holds the keys the query asked for, as far as they are supported.

        Where few match, `is_cancelled` is asked between them too; the stream ends once it says so.
        """


class QueryFlow:
    """C-FIND without its wire."""

    def __init__(self, catalogue: QueryCatalogue, caught_up: CaughtUp = lambda: True) -> None:
        self._catalogue, self._caught_up = catalogue, caught_up

    def find(
        self, query: Query, is_cancelled: Callable[[], bool] = lambda: False
    ) -> tuple[CheckedQuery, Iterator[Match]]:
        """Check the query and start it.

        Raises:
            IdentifierMismatch: the identifier is not one its information model allows.
            OutOfResources: the catalogue is behind.
        """
        checked = check_query(query)
        if not self._caught_up():
            raise OutOfResources("catalogue is behind, try again")
        return checked, self._catalogue.find(checked, is_cancelled)
