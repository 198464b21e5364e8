"""Bytes that pass through: whoever takes a `Buffer` looks at it or hands it on, and copies no more than it needs."""

import mmap

Buffer = bytes | bytearray | memoryview

LET_GO_EVERY_BYTES = 8 << 20
"""How much of a long buffer to pass through before `let_go`."""


class FileMap(mmap.mmap):
    """A read-only memory map of a file, so that what was looked at can be let go: the file still has it."""


def let_go(buffer: Buffer | mmap.mmap) -> None:
    """Have the process hold no more of a memory-mapped file than it looks at next; anything else stays as it is.

    The pages stay in the kernel's cache, so whoever looks again finds them. A gigabyte that is passed through would
    otherwise count as the process's own memory until its end.
    """
    source = buffer.obj if isinstance(buffer, memoryview) else buffer
    if isinstance(source, FileMap) and not source.closed:
        source.madvise(mmap.MADV_DONTNEED)
