"""Start a program, wait until it is ready, stop exactly that one; everything it said is kept."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

from readacross.demo.children import free_ports

T = TypeVar("T")


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    (port,) = free_ports(1)
    return port


def accepts_connections(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def wait_until(condition: Callable[[], T], what: str, deadline_s: float = 20.0, every_s: float = 0.05) -> T:
    """Return the first true answer of `condition`.

    Raises:
        TimeoutError: there was none within `deadline_s`; says `what` was awaited.
    """
    end = time.monotonic() + deadline_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= end:
            raise TimeoutError(f"after {deadline_s:g} s still not: {what}")
        time.sleep(every_s)


class RunningProcess:
    """A child process in a group of its own, with its output (both streams) collected as it comes."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        user: str | None = None,
    ) -> None:
        self.arguments = [str(argument) for argument in arguments]
        self._process = subprocess.Popen(
            self.arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "PYTHONFAULTHANDLER": "1", **(environment or {})},
            user=user,
            group=user,
            extra_groups=[] if user else None,
            start_new_session=True,
        )
        self._output = bytearray()
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _collect(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            for line in self._process.stdout:
                self._output += line

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        """Everything said so far."""
        return bytes(self._output).decode(errors="replace")

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def wait_for_port(self, port: int, deadline_s: float = 30.0) -> Self:
        """Wait until it listens; a process that dies meanwhile fails at once with what it said."""
        return self._wait(lambda: accepts_connections(port), f"listening on port {port}", deadline_s)

    def wait_for_line(self, pattern: str, deadline_s: float = 30.0) -> re.Match[str]:
        """Wait until its output matches the regular expression."""
        self._wait(lambda: re.search(pattern, self.output) is not None, f"output like {pattern!r}", deadline_s)
        match = re.search(pattern, self.output)
        assert match is not None
        return match

    def _wait(self, condition: Callable[[], bool], what: str, deadline_s: float) -> Self:
        def met() -> bool:
            if condition():
                return True
            if self.exit_code is not None:
                self._reader.join(5)
                raise AssertionError(f"{self.arguments[0]} ended with {self.exit_code} before {what}:\n{self.output}")
            return False

        try:
            wait_until(met, what, deadline_s)
        except TimeoutError as error:
            raise AssertionError(f"{self.arguments[0]}: {error}; it said:\n{self.output}") from None
        return self

    def wait(self, deadline_s: float = 30.0) -> int:
        """Wait for its end; return the exit code."""
        code = self._process.wait(deadline_s)
        self._reader.join(5)
        return code

    def kill(self) -> None:
        """kill -9 of the process itself, as a crash would."""
        self._process.kill()
        self.wait()

    def stop(self, how: signal.Signals = signal.SIGTERM, deadline_s: float = 20.0) -> int:
        """Ask it to end, insist after the deadline, and leave nothing of its group behind; return the exit code.

        A Python program that does not end in time says where each of its threads is.
        """
        if self.exit_code is None:
            self._process.send_signal(how)
        try:
            return self.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)
            return self.wait()
        finally:
            self._kill_group()
            self._reader.join(5)

    def _kill_group(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def run(arguments: Sequence[str | Path], *, deadline_s: float = 60.0, folder: Path | None = None) -> tuple[int, str]:
    """Run a program to its end; return the exit code and both streams as text."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=deadline_s,
        cwd=folder,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def program(name: str, *places: str) -> Path:
    """Full path of a program, looked for in `places` before the PATH (a venv shadows DCMTK's names)."""
    for place in places:
        if (Path(place) / name).exists():
            return Path(place) / name
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed")
    return Path(found)
