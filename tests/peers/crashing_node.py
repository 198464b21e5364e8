"""`python -m tests.peers.crashing_node TRUST.toml [STEP [NTH]]`: a node that kills itself (-9) after a step.

Without a step it is simply the node. It prints `listening DICOM_PORT HL7_PORT` once it listens.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from dicom_nodes.app import NodeApp, run
from dicom_nodes.config import load_node_settings
from dicom_nodes.foundation.event_log import configure_event_log


class Killer:
    """A checkpoint that ends this process as a power cut would, at the nth time the step is done."""

    def __init__(self, step: str, nth: int) -> None:
        self._step, self._left = step, nth
        self._lock = threading.Lock()

    def __call__(self, step: str) -> None:
        if step != self._step:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._kill()

    def _kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def say_ports(app: NodeApp) -> None:
    print(f"listening {app.dicom_port} {app.hl7_port}", flush=True)


if __name__ == "__main__":
    configure_event_log()
    chosen = sys.argv[2] if len(sys.argv) > 2 else ""
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    sys.exit(run(load_node_settings(Path(sys.argv[1])), Killer(chosen, count), say_ports))
