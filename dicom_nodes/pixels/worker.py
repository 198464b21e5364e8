"""The process that codecs run in: reads a job, writes its outcome, over and over, until its input ends.

It may be killed, abort or run out of memory at any time; nobody but the instance in hand suffers.
"""

import os
import resource
import struct
import sys
from typing import BinaryIO

JOB = struct.Struct(">QHH")
"""Length of the data set, of the stored and of the wanted transfer syntax UID, which follow in reverse order."""
OUTCOME = struct.Struct(">?Q")
"""Whether it worked; length of the data set or of the reason, which follows."""


def main() -> None:
    """Work on the standard streams; what codecs print goes nowhere."""
    from dicom_nodes.pixels.conversion import converted
    from dicom_nodes.pixels.reencoding import CannotConvertError

    memory_bytes, cpu_s = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    jobs, outcomes = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while head := jobs.read(JOB.size):
        size, stored_size, wanted_size = JOB.unpack(head)
        wanted, stored = jobs.read(wanted_size).decode(), jobs.read(stored_size).decode()
        used_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        resource.setrlimit(resource.RLIMIT_CPU, (int(used_s) + cpu_s, resource.RLIM_INFINITY))
        try:
            content, worked = converted(jobs.read(size), stored, wanted), True
        except CannotConvertError as error:
            content, worked = str(error).encode(), False
        except MemoryError:
            content, worked = b"the image takes more memory than there is for it", False
        _write(outcomes, worked, content)


def _write(outcomes: BinaryIO, worked: bool, content: bytes) -> None:
    outcomes.write(OUTCOME.pack(worked, len(content)))
    outcomes.write(content)
    outcomes.flush()


if __name__ == "__main__":
    main()
