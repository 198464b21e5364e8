"""What a server costs: CPU time and memory of a process and everything it started (Linux: /proc).

Descendants are found by the session, which a child that has lost its parent still has. CPU time of descendants that
ended is in their parents' account once those have waited for them, and in their own until then.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE_S = 0.2
_QUIET_S = 0.2
_SETTLING_S = 10.0


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Seconds of CPU time."""

    user_s: float
    system_s: float

    def __sub__(self, earlier: "CpuTime") -> "CpuTime":
        return CpuTime(self.user_s - earlier.user_s, self.system_s - earlier.system_s)

    @property
    def total_s(self) -> float:
        return self.user_s + self.system_s


def cpu_time(session: int) -> CpuTime:
    """CPU time of all processes of a session so far, of those that ended too."""
    user = system = 0
    for _pid, stat in _stats(session):
        user += int(stat[11]) + int(stat[13])  # utime, cutime (proc(5), counted from the state)
        system += int(stat[12]) + int(stat[14])
    return CpuTime(user / _TICKS, system / _TICKS)


def cpu_time_when_quiet(session: int) -> CpuTime:
    """The same once nothing is worked at any more, so that work put off until later counts; waits at most 10 s."""
    now, end = cpu_time(session), time.monotonic() + _SETTLING_S
    while True:
        time.sleep(_QUIET_S)
        before, now = now, cpu_time(session)
        if now.total_s - before.total_s <= 0.02 or time.monotonic() > end:
            return now


@dataclass
class PeakMemory:
    """Watches memory while it is entered: the highest sum over the session's processes of what each had at most."""

    session: int
    resident_bytes: int = 0
    """VmHWM: includes pages of mapped files."""
    anonymous_bytes: int = 0
    """RssAnon: what the process itself allocated, sampled."""
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self.sample()

    def sample(self) -> None:
        """Look now."""
        resident = anonymous = 0
        for pid, _stat in _stats(self.session):
            status = _status(pid)
            resident += status.get("VmHWM", 0)
            anonymous += status.get("RssAnon", 0)
        self.resident_bytes = max(self.resident_bytes, resident)
        self.anonymous_bytes = max(self.anonymous_bytes, anonymous)

    def _watch(self) -> None:
        while not self._stopped.wait(_SAMPLE_S):
            self.sample()


def _stats(session: int) -> Iterator[tuple[int, list[str]]]:
    """(pid, fields of /proc/PID/stat from the state on) of the processes of a session."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with suppress(OSError, IndexError):
            fields = (
                Path(f"/proc/{entry}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            )
            if int(fields[3]) == session:
                yield int(entry), fields


def _status(pid: int) -> dict[str, int]:
    """The sizes in /proc/PID/status, in bytes; empty for a process that has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    sizes = (line.split() for line in lines if line.endswith(" kB"))
    return {words[0].rstrip(":"): int(words[1]) << 10 for words in sizes}
