"""A connection is served once its first PDU is whole, or can never be; until then the kernel keeps it."""

import socket
import struct
from collections.abc import Iterator

import pytest

from dicom_nodes.dimse.first_pdu import has_arrived
from tests.peers.processes import wait_until

REQUEST = struct.pack(">BxL", 1, 200) + bytes(200)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """(the caller's end, ours) of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as caller:
        accepted, _ = server.accept()
        with accepted:
            yield caller, accepted


def test_a_request_is_served_once_it_is_whole(ends: tuple[socket.socket, socket.socket]) -> None:
    caller, ours = ends
    assert has_arrived(ours) is False
    for part in (REQUEST[:3], REQUEST[3:100]):
        caller.sendall(part)
        assert has_arrived(ours) is False
    caller.sendall(REQUEST[100:])
    assert wait_until(lambda: has_arrived(ours), "it is whole")
    assert ours.recv(1000) == REQUEST, "nothing was taken"


@pytest.mark.parametrize("start", [b"GET /", b"\4\0\0\0\0\12", struct.pack(">BxL", 1, 0xFFFFFFFF)])
def test_what_is_no_credible_request_is_served_at_once(ends: tuple[socket.socket, socket.socket], start: bytes) -> None:
    caller, ours = ends
    caller.sendall(start)
    assert wait_until(lambda: has_arrived(ours), "it is handed on")


def test_a_request_longer_than_the_kernel_holds_is_served_at_once(ends: tuple[socket.socket, socket.socket]) -> None:
    caller, ours = ends
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    caller.sendall(struct.pack(">BxL", 1, 1_000_000))
    assert wait_until(lambda: has_arrived(ours), "it is handed on")


def test_a_caller_that_is_gone_is_told_apart(ends: tuple[socket.socket, socket.socket]) -> None:
    caller, ours = ends
    caller.shutdown(socket.SHUT_WR)
    wait_until(lambda: has_arrived(ours) is None, "its end arrived")
