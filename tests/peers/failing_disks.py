"""Disks that fail: one that is full or broken, one that stops with its process, one that loses what was not synced."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.spool.disk import Disk
from dicom_nodes.spool.record import PAGE_BYTES

_SECTOR_BYTES = 512


class Stopped(BaseException):
    """The process was killed here."""


class WatchedDisk(Disk):
    """Counts every call that changes the disk; `before` and `after` are called with the call's number.

    A killed process loses nothing that was written, so nothing is really synced.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.before: Callable[[int, str], None] = lambda _number, _call: None
        self.after: Callable[[int, str], None] = lambda _number, _call: None

    def write(self, descriptor: int, buffers: Sequence[Buffer], offset: int) -> None:
        self._watched("write", lambda: super(WatchedDisk, self).write(descriptor, buffers, offset))

    def sync(self, descriptor: int) -> None:
        self._watched("sync", lambda: None)

    def start_writing_back(self, descriptor: int, offset: int, size_bytes: int) -> None:
        """Nothing waits for it here."""

    def sync_folder(self, folder: Path) -> None:
        """As `sync`."""

    def create(self, file: Path, size_bytes: int) -> int:
        descriptor: list[int] = []
        self._watched("create", lambda: descriptor.append(super(WatchedDisk, self).create(file, size_bytes)))
        return descriptor[0]

    def extend(self, descriptor: int, size_bytes: int) -> None:
        self._watched("extend", lambda: super(WatchedDisk, self).extend(descriptor, size_bytes))

    def _watched(self, call: str, really: Callable[[], None]) -> None:
        self.calls += 1
        number = self.calls
        self.before(number, call)
        really()
        self.after(number, call)

    def stop_at(self, wanted: int, *, done: bool) -> None:
        """Kill the process at that call, with it `done` or not."""

        def stop(number: int, _call: str) -> None:
            if number == wanted:
                raise Stopped

        if done:
            self.after = stop
        else:
            self.before = stop

    def fail_at(self, wanted: int, error: int) -> None:
        """Refuse that call, once."""

        def fail(number: int, _call: str) -> None:
            if number == wanted:
                raise OSError(error, os.strerror(error))

        self.before = fail


class ForgetfulDisk(Disk):
    """Remembers what each page held before it was written, until its file is synced; syncs nothing really."""

    def __init__(self) -> None:
        self._unsynced: dict[tuple[str, int], bytes] = {}

    def write(self, descriptor: int, buffers: Sequence[Buffer], offset: int) -> None:
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        size = sum(map(len, buffers))
        for page in range(offset // PAGE_BYTES, -(-(offset + size) // PAGE_BYTES)):
            before = os.pread(descriptor, PAGE_BYTES, page * PAGE_BYTES).ljust(PAGE_BYTES, b"\0")
            self._unsynced.setdefault((name, page), before)
        super().write(descriptor, buffers, offset)

    def start_writing_back(self, descriptor: int, offset: int, size_bytes: int) -> None:
        """May or may not have happened when the power goes."""

    def sync(self, descriptor: int) -> None:
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        self._unsynced = {key: before for key, before in self._unsynced.items() if key[0] != name}

    def cut_power(self, source: Path, target: Path, keeps: Callable[[], int]) -> None:
        """Copy `source` as a power cut leaves it; `keeps()` says of each unsynced page how many sectors (0 to 8) of
        the new content reached the disk."""
        shutil.copytree(source, target)
        for (name, page), before in self._unsynced.items():
            file = target / Path(name).relative_to(source)
            if not file.exists():
                continue
            with file.open("r+b") as stream:
                new_bytes = keeps() * _SECTOR_BYTES
                stream.seek(page * PAGE_BYTES + new_bytes)
                stream.write(before[new_bytes:])
