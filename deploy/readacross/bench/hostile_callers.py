"""Callers that mean harm, in a process of their own: `python -m readacross.bench.hostile_callers KIND PORT …`.

It says `ready` once the harm is under way, and goes on until its standard input ends.
"""

import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from dicom_nodes.upper_layer.presentation_contexts import ProposedContext
from readacross.bench.associations_bench import allow_many_connections
from readacross.bench.synthetic import KINDS, TRANSFER_SYNTAX
from readacross.bench.wire import connected

_SILENT, _SILENT_AT_ONCE, _SILENT_PAUSE_S = 10_000, 20, 0.005
_MALFORMED_EVERY_S = 0.005
_DRIPPING, _DRIP_S = 100, 0.2
_CLINGING = 100
_LONG_REQUEST = b"\1\0\0\x0f\x42\x40"
_GARBAGE = (b"GET / HTTP/1.1\r\n\r\n", b"\1\0\xff\xff\xff\xff", b"\4\0\0\0\0\x0a\0\0\0\6\1\3abcd", bytes(64))


def _said_to_end() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


def _silent(port: int, _called: str, _calling: str, ready: Callable[[], None]) -> None:
    """Ten thousand connections that say nothing, all made."""
    _hold(port, ready, _SILENT)


def _arriving(port: int, _called: str, _calling: str, ready: Callable[[], None]) -> None:
    """The same while most of them are still being made, thousands a second."""
    _hold(port, ready, _SILENT // 10)


def _hold(port: int, ready: Callable[[], None], ready_after: int) -> None:
    held = []
    for number in range(1, _SILENT + 1):
        held.append(_connection(port))
        if number == ready_after:
            ready()
        if not number % _SILENT_AT_ONCE:
            time.sleep(_SILENT_PAUSE_S)
    sys.stdin.read()


def _malformed(port: int, _called: str, _calling: str, ready: Callable[[], None]) -> None:
    """What is no PDU, or none that may come here, two hundred times a second."""
    ready()
    number = 0
    while not _said_to_end():
        with suppress(OSError), _connection(port) as stranger:
            stranger.sendall(_GARBAGE[number % len(_GARBAGE)])
            stranger.settimeout(1)
            stranger.recv(100)
        number += 1
        time.sleep(_MALFORMED_EVERY_S)


def _dripping(port: int, _called: str, _calling: str, ready: Callable[[], None]) -> None:
    """Association requests of which a byte comes now and then; who is cut off begins again."""
    held: list[socket.socket] = []
    while not _said_to_end():
        while len(held) < _DRIPPING:
            held.append(_connection(port))
            held[-1].send(_LONG_REQUEST)
        ready()
        time.sleep(_DRIP_S)
        for one in list(held):
            try:
                one.send(b"\0")
            except OSError:
                held.remove(one)
                one.close()


def _clinging(port: int, called: str, calling: str, ready: Callable[[], None]) -> None:
    """Associations that are never released."""
    contexts = (ProposedContext(1, KINDS["ct"].sop_class_uid, (TRANSFER_SYNTAX,)),)
    held = [connected("127.0.0.1", port) for _ in range(_CLINGING)]
    for wire in held:
        wire.request(called, calling, contexts)
    ready()
    sys.stdin.read()
    del held


def _connection(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


CALLERS = {
    "silent": _silent,
    "arriving": _arriving,
    "malformed": _malformed,
    "dripping": _dripping,
    "clinging": _clinging,
}


class HostileCallers:
    """The process, as seen by whoever started it; it ends with the `with` block."""

    def __init__(self, kind: str, port: int, called: str, calling: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "readacross.bench.hostile_callers", kind, str(port), called, calling],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def main(kind: str, port: str, called: str, calling: str) -> None:
    """Do harm until told to end."""
    allow_many_connections(_SILENT + 100)
    said = threading.Event()

    def ready() -> None:
        if not said.is_set():
            said.set()
            print("ready", flush=True)

    CALLERS[kind](int(port), called, calling, ready)


if __name__ == "__main__":
    main(*sys.argv[1:])
