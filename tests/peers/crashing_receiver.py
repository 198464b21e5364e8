"""`python -m tests.peers.crashing_receiver STEP NTH MARKER`: a receiver that kills itself (-9) after a step, once.

The file MARKER is made when it does; receivers that find it there live on.
"""

import sys
from pathlib import Path

from dicom_nodes.foundation.event_log import configure_event_log
from dicom_nodes.receiver import run
from tests.peers.crashing_node import Killer


def crashing_receivers(step: str, nth: int, marker: Path) -> list[str]:
    """The command of such receivers."""
    return [sys.executable, "-m", "tests.peers.crashing_receiver", step, str(nth), str(marker)]


class KillerOnce(Killer):
    """Of all processes that share the marker, one."""

    def __init__(self, step: str, nth: int, marker: Path) -> None:
        super().__init__(step, nth)
        self._marker = marker

    def _kill(self) -> None:
        try:
            self._marker.touch(exist_ok=False)
        except FileExistsError:
            return
        super()._kill()


if __name__ == "__main__":
    configure_event_log()
    chosen, count, file = sys.argv[1:]
    sys.exit(run(KillerOnce(chosen, int(count), Path(file))))
