"""Call something again and again from a thread of its own, more slowly while it fails."""

import threading
from collections.abc import Callable

from dicom_nodes.foundation.event_log import event_log


class Ticker:
    """Calls `work` every `pause_s`; after failures the pause doubles up to `longest_pause_s`."""

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        *,
        pause_s: float,
        longest_pause_s: float,
        patience_s: float | None = None,
    ) -> None:
        """`patience_s` bounds how long `stop` waits for a call under way; None waits for its end."""
        self._name, self._work = name, work
        self._pause_s, self._longest_pause_s, self._patience_s = pause_s, longest_pause_s, patience_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tick, name=name, daemon=patience_s is not None)

    @property
    def name(self) -> str:
        return self._name

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(self._patience_s)

    def _tick(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._work()
                if failures:
                    event_log().info("ticker.recovered", ticker=self._name, failures=failures)
                failures = 0
            except Exception as error:  # noqa: BLE001 - a worker's boundary: recorded, and tried again
                failures += 1
                if failures in {1, 10} or failures % 100 == 0:
                    event_log().warning("ticker.failed", ticker=self._name, failures=failures, exc_info=error)
            pause_s = self._pause_s if not failures else min(self._longest_pause_s, 0.5 * 2 ** min(failures, 10))
            self._stopping.wait(pause_s)
