"""What a transaction has read once and need not read again.

Only where nobody else can write until it ends: SQLite's write lock is had from the beginning. On PostgreSQL another
may commit in between, and whoever has waited for a lock must see it: there everything is asked anew.
"""

import enum
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

ValueT = TypeVar("ValueT")


class Kind(enum.Enum):
    """What is kept, by the id in its name."""

    TRUST = enum.auto()
    STUDY = enum.auto()
    REPORT = enum.auto()
    REPORTS_OF_STUDY = enum.auto()
    DELIVERIES_OF_REPORT = enum.auto()
    DELIVERIES_OF_STUDY = enum.auto()


class Memo:
    """Values by what they are of and their key; whoever writes forgets what that changes."""

    def __init__(self, *, is_kept: bool) -> None:
        self._is_kept = is_kept
        self._known: dict[Kind, dict[str, Any]] = {}

    def of(self, kind: Kind, key: str, read: Callable[[], ValueT]) -> ValueT:
        """What is known, or what `read` finds, which must be something that nobody changes."""
        if not self._is_kept:
            return read()
        known = self._known.setdefault(kind, {})
        if key not in known:
            known[key] = read()
        found: ValueT = known[key]
        return found

    def known(self, kind: Kind) -> Iterator[tuple[str, Any]]:
        """What is known of this kind just now, by key."""
        return iter(list(self._known.get(kind, {}).items()))

    def put(self, kind: Kind, key: str, value: object) -> None:
        """What is true of it since it was written."""
        if self._is_kept:
            self._known.setdefault(kind, {})[key] = value

    def forget(self, *kinds: Kind) -> None:
        """Of these kinds, or of all."""
        for kind in kinds or tuple(self._known):
            self._known.pop(kind, None)
