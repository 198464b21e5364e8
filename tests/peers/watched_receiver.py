"""`python -m tests.peers.watched_receiver FOLDER`: a receiver whose every synced file is copied to FOLDER as it was
synced: what a power cut would leave of what it wrote.
"""

import os
import sys
from functools import partial
from pathlib import Path

from dicom_nodes.foundation.event_log import configure_event_log
from dicom_nodes.receiver import run


def watched_receivers(folder: Path) -> list[str]:
    """The command of such receivers; `folder` is there."""
    return [sys.executable, "-m", "tests.peers.watched_receiver", str(folder)]


def _watched(folder: Path, really_sync: "partial[None]", descriptor: int) -> None:
    really_sync(descriptor)
    file = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
    if file.suffix == ".seg":
        copy = folder / f"{file.name}.{os.getpid()}"
        copy.write_bytes(file.read_bytes())
        copy.rename(folder / file.name)


if __name__ == "__main__":
    configure_event_log()
    for name in ("fsync", "fdatasync"):
        setattr(os, name, partial(_watched, Path(sys.argv[1]), partial(getattr(os, name))))
    sys.exit(run())
