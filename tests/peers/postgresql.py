"""A PostgreSQL server of the test's own: a fresh cluster in a temporary folder, on a free port, gone afterwards."""

import os
import pwd
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.peers.processes import RunningProcess, free_port, wait_until

_OPTIONS = ("-c", "max_connections=200", "-c", "shared_buffers=64MB")


def postgresql_folder() -> Path | None:
    """Where the newest installed server's programs are, or None."""
    folders = [file.parent for file in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if folders:
        return max(folders, key=lambda folder: float(folder.parent.name))
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Run a server and yield its URL without a database name: `postgresql+psycopg://postgres@127.0.0.1:PORT`.

    Started as root, the server runs as user `postgres`, because it refuses to be root.
    """
    programs = postgresql_folder()
    assert programs is not None, "PostgreSQL is not installed"
    user = "postgres" if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="readacross-postgresql-"))
    try:
        if user:
            owner = pwd.getpwnam(user)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data, port = folder / "data", free_port()
        initdb = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        with RunningProcess(initdb, user=user, folder=folder) as making:
            assert making.wait(60) == 0, making.output
        server = RunningProcess(
            [programs / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, *_OPTIONS],
            user=user,
            folder=folder,
        )
        try:
            server.wait_for_port(port)
            base_url = f"postgresql+psycopg://postgres@127.0.0.1:{port}"
            wait_until(lambda: _answers(base_url), "PostgreSQL answers a query")
            yield base_url
        finally:
            server.stop(signal.SIGINT)  # SIGINT is "fast shutdown": open sessions are ended, not awaited
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fresh_database(base_url: str) -> str:
    """Create an empty database on the server and return its URL."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(_plain(base_url) + "/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{base_url}/{name}"


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _answers(base_url: str) -> bool:
    try:
        with psycopg.connect(_plain(base_url) + "/postgres", connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False
