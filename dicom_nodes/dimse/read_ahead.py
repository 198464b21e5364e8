"""Reads the next instances while one is on the wire, in a thread of its own, within bounds of number and size."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from dicom_nodes.dimse.outgoing import Prepared
from dicom_nodes.model.delivery import OutgoingInstance

_INSTANCES_AHEAD = 4
_BYTES_AHEAD = 64 << 20


class Unsent:
    """Instances that nobody has taken on yet, in order; associations to the same partner share them."""

    def __init__(self, instances: Iterable[OutgoingInstance]) -> None:
        self._instances = deque(instances)

    def __bool__(self) -> bool:
        return bool(self._instances)

    def peek(self) -> OutgoingInstance | None:
        """What `take` would return."""
        try:
            return self._instances[0]
        except IndexError:
            return None

    def take(self) -> OutgoingInstance | None:
        """The next one; None when there is none left."""
        try:
            return self._instances.popleft()
        except IndexError:
            return None

    def give_back(self, instances: Iterable[OutgoingInstance]) -> None:
        """Put them in front again, in their order."""
        self._instances.extendleft(reversed(tuple(instances)))


class ReadAhead:
    """Prepared instances in the order of `unsent`; the thread that iterates is the one that sends.

    At most four wait, and together at most 64 MiB, but a larger one waits alone. What goes wrong with one instance
    is said in its `failure`. `close` must be called in the end.
    """

    def __init__(
        self,
        unsent: Unsent,
        prepare: Callable[[OutgoingInstance], Prepared],
        *,
        instances_ahead: int = _INSTANCES_AHEAD,
        bytes_ahead: int = _BYTES_AHEAD,
    ) -> None:
        self._unsent, self._prepare = unsent, prepare
        self._instances_ahead, self._bytes_ahead = instances_ahead, bytes_ahead
        self._changed = threading.Condition()
        self._waiting: deque[Prepared] = deque()
        self._bytes_waiting = 0
        self._in_hand: OutgoingInstance | None = None
        self._is_closed = self._has_ended = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def __iter__(self) -> Iterator[Prepared]:
        return self

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether `next` would return (or stop) at once, having waited for that."""
        with self._changed:
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._read, name="dicom-read-ahead", daemon=True)
                self._thread.start()
            return self._changed.wait_for(lambda: bool(self._waiting) or self._has_ended or self._is_closed, timeout_s)

    def __next__(self) -> Prepared:
        """Raises what the reading thread did not expect."""
        with self._changed:
            self.wait()
            if self._waiting:
                prepared = self._waiting.popleft()
                self._bytes_waiting -= len(prepared.data_set)
                self._changed.notify_all()
                return prepared
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """Read no more and give back what was not taken; a read under way ends by itself, and is forgotten."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            left = [prepared.instance for prepared in self._waiting]
            if self._in_hand is not None:
                left.append(self._in_hand)
            self._waiting.clear()
            self._unsent.give_back(left)
            self._changed.notify_all()

    def _read(self) -> None:
        try:
            while (instance := self._take()) is not None:
                self._put(self._prepare(instance))
        except BaseException as error:  # noqa: BLE001 - the thread's boundary: raised again by whoever sends
            self._error = error
        finally:
            with self._changed:
                self._has_ended = True
                self._changed.notify_all()

    def _take(self) -> OutgoingInstance | None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._has_room())
            self._in_hand = None if self._is_closed else self._unsent.take()
            return self._in_hand

    def _has_room(self) -> bool:
        if not self._waiting:
            return True
        following = self._unsent.peek()
        size = 0 if following is None else following.size_bytes
        return len(self._waiting) < self._instances_ahead and self._bytes_waiting + size <= self._bytes_ahead

    def _put(self, prepared: Prepared) -> None:
        with self._changed:
            if self._is_closed:
                return
            self._in_hand = None
            self._waiting.append(prepared)
            self._bytes_waiting += len(prepared.data_set)
            self._changed.notify_all()
