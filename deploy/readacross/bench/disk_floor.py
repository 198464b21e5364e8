"""The disk's own floor: the same bytes with the same durability, by plain writes and nothing else.

Preallocated files that are overwritten from the beginning again and again, a write and an fdatasync for each
instance, one file and one thread for each writer.
"""

import mmap
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

from readacross.bench.figures import Run, latency_figures
from readacross.bench.synthetic import Study

_SEGMENT_BYTES = 256 << 20
_BLOCK = 4096
NAME = "disk floor"


@dataclass(frozen=True, slots=True)
class DiskFloor:
    """Its files stay under `folder` from round to round: used again is what they are for."""

    folder: Path
    segment_bytes: int = _SEGMENT_BYTES

    def measure(self, studies: list[Study]) -> Run:
        """Write all instances of the studies, a writer for each study."""
        writers = [_Writer(self._segment(study.number, study), study) for study in studies]
        os.sync()
        threads = [threading.Thread(target=writer.write) for writer in writers]
        cpu, started_s = getrusage(RUSAGE_SELF), time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed_s, used = time.monotonic() - started_s, getrusage(RUSAGE_SELF)
        for writer in writers:
            writer.close()
        size_bytes, instances = sum(s.size_bytes for s in studies), sum(s.count for s in studies)
        return {
            "ok": True,
            "mb_s": size_bytes / elapsed_s / 1e6,
            "instances_s": instances / elapsed_s,
            "elapsed_s": elapsed_s,
            "user_s_gb": (used.ru_utime - cpu.ru_utime) / size_bytes * 1e9,
            "system_s_gb": (used.ru_stime - cpu.ru_stime) / size_bytes * 1e9,
            **latency_figures([latency for writer in writers for latency in writer.latencies_s]),
        }

    def _segment(self, number: int, study: Study) -> int:
        """A preallocated file, written once from end to end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"segment-{number}"
        needed = max(self.segment_bytes, study.instance(0).size_bytes + _BLOCK)
        opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        size = os.fstat(opened).st_size
        zeros = bytes(1 << 20)
        while size < needed:
            size += os.pwrite(opened, zeros, size)
        os.fsync(opened)
        return opened


class _Writer:
    def __init__(self, opened: int, study: Study) -> None:
        self._opened, self._count = opened, study.count
        instance = study.instance(0)
        self._size = -(-instance.size_bytes // _BLOCK) * _BLOCK
        self._bytes = mmap.mmap(-1, self._size)
        self._bytes.write(instance.header)
        self._bytes.write(instance.pixels)
        self._end = os.fstat(opened).st_size
        self.latencies_s: list[float] = []

    def write(self) -> None:
        at, view = 0, memoryview(self._bytes)
        for _ in range(self._count):
            if at + self._size > self._end:
                at = 0
            started_s = time.monotonic()
            written = 0
            while written < self._size:
                written += os.pwrite(self._opened, view[written:], at + written)
            os.fdatasync(self._opened)
            self.latencies_s.append(time.monotonic() - started_s)
            at += self._size

    def close(self) -> None:
        os.close(self._opened)
