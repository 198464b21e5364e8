"""Several associations to one partner at once: each in a thread, their results in one stream as they come."""

import queue
import threading
from collections.abc import Callable, Iterator

from dicom_nodes.dimse.association import NoContextAccepted
from dicom_nodes.dimse.read_ahead import Unsent
from dicom_nodes.model.delivery import StoreResult
from dicom_nodes.model.errors import NodeError

_LOOK_EVERY_S = 0.05
_RESULTS_WAITING = 64
"""More than that are not sent ahead of a caller that takes its time over each result."""


class _Ended:
    """A thread's last word."""


Send = Callable[[Callable[[], bool]], Iterator[StoreResult]]


def in_parallel(count: int, send: Send, is_cancelled: Callable[[], bool], unsent: Unsent) -> Iterator[StoreResult]:
    """Run `send` in `count` threads, which share `unsent`, and yield what they yield; all have ended afterwards.

    `is_cancelled` is only asked by the thread that iterates. One association that fails leaves its share to the
    others; it is an error when they all fail, or when something stays unsent.

    Raises:
        NoContextAccepted: something is unsent, and no association failed for another reason.
        PeerUnavailable, PeerRefused: as `send` does.
    """
    results: queue.Queue[StoreResult | _Ended] = queue.Queue(_RESULTS_WAITING)
    stopped, errors = threading.Event(), list[Exception]()
    threads = [
        threading.Thread(target=_run, args=(send, results, stopped, errors), name=f"dicom-send-{number}", daemon=True)
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    cancelled, running = False, count
    try:
        while running:
            if not cancelled and is_cancelled():
                cancelled = True
                stopped.set()
            try:
                result = results.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                continue
            if isinstance(result, _Ended):
                running -= 1
            else:
                yield result
    finally:
        stopped.set()
        _end(threads, results)
    if errors and not cancelled and (unsent or len(errors) == count):
        raise min(errors, key=_refused_contexts)


def _refused_contexts(error: Exception) -> bool:
    """Says the least about the rest: another association may well have had its contexts."""
    return isinstance(error, NoContextAccepted)


def _run(
    send: Send, results: "queue.Queue[StoreResult | _Ended]", stopped: threading.Event, errors: list[Exception]
) -> None:
    try:
        for result in send(stopped.is_set):
            results.put(result)
    except NodeError as error:
        errors.append(error)
    except Exception as error:  # noqa: BLE001 - the thread's boundary: raised again by whoever iterates
        errors.insert(0, error)
    finally:
        results.put(_Ended())


def _end(threads: list[threading.Thread], results: "queue.Queue[StoreResult | _Ended]") -> None:
    """Wait for the threads, taking from them what nobody wants any more."""
    for thread in threads:
        while thread.is_alive():
            try:
                results.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                continue
