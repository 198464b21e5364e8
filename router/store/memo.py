"""What a transaction has read once and need not read again.

Only where nobody else can write until it ends: SQLite's write lock is had from the beginning. On PostgreSQL another
may commit in between, and whoever has waited for a lock must see it: there everything is asked anew.
"""

import enum
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

ValueT = TypeVar("ValueT")


class Kind(enum.Enum):
    """What is kept, by the id in its name."""

    TRUST = enum.auto()
    STUDY = enum.auto()
    STUDIES_OF_ACCESSION = enum.auto()
    READER = enum.auto()
    SESSION = enum.auto()
    PATHWAYS = enum.auto()
    READ = enum.auto()
    FIRST_READS_OF_STUDY = enum.auto()
    SECOND_READS_OF_STUDY = enum.auto()
    REPORT = enum.auto()
    REPORTS_OF_STUDY = enum.auto()
    DELIVERIES_OF_REPORT = enum.auto()
    DELIVERIES_OF_STUDY = enum.auto()
    ORDER = enum.auto()
    LAST_ORDER_OF_NODE = enum.auto()
    ALERTS_OF_STUDY = enum.auto()
    OPEN_ITEMS_OF_STUDY = enum.auto()
    ITEM_OF_KEY = enum.auto()
    PATIENT_IN_DOUBT_OF_STUDY = enum.auto()
    AID_OF_READ = enum.auto()

    __hash__ = object.__hash__  # one for each, and asked for at every look


UNKNOWN: Any = object()
"""Nothing is known of it; None is that it is not there."""


class Memo:
    """Values by what they are of and their key; whoever writes says what is true now, or forgets what that changes."""

    def __init__(self, *, is_kept: bool) -> None:
        self.is_kept = is_kept
        self._known: dict[Kind, dict[Any, Any]] = {}

    def of(self, kind: Kind, key: object, read: Callable[[], ValueT]) -> ValueT:
        """What is known, or what `read` finds, which must be something that nobody changes."""
        if not self.is_kept:
            return read()
        known = self._known.setdefault(kind, {})
        if key not in known:
            known[key] = read()
        found: ValueT = known[key]
        return found

    def get(self, kind: Kind, key: object) -> Any:
        """What is known just now, or UNKNOWN."""
        known = self._known.get(kind)
        return UNKNOWN if known is None else known.get(key, UNKNOWN)

    def unknown(self, kind: Kind, keys: Iterable[str]) -> list[str]:
        """Those of the keys that nothing is known of."""
        known = self._known.get(kind, {})
        return [key for key in dict.fromkeys(keys) if key not in known]

    def put(self, kind: Kind, key: object, value: object) -> None:
        """What is true of it since it was written."""
        if self.is_kept:
            self._known.setdefault(kind, {})[key] = value

    def forget(self, *kinds: Kind) -> None:
        """Of these kinds, or of all."""
        for kind in kinds or tuple(self._known):
            self._known.pop(kind, None)

    def forget_one(self, kind: Kind, key: object) -> None:
        self._known.get(kind, {}).pop(key, None)
