"""DCMTK's `storescu` and `dcmsend` as they come, with nothing set in their environment: how most images are sent.

One process for each association. Each sends the files of one study.
"""

import os
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from readacross.bench.contestants import CALLING, program
from readacross.bench.dcmtk_contestants import DCMTK
from readacross.bench.synthetic import Study

_PATIENCE_S = 600.0
_LOGGER = """
log4cplus.rootLogger = INFO, file
log4cplus.appender.file = log4cplus::FileAppender
log4cplus.appender.file.File = {log}
log4cplus.appender.file.layout = log4cplus::PatternLayout
log4cplus.appender.file.layout.ConversionPattern = %D{{%s.%q}} %m%n
"""
STOCK = ("storescu", "dcmsend")


@dataclass(frozen=True, slots=True)
class StockSent:
    """How it went; `latencies_s` (to the millisecond) only where a log was asked for."""

    elapsed_s: float
    failures: list[str]
    latencies_s: list[float]


def send(name: str, ae_title: str, port: int, folders: Sequence[Path], logs: Path | None = None) -> StockSent:
    """Send each folder by a process of its own, all at once; with `logs` they write down when they sent what."""
    commands = [_command(name, ae_title, port, folder, logs) for folder in folders]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TCP_", "DCM"))}
    started_s = time.monotonic()
    running = [
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env=environment, text=True)
        for command in commands
    ]  # fmt: skip
    try:
        outputs = [process.communicate(timeout=_PATIENCE_S)[0] for process in running]
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{name} is still sending after {_PATIENCE_S:g} s") from None
    finally:
        for process in running:
            process.kill()  # nothing, where it has ended
    elapsed_s = time.monotonic() - started_s
    failures = [
        f"{name} ended with {process.returncode}: {output.strip().splitlines()[-1:]}"
        for process, output in zip(running, outputs, strict=True)
        if process.returncode
    ]
    latencies_s = [] if logs is None else [took for file in sorted(logs.glob("*.log")) for took in latencies_in(file)]
    return StockSent(elapsed_s, failures, latencies_s)


def write_folders(folder: Path, studies: Sequence[Study]) -> list[Path]:
    """A folder of files for each study."""
    folders = [folder / f"study-{study.number}" for study in studies]
    for place, study in zip(folders, studies, strict=True):
        study.write_files(place)
    return folders


def latencies_in(log: Path) -> list[float]:
    """Seconds from each request to its answer in a log with times."""
    latencies: list[float] = []
    asked_s: float | None = None
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        found = re.match(r"(\d+\.\d+) (Sending (?:C-STORE|Store) Request|Received (?:C-STORE|Store) Response)", line)
        if found is None:
            continue
        if found[2].startswith("Sending"):
            asked_s = float(found[1])
        elif asked_s is not None:
            latencies.append(float(found[1]) - asked_s)
            asked_s = None
    return latencies


def _command(name: str, ae_title: str, port: int, folder: Path, logs: Path | None) -> list[str]:
    command = [program(name, DCMTK), "-aet", CALLING, "-aec", ae_title]
    if logs is not None:
        settings = logs / f"{folder.name}.cfg"
        settings.write_text(_LOGGER.format(log=logs / f"{folder.name}.log"), encoding="utf-8")
        command += ["-lc", str(settings)]
    return [*command, "+sd", "127.0.0.1", str(port), str(folder)]
