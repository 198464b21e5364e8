"""A PostgreSQL server for one measurement: a fresh cluster under the measurement's folder, gone with it."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from readacross.bench.results import CannotMeasure
from readacross.demo.children import free_ports


@contextmanager
def own_postgresql(folder: Path) -> Iterator[tuple[str, int]]:
    """Run it and yield the URL of an empty database, and the server's process id.

    As root the server runs as the user `postgres`, because it refuses to be root.

    Raises:
        CannotMeasure: it is not installed, or does not start.
    """
    programs = _programs()
    data, (port,) = folder / "data", free_ports(1)
    folder.mkdir(parents=True)
    user = "postgres" if os.getuid() == 0 else None
    if user is not None:
        owner = pwd.getpwnam(user)
        for place in (folder, *folder.parents[:1]):
            os.chmod(place, 0o755)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    _run([programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"], user)
    options = ["-p", port, "-h", "127.0.0.1", "-k", folder, "-c", "max_connections=200", "-c", "shared_buffers=512MB"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [str(word) for word in (programs / "postgres", "-D", data, *options)],
            stdout=log,
            stderr=subprocess.STDOUT,
            user=user,
            start_new_session=True,
        )
    try:
        _run([programs / "pg_isready", "-h", "127.0.0.1", "-p", port, "-t", "20"], user, tries=100)
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres", server.pid
    finally:
        server.send_signal(signal.SIGINT)  # "fast shutdown": open sessions are ended, not awaited
        server.wait(60)


def server_cpu_s(pid: int) -> float:
    """CPU seconds of the server and its children, which lead sessions of their own."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            if pid in {int(stat.parent.name), int(fields[1])}:
                ticks += sum(map(int, fields[11:13]))
                ticks += sum(map(int, fields[13:15])) if int(stat.parent.name) == pid else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def _programs() -> Path:
    folders = [file.parent for file in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if folders:
        return max(folders, key=lambda folder: float(folder.parent.name))
    found = shutil.which("initdb")
    if found is None:
        raise CannotMeasure("PostgreSQL is not installed")
    return Path(found).parent


def _run(command: list[object], user: str | None, tries: int = 1) -> None:
    for _ in range(tries):
        done = subprocess.run(
            [str(word) for word in command], user=user, cwd="/", capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
        time.sleep(0.1)
    raise CannotMeasure(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:]}")
