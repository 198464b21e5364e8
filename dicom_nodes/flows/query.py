"""Answers a query from what this node holds; the network scope comes with a later issue."""

from collections.abc import Iterator
from typing import Protocol

from dicom_nodes.model.query import Match, Query
from dicom_nodes.rules.query_identifier import CheckedQuery, check_query


class QueryCatalogue(Protocol):
    """Finds what a checked query asks for."""

    def find(self, query: CheckedQuery) -> Iterator[Match]:
        """Stream the matches; each holds the keys the query asked for, as far as they are supported."""


class QueryFlow:
    """C-FIND without its wire."""

    def __init__(self, catalogue: QueryCatalogue) -> None:
        self._catalogue = catalogue

    def find(self, query: Query) -> tuple[CheckedQuery, Iterator[Match]]:
        """Check the query and start it.

        Raises:
            IdentifierMismatch: the identifier is not one its information model allows.
        """
        checked = check_query(query)
        return checked, self._catalogue.find(checked)
