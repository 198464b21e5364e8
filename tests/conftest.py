"""What every test may use: real peers where they are installed, and both databases.

A test marked `peers("orthanc", "dcmtk", "postgresql", "poppler")` names the programs it needs (none named: all). Where
one is missing the test is skipped with the reason; with READACROSS_REQUIRE_PEERS=1 it fails, and so does a run in
which anything at all was skipped.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.peers.postgresql import fresh_database, postgresql_folder, running_postgresql

# A slow machine is no fault of the code: no test fails by the clock.
settings.register_profile("readacross", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("readacross")

REQUIRE_PEERS = os.environ.get("READACROSS_REQUIRE_PEERS") == "1"

_PROGRAMS = {
    "orthanc": lambda: Path("/usr/sbin/Orthanc").exists() or shutil.which("Orthanc") is not None,
    "dcmtk": lambda: Path("/usr/bin/storescu").exists(),
    "postgresql": lambda: postgresql_folder() is not None,
    "poppler": lambda: shutil.which("pdftotext") is not None,
}
_skipped: list[str] = []


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail, a test whose peers are not on this machine."""
    needed = [name for mark in item.iter_markers("peers") for name in (mark.args or _PROGRAMS)]
    missing = sorted({name for name in needed if not _PROGRAMS[name]()})
    if missing:
        _refuse(f"not installed on this machine: {', '.join(missing)}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what was skipped."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Nothing may be skipped where peers are required."""
    if REQUIRE_PEERS and _skipped and session.exitstatus == pytest.ExitCode.OK:
        print(f"\nREADACROSS_REQUIRE_PEERS=1, but skipped: {', '.join(_skipped)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _refuse(reason: str) -> None:
    if REQUIRE_PEERS:
        pytest.fail(f"{reason}; READACROSS_REQUIRE_PEERS=1 does not allow this", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a PostgreSQL server of this test run, without a database name."""
    if postgresql_folder() is None:
        _refuse("not installed on this machine: postgresql")
    with running_postgresql() as base_url:
        yield base_url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """URL of an empty database of this test's own."""
    return fresh_database(postgresql_server)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database; the test runs once for each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    return request.getfixturevalue("postgresql_url")
