"""Worker processes that can be thrown away: a crash or a stuck codec is the failure of one instance, never the node's.

GDCM aborts the process it runs in on damaged pixel data, and codecs hold Python's lock while they work.
"""

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.model.errors import CannotTranscode
from dicom_nodes.pixels.places import Places
from dicom_nodes.pixels.worker import JOB, OUTCOME

_PIECE = 1 << 20
_JOBS_A_PROCESS = 500
_START_S = 30.0
"""For starting the process and for what is small however it is packed; empty images of 1 GiB take 7 s."""
_S_PER_MIB = 2.0
"""More than ten times what the slowest codec takes for a compressed MiB."""


class Worker:
    """One process, for one job at a time."""

    def __init__(self, memory_bytes: int, timeout_s: float, module: str) -> None:
        self._longest_s = self._timeout_s = timeout_s
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(memory_bytes), str(int(timeout_s) + 1)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.jobs_done = 0
        self._ran_out = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def convert(self, data_set: Buffer, stored: str, wanted: str) -> bytes:
        """Raises CannotTranscode; afterwards `is_usable` says whether the process is still good."""
        self._timeout_s = min(self._longest_s, timeout_s_for(len(data_set)))
        timer = threading.Timer(self._timeout_s, self._run_out)
        timer.daemon = True
        timer.start()
        try:
            worked, content = self._exchange(data_set, stored, wanted)
        except (OSError, EOFError):
            self.end()
            raise CannotTranscode(self._why_it_died()) from None
        finally:
            timer.cancel()
        self.jobs_done += 1
        if not worked:
            raise CannotTranscode(content.decode("utf-8", "replace"))
        return content

    @property
    def is_usable(self) -> bool:
        return self._process.poll() is None and not self._ran_out and self.jobs_done < _JOBS_A_PROCESS

    def end(self) -> None:
        """Kill it; idempotent."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.wait()

    def _exchange(self, data_set: Buffer, stored: str, wanted: str) -> tuple[bool, bytes]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(JOB.pack(len(data_set), len(stored), len(wanted)) + wanted.encode() + stored.encode())
        view = memoryview(data_set)
        for start in range(0, len(view), _PIECE):
            stdin.write(view[start : start + _PIECE])
        stdin.flush()
        worked, size = OUTCOME.unpack(_exactly(stdout, OUTCOME.size))
        return worked, _exactly(stdout, size)

    def _run_out(self) -> None:
        self._ran_out = True
        self._process.kill()

    def _why_it_died(self) -> str:
        if self._ran_out:
            return f"its conversion took longer than {self._timeout_s:g} s"
        return f"its conversion crashed (exit code {self._process.returncode})"


class TranscodingPool:
    """Implements `ports.Transcode`; processes are started when they are needed, and kept for the next instance."""

    def __init__(
        self,
        *,
        processes: int = 2,
        timeout_s: float = 120.0,
        memory_bytes: int = 6 << 30,
        worker_module: str = "dicom_nodes.pixels.worker",
    ) -> None:
        """At most `processes` work at once, for one receiver one less; others wait. No conversion takes more than
        `timeout_s`, and a small one less. `worker_module` stands in for the codecs in tests.
        """
        self._start: Callable[[], Worker] = lambda: Worker(memory_bytes, timeout_s, worker_module)
        self._places = Places(processes)
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def __call__(self, data_set: Buffer, stored: str, wanted: str, receiver: str = "") -> bytes:
        """As `ports.Transcode`."""
        with self._places.taken(receiver):
            worker = self._take()
            try:
                return worker.convert(data_set, stored, wanted)
            finally:
                self._give_back(worker)

    def close(self) -> None:
        """End idle processes, and busy ones when they are done; nothing is converted any more."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def _take(self) -> Worker:
        with self._lock:
            if self._is_closed:
                raise CannotTranscode("the node is stopping")
            if self._idle:
                return self._idle.pop()
        try:
            return self._start()
        except OSError as error:
            raise CannotTranscode(f"no process can be started: {error.strerror}") from None

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            if worker.is_usable and not self._is_closed:
                self._idle.append(worker)
                return
        worker.end()


def timeout_s_for(size_bytes: int) -> float:
    """How long the conversion of so large a data set may take."""
    return _START_S + _S_PER_MIB * size_bytes / (1 << 20)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise EOFError
    return content
