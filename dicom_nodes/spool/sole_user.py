"""One node alone uses a data directory: a lock that its receivers inherit."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from dicom_nodes.model.errors import CrashConsistency

_RECEIVERS_LEAVE_S = 15.0
"""How long receivers may take to end once their main process is gone."""
_LOOK_EVERY_S = 0.05


def sole_user_of(data_dir: Path) -> IO[str]:
    """Lock the data directory for the life of the returned file, and of every receiver that inherits it.

    So nobody starts beside receivers whose main process has been killed: what they have in hand is not yet told.

    Raises:
        CrashConsistency: another node runs on this data directory.
    """
    lock = (data_dir / "node.lock").open("a+")
    until = time.monotonic() + _RECEIVERS_LEAVE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            lock.seek(0)
            if _runs(lock.read()) or time.monotonic() > until:
                lock.close()
                raise CrashConsistency(f"another node runs on data directory {data_dir}") from None
            time.sleep(_LOOK_EVERY_S)
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _runs(pid: str) -> bool:
    """Whether the process runs that wrote its number into the lock; one that is just being started has not yet."""
    if not pid.strip().isdigit():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
