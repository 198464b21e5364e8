"""Every call by which the spool changes the disk, in one place: what a crash test cuts short and a full disk refuses.

Errors are `OSError`s; nothing is retried here. A failed sync is never tried again on the same bytes: the kernel may
have dropped them and would then report success.
"""

import ctypes
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from dicom_nodes.foundation.buffers import Buffer

_SYNC_FILE_RANGE_WRITE = 2


def _sync_file_range() -> Callable[[int, int, int, int], int] | None:
    """Linux's call that starts writing back without waiting; None where the C library has none."""
    try:
        function = ctypes.CDLL(None, use_errno=True).sync_file_range
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return function


_START_WRITING_BACK = _sync_file_range()


class Disk:
    """The real disk; tests put another in its place."""

    def write(self, descriptor: int, buffers: Sequence[Buffer], offset: int) -> None:
        """Write all of them, one behind the other, from `offset` on."""
        left = [memoryview(buffer) for buffer in buffers]
        while left:
            written = os.pwritev(descriptor, left, offset)
            offset += written
            while left and written >= len(left[0]):
                written -= len(left.pop(0))
            if written:
                left[0] = left[0][written:]

    def start_writing_back(self, descriptor: int, offset: int, size_bytes: int) -> None:
        """Have the kernel begin to write the range, so that the sync to come waits for less; a hint, no promise."""
        if _START_WRITING_BACK is not None:
            _START_WRITING_BACK(descriptor, offset, size_bytes, _SYNC_FILE_RANGE_WRITE)

    def sync(self, descriptor: int) -> None:
        """Return once everything written to the file is durable."""
        os.fdatasync(descriptor)

    def create(self, file: Path, size_bytes: int) -> int:
        """A new file with `size_bytes` reserved, durable with its name; returns its descriptor."""
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size_bytes)
            os.fsync(descriptor)
            self.sync_folder(file.parent)
        except OSError:
            os.close(descriptor)
            file.unlink(missing_ok=True)
            raise
        return descriptor

    def extend(self, descriptor: int, size_bytes: int) -> None:
        """Have the file reach to `size_bytes`, with the room reserved."""
        at = os.fstat(descriptor).st_size
        if size_bytes > at:
            os.posix_fallocate(descriptor, at, size_bytes - at)

    def shrink(self, descriptor: int, size_bytes: int) -> None:
        """Cut the file there."""
        os.ftruncate(descriptor, size_bytes)

    def free_bytes(self, folder: Path) -> int:
        """What the file system has left."""
        return shutil.disk_usage(folder).free

    def remove(self, file: Path) -> None:
        """Take the file away; it may come back after a power cut, which does no harm to a released segment."""
        file.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        """Make the folder's entries durable."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
