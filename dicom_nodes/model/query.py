"""What a query or retrieve asks for: an information model, a level, and keys (DICOM PS3.4 C.3, C.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class QueryRoot(StrEnum):
    """Information model (DICOM PS3.4 C.6)."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"


class QueryLevel(StrEnum):
    """Query/Retrieve Level (0008,0052)."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


LEVELS: tuple[QueryLevel, ...] = tuple(QueryLevel)
"""From the top of the hierarchy down."""


@dataclass(frozen=True, slots=True)
class Query:
    """A C-FIND, C-MOVE or C-GET identifier, decoded.

    `keys` maps DICOM keywords to text as received, several values joined by a backslash; empty means universal
    matching. A key inside a sequence's item is named `Sequence.Keyword`, an empty sequence by its keyword.
    `other_keys` are elements that this node does not know by keyword, or cannot read.
    `relational` allows keys of a level without the unique keys of the levels above (DICOM PS3.4 C.4.1.2.2.1).
    """

    root: QueryRoot
    level: QueryLevel
    keys: Mapping[str, str]
    other_keys: int = 0
    relational: bool = False


Match = Mapping[str, str]
"""One answer: DICOM keywords to text, several values joined by a backslash; empty where there is no value.

`Sequence.Keyword` stands for an element in the sequence's only item; where all of them are empty there is no item.
"""
