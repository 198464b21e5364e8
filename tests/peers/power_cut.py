"""A disk that forgets what was not synced: what a power cut would leave of a folder, file by file.

Every `os.fsync` and `os.fdatasync` of this process is watched. A file survives with the content of its last sync, and
only if the folder that names it was synced afterwards.
"""

import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest


class PowerCut:
    """Watches from its making; `leave(source, target)` writes what would be left of `source` into `target`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._files: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, int]] = {}
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, partial(self._watched, getattr(os, name)))

    def _watched(self, really_sync: Callable[[int], None], descriptor: int) -> None:
        really_sync(descriptor)
        status = os.fstat(descriptor)
        place = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if stat.S_ISDIR(status.st_mode):
            self._folders[status.st_ino] = {entry.name: entry.inode() for entry in os.scandir(place)}
        else:
            self._files[status.st_ino] = place.read_bytes()

    def leave(self, source: Path, target: Path) -> None:
        """Copy what is durable; `source` itself is taken to be named durably."""
        target.mkdir(parents=True, exist_ok=True)
        for name, inode in self._folders.get(source.stat().st_ino, {}).items():
            place = source / name
            if place.is_dir():
                self.leave(place, target / name)
            elif inode in self._files:
                (target / name).write_bytes(self._files[inode])
