"""Waiting for SIGTERM or SIGINT, whichever thread of the process the system hands it to."""

import signal
import socket
from collections.abc import Callable


def end_signal() -> Callable[[], None]:
    """Take SIGTERM and SIGINT from now on; returns what waits for the first of them. For the main thread.

    Python runs a handler in the main thread only. Where the system gives the signal to another one, a main thread that
    waits for an event sleeps on, and the process never ends; so it waits for a byte that the signal itself writes.
    """
    woken, wake_up = socket.socketpair()
    wake_up.setblocking(False)
    signal.set_wakeup_fd(wake_up.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def wait() -> None:
        with woken:
            woken.recv(1)
        signal.set_wakeup_fd(-1)
        wake_up.close()

    return wait
