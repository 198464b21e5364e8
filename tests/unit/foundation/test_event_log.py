"""Events carry no patient data, not even by way of an exception's text."""

import io
import json
import logging
import sys
from pathlib import Path

import pytest

from dicom_nodes.foundation.event_log import UidHash, configure_event_log, event_log


def test_an_exception_is_logged_by_type_and_place_only(capsys: pytest.CaptureFixture[str]) -> None:
    configure_event_log()
    try:
        raise ValueError("MARKED^PATIENT 9990000018")
    except ValueError as error:
        event_log().error("job.failed", exc_info=error)
    event = json.loads(capsys.readouterr().err)
    assert event["event"] == "job.failed"
    assert event["error"] == "ValueError"
    assert event["at"].startswith("test_event_log.py:")
    assert "MARKED" not in json.dumps(event)


def test_libraries_that_quote_data_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    configure_event_log()
    for name in ("pynetdicom", "pynetdicom.acse", "pydicom", "sqlalchemy.engine", "httpx2"):
        logging.getLogger(name).error("MARKED^PATIENT")
    captured = capsys.readouterr()
    assert "MARKED" not in captured.err + captured.out


class _FullDisk(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_line_that_cannot_be_written_stops_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_event_log()
    monkeypatch.setattr(sys, "stderr", _FullDisk())
    event_log().info("planner.worked")
    event_log().error("planner.failed", exc_info=ValueError())


def test_a_uid_hash_is_stable_for_a_key_and_differs_between_keys(tmp_path: Path) -> None:
    first = UidHash.from_file(tmp_path / "a.key")
    assert first("1.2.3") == UidHash.from_file(tmp_path / "a.key")("1.2.3")
    assert first("1.2.3") != UidHash.from_file(tmp_path / "b.key")("1.2.3")
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    assert "1.2.3" not in first("1.2.3")
