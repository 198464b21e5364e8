"""One commit for what several threads want written at the same time: its sync is what each of them waits for."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from dicom_nodes.foundation.database import is_temporary

ItemT = TypeVar("ItemT")
_AT_ONCE = 64


class _Wanted(Generic[ItemT]):
    """What one thread wants written, and what became of it."""

    __slots__ = ("failure", "is_decided", "item")

    def __init__(self, item: ItemT) -> None:
        self.item = item
        self.is_decided = False
        self.failure: Exception | None = RuntimeError("its writer ended before it was written")


class SharedCommits(Generic[ItemT]):
    """Call it with an item: it returns once that is durable.

    Whoever comes while another's commit is under way waits for its end; then one of those who wait writes for all.
    """

    def __init__(self, write: Callable[[Sequence[ItemT]], None]) -> None:
        """`write` makes several items durable in one transaction, or raises and has written none."""
        self._write = write
        self._guard = threading.Lock()
        self._waiting: list[_Wanted[ItemT]] = []
        self._writing = threading.Lock()

    def __call__(self, item: ItemT) -> None:
        """Whatever `write` raises of this item passes through.

        Another's item fails nobody else's, but a database that is away, busy or full fails all that waited for it.
        """
        (failure,) = self.all([item])
        if failure is not None:
            raise failure

    def all(self, items: Sequence[ItemT]) -> list[Exception | None]:
        """Several at once: what went wrong of each, as a call of its own would have raised it."""
        mine = [_Wanted(item) for item in items]
        with self._guard:
            self._waiting += mine
        with self._writing:
            while not all(wanted.is_decided for wanted in mine):
                self._write_waiting()
        return [wanted.failure for wanted in mine]

    def _write_waiting(self) -> None:
        with self._guard:
            together, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        try:
            failure = self._written(together)
            if failure is not None and len(together) > 1 and not is_temporary(failure):
                for wanted in together:
                    self._written([wanted])
        finally:
            for wanted in together:
                wanted.is_decided = True

    def _written(self, together: Sequence[_Wanted[ItemT]]) -> Exception | None:
        failure = None
        try:
            self._write([wanted.item for wanted in together])
        except Exception as error:  # noqa: BLE001 - raised in the threads whose items these are
            failure = error
        for wanted in together:
            wanted.failure = failure
        return failure
