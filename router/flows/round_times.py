"""How long a planner's rounds take, by kind, until it is said in the log, and how long it pauses after one."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

_PAUSE_FOR_EACH_S = 3.0
_LONGEST_PAUSE_S = 1.0
"""However long a round took, an emergency waits no longer for the next to begin."""

RoundKind = Literal["at_event", "anew"]


def pause_after(took_s: float, least_s: float) -> float:
    """Seconds until the next round may begin after one that took so many of the processor."""
    return max(least_s, min(_PAUSE_FOR_EACH_S * took_s, _LONGEST_PAUSE_S))


@dataclass(frozen=True, slots=True)
class _Took:
    wall_s: float
    cpu_s: float


class RoundTimes:
    """Belongs to the one thread that plans; times are of the monotonic clock and of this thread's CPU."""

    def __init__(self) -> None:
        self._took: dict[RoundKind, list[_Took]] = defaultdict(list)
        self._since = time.monotonic()
        self.last_s = 0.0
        """CPU seconds of the last one."""

    @contextmanager
    def timed(self, kind: RoundKind) -> Iterator[None]:
        """Times what is inside, whether or not it fails."""
        began, cpu = time.monotonic(), time.thread_time()
        try:
            yield
        finally:
            self.last_s = time.thread_time() - cpu
            self._took[kind].append(_Took(time.monotonic() - began, self.last_s))

    def due(self, every_s: float) -> bool:
        """Whether so long a time has passed since they were said."""
        return time.monotonic() - self._since >= every_s

    def said(self) -> dict[RoundKind, dict[str, float]]:
        """Count and milliseconds of each kind, which then begin anew."""
        figures: dict[RoundKind, dict[str, float]] = {}
        for kind, took in self._took.items():
            wall, cpu = sorted(one.wall_s for one in took), sorted(one.cpu_s for one in took)
            figures[kind] = {
                "count": len(took),
                **{name: round(1000 * value, 1) for name, value in _figures(wall).items()},
                **{f"cpu_{name}": round(1000 * value, 1) for name, value in _figures(cpu).items()},
            }
        self._took.clear()
        self._since = time.monotonic()
        return figures


def _figures(ordered: list[float]) -> dict[str, float]:
    last = len(ordered) - 1
    return {"p50_ms": ordered[last // 2], "p95_ms": ordered[round(last * 0.95)], "max_ms": ordered[last]}
