"""A running region on each database; `database_url` comes from the suite's own conftest."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.router.region import Region, running_region


@pytest.fixture
def region(tmp_path: Path, database_url: str) -> Iterator[Region]:
    with running_region(tmp_path / "region", database_url) as running:
        yield running


@pytest.fixture
def sqlite_region(tmp_path: Path) -> Iterator[Region]:
    """For behaviour in which the database plays no part."""
    with running_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        yield running
