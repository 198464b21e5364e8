"""A receiver never outlives its main process: it would hold the port and the data directory's lock for ever."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from dicom_nodes import receiver


class Ended(Exception):
    """In place of the end of the process."""


class App:
    def __init__(self, error: Exception | None = None) -> None:
        self.is_aborted = False
        self._error = error

    def abort(self) -> None:
        self.is_aborted = True
        if self._error:
            raise self._error


@pytest.mark.parametrize("unread", [b"", b"c"])
@pytest.mark.parametrize("error", [None, ValueError("in the listener, say")])
def test_the_end_of_the_main_process_is_seen_whatever_it_left_unread(
    monkeypatch: pytest.MonkeyPatch, unread: bytes, error: Exception | None
) -> None:
    def end(_code: int) -> None:
        raise Ended

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(threading.Timer, "start", lambda _timer: None)
    ours, theirs = socket.socketpair()
    ours.send(unread)
    theirs.close()
    app = App(error)
    with ours, pytest.raises(Ended):
        receiver._end_with_the_main_process(ours, app)  # type: ignore[arg-type]
    assert app.is_aborted


MAIN = """
import subprocess, sys
child = "import time; from dicom_nodes import receiver; receiver._be_killed_with_the_main_process(); "
child += "print('ready', flush=True); time.sleep(20); print('outlives it')"
subprocess.Popen([sys.executable, "-c", child]).wait()
"""


def test_a_receiver_is_killed_with_the_main_process_whatever_its_socket_says() -> None:
    """Standard output ends with the last of the two processes."""
    main = subprocess.Popen([sys.executable, "-c", MAIN], stdout=subprocess.PIPE)
    assert main.stdout is not None
    with main.stdout as told:
        assert told.readline() == b"ready\n"
        main.kill()
        main.wait(20)
        assert told.read() == b""
