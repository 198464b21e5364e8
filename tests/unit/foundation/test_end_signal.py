"""A process ends when asked to, also where the system gives the signal to a thread that is not the main one."""

import subprocess
import sys

import pytest

PROGRAM = """
import signal, sys, threading
from dicom_nodes.foundation.end_signal import end_signal

wait = end_signal()
asked, never = threading.Event(), threading.Event()

def other():
    asked.wait()
    signal.pthread_kill(threading.get_ident(), signal.{number})
    never.wait()

def ask_when_the_main_thread_sleeps():
    while open("/proc/self/task/%d/syscall" % threading.main_thread().native_id).read().startswith("running"):
        pass
    asked.set()

threading.Thread(target=other, daemon=True).start()
threading.Thread(target=ask_when_the_main_thread_sleeps, daemon=True).start()
wait()
print("ended")
"""


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_signal_to_any_thread_ends_the_wait(number: str) -> None:
    program = [sys.executable, "-c", PROGRAM.replace("{number}", number)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr
