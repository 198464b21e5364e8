"""The demonstration's child processes: started here, stopped by their handle, and missed when they die."""

import errno
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

_LAST_LINES = 25
_PATIENCE_S = 25.0
_LOWEST_PORT, _FIRST_EPHEMERAL_PORT = 12_000, 32_768


class ChildDied(Exception):
    """A child process ended by itself, or never became ready; the message holds the last it said."""


class Child:
    """One process with its output in `log`. It ends with this process, and never by its name."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is ours to pass on, in order
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    @property
    def pid(self) -> int:
        """Its process id, which is also its session's: descendants that outlive their parents keep that."""
        return self._process.pid

    def check(self) -> None:
        """Raises ChildDied when it no longer runs."""
        code = self._process.poll()
        if code is not None:
            raise ChildDied(f"{self.name} ended by itself with exit code {code}; it said last:\n{self._last_words()}")

    def wait_for_port(self, port: int) -> Self:
        """Wait until it listens.

        Raises:
            ChildDied: it ended instead, or took too long.
        """
        end = time.monotonic() + _PATIENCE_S
        while not _listens(port):
            self.check()
            if time.monotonic() > end:
                words = f"{self.name} does not listen on port {port} after {_PATIENCE_S:g} s; it said last:"
                raise ChildDied(f"{words}\n{self._last_words()}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """Ask it to stop; insist when it takes too long."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LAST_LINES:]) or "(nothing)"


def free_ports(count: int) -> list[int]:
    """That many different TCP ports on loopback which were free a moment ago.

    They lie below those that the system gives to outgoing connections (Linux: from 32,768 on): one of these would
    otherwise be somebody's before a server that is still starting has bound it.
    """
    with ExitStack() as probes:
        return [_probed_port(probes) for _ in range(count)]


def _probed_port(probes: ExitStack) -> int:
    """A free port, held until `probes` closes."""
    while True:
        try:
            probe = socket.create_server(("127.0.0.1", random.randrange(_LOWEST_PORT, _FIRST_EPHEMERAL_PORT)))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        return int(probes.enter_context(probe).getsockname()[1])


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
