"""A router in a process of its own that kills itself (-9) after a step of its alerts.

Its clock goes on by itself from wherever the test has set it (`SharedClock`), also while no router runs. The process
comes from a fork server that has imported the router already, so that many of them cost little.
"""

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import uvicorn

from dicom_nodes.foundation.clock import utc_now
from router.app import create_app
from router.config import load_router_settings
from tests.peers.processes import accepts_connections, free_port, wait_until


class Killer:
    """A checkpoint that ends this process as a power cut would, at the nth time the step is done."""

    def __init__(self, step: str, nth: int) -> None:
        self._step, self._left = step, nth
        self._lock = threading.Lock()

    def __call__(self, step: str) -> None:
        with self._lock:
            self._left -= step == self._step
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class SharedClock:
    """Real time, moved by what a file says, so that one test's processes all see the same."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self) -> datetime:
        return utc_now() + timedelta(seconds=float(self._file.read_text()))

    def set_to(self, moment: datetime) -> None:
        """Make it this moment now."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str((moment - utc_now()).total_seconds()))
        fresh.replace(self._file)


def _serve(file: Path, clock: SharedClock, port: int, step: str, nth: int) -> None:
    app = create_app(load_router_settings(file), clock, checkpoint=Killer(step, nth))
    listening = socket.create_server(("127.0.0.1", port))
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listening])


@contextmanager
def router_process(
    file: Path, clock: SharedClock, die_after: str = "", nth: int = 1
) -> Iterator[tuple[BaseProcess, str]]:
    """A router over this file's database, with its URL; killed at the end if it is still there."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.peers.crashing_router"])
    port = free_port()
    process = context.Process(target=_serve, args=(file, clock, port, die_after, nth), daemon=True)
    process.start()
    try:
        wait_until(lambda: process.exitcode is not None or accepts_connections(port), "the router listens")
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.join()
        process.close()


def dies(file: Path, clock: SharedClock, die_after: str, nth: int = 1) -> None:
    """Run a router until it has killed itself after this step."""
    with router_process(file, clock, die_after, nth) as (process, _):
        process.join(20)
        assert process.exitcode == -signal.SIGKILL, f"it did not reach {die_after}"
