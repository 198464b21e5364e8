"""What is said past the event log, by a library's warning or by a thread that dies, is an event without its text."""

import json
import subprocess
import sys

_START = """import logging, threading, warnings
from dicom_nodes.foundation.event_log import configure_event_log
configure_event_log()
"""


def said_by(program: str) -> list[dict[str, str]]:
    """The events on standard error of a process of its own; every line must be one."""
    arguments = [sys.executable, "-c", _START + program]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)
    assert "MARKED" not in done.stdout + done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_warning_is_told_by_category_and_place() -> None:
    (event,) = said_by("warnings.warn('Invalid value for VR UI: MARKED^PATIENT')")
    assert (event["event"], event["category"]) == ("python.warning", "UserWarning")
    assert event["at"].endswith(":4")


def test_a_thread_that_dies_is_told_by_type_and_place() -> None:
    (event,) = said_by(
        "def work():\n    raise ValueError('MARKED^PATIENT')\n"
        "thread = threading.Thread(target=work, name='worker-1')\nthread.start()\nthread.join()\n"
    )
    assert (event["event"], event["error"], event["thread"]) == ("thread.died", "ValueError", "worker-1")


def test_a_process_that_dies_is_told_by_type_and_place() -> None:
    (event,) = said_by("raise ValueError('MARKED^PATIENT')")
    assert (event["event"], event["error"]) == ("process.died", "ValueError")


def test_a_logger_nobody_configured_is_told_by_name() -> None:
    (event,) = said_by("logging.getLogger('asyncio').error('MARKED^PATIENT', exc_info=ValueError('MARKED'))")
    assert (event["event"], event["library"], event["level"]) == ("library.message", "asyncio", "error")
