"""What several hazards share: a router that plans only when told to, and one behind a real HTTP port."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from tests.integration.router.region import Region, running_region


@pytest.fixture
def region(tmp_path: Path, database_url: str) -> Iterator[Region]:
    """RXN makes images, reader-1 sits at RXL, reader-2 at RXN; once for each database, on the test's own clock."""
    with running_region(tmp_path / "region", database_url) as running:
        yield running


@pytest.fixture
def sqlite_region(tmp_path: Path) -> Iterator[Region]:
    """For behaviour in which the database plays no part."""
    with running_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        yield running


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve a started application over HTTP on a free loopback port; yields its URL."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
