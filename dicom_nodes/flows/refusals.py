"""What was refused for want of resources a moment ago, for the node's health; whichever process refused it."""

import time

_LATELY_S = 60.0


class Refusals:
    """Keeps the last; safe for threads."""

    def __init__(self) -> None:
        self._last: tuple[float, str] | None = None

    def note(self, why: str) -> None:
        self._last = (time.monotonic(), why)

    def lately(self) -> str | None:
        """Why an instance was refused within the last minute, if one was."""
        last = self._last
        return last[1] if last and time.monotonic() - last[0] < _LATELY_S else None
