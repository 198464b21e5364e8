"""A node's wire on SQLite, for tests that are not about databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.dimse.node import WireNode, peer, running_node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[WireNode]:
    peers = [
        peer("DCMTK"),
        peer("HOME", role="workstation", may=["echo", "store", "find", "get"]),
        peer("RXL", role="node", may=["echo", "store", "get"]),
        peer("MUTE", may=["store"]),
    ]
    with running_node(tmp_path, f"sqlite:///{tmp_path / 'node.db'}", *peers) as wire:
        yield wire
