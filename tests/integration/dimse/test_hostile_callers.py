"""Whoever misbehaves is cut off alone: the neighbours' images all go in, and none of them is refused a place."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dicom_nodes.dimse.messages import StoreRequest
from tests.integration.dimse.node import WireNode, peer, running_node
from tests.integration.dimse.test_bad_input import CT, ends, opened
from tests.integration.dimse.test_crowds import dripping
from tests.peers.processes import wait_until

DATA_SET = bytes(100_000)
PEERS = [peer("DCMTK"), peer("HOSTILE", idle_s=0.5, maximum_associations=5)]


@contextmanager
def neighbour(node: WireNode) -> Iterator[Callable[[], int]]:
    """A modality that opens an association, sends two images and releases, again and again; how often it did so far.

    Every answer it gets must be success.
    """
    done = threading.Event()
    answers: list[int] = []
    failures: list[BaseException] = []

    def send() -> None:
        try:
            while not done.is_set():
                association = opened(node)
                for number in (1, 2):
                    uid = f"1.2.{len(answers)}.{number}"
                    request = StoreRequest(association.contexts[0], number, CT, uid, DATA_SET)
                    answers.append(association.request(request).status)
                association.release()
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=send)
    thread.start()
    try:
        wait_until(lambda: len(answers) >= 2 or failures, "the neighbour sends")
        yield lambda: len(answers)
        before = len(answers)
        wait_until(lambda: len(answers) > before or failures, "the neighbour still sends")
    finally:
        done.set()
        thread.join()
    assert failures == []
    assert set(answers) == {0}
    assert len(node.received) == len(answers)


def connect(node: WireNode, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", node.port)))


def clinging(node: WireNode, stack: ExitStack) -> socket.socket:
    """The connection of a hostile peer's association."""
    return stack.enter_context(opened(node, calling="HOSTILE").link.connection._socket)


def test_a_crowd_that_says_nothing_is_kept_small_and_ended(tmp_path: Path) -> None:
    with (
        running_node(tmp_path, "sqlite://", *PEERS, maximum_waiting=200) as node,
        neighbour(node),
        ExitStack() as stack,
    ):
        silent = [connect(node, stack) for _ in range(1000)]
        assert all(ends(one, deadline_s=10) for one in silent)


def test_dripping_requests_and_dripping_data_sets_are_ended(tmp_path: Path) -> None:
    with running_node(tmp_path, "sqlite://", *PEERS) as node, neighbour(node), ExitStack() as stack:
        requests = [connect(node, stack) for _ in range(30)]
        for one in requests:
            one.sendall(struct.pack(">BBL", 1, 0, 1_000_000))
        data_sets = [clinging(node, stack) for _ in range(5)]
        for one in data_sets:
            one.sendall(struct.pack(">BBL", 4, 0, 60_000))
        with dripping(*requests, *data_sets):
            assert all(ends(one, deadline_s=15) for one in (*requests, *data_sets))


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\4\0\0\0\0\12\0\0\0\6\1\3abcd", b"\1\0\xff\xff\xff\xff"]
)
def test_malformed_pdus_end_their_own_connections(tmp_path: Path, garbage: bytes) -> None:
    with running_node(tmp_path, "sqlite://", *PEERS) as node, neighbour(node):
        for _ in range(100):
            with socket.create_connection(("127.0.0.1", node.port)) as stranger:
                stranger.sendall(garbage)
                assert ends(stranger, deadline_s=5)


def test_associations_that_never_release_are_ended_by_their_peers_own_limit(tmp_path: Path) -> None:
    with running_node(tmp_path, "sqlite://", *PEERS) as node, neighbour(node), ExitStack() as stack:
        assert all(ends(one, deadline_s=10) for one in [clinging(node, stack) for _ in range(5)])
        whys = [event for event in node.log.named("association.cut_off") if event["peer"] == "HOSTILE"]
        assert [event["why"] for event in whys] == ["the peer fell silent"] * 5


def test_a_peer_is_read_from_at_its_pace_and_everything_it_sends_is_taken(tmp_path: Path) -> None:
    slow = peer("DCMTK", maximum_mib_per_s=1.0)
    with running_node(tmp_path, "sqlite://", slow) as node:
        association = opened(node)
        began = time.monotonic()
        for number in range(3):
            request = StoreRequest(association.contexts[0], 1, CT, f"1.2.{number}", bytes(1 << 19))
            assert association.request(request).status == 0
        seconds = time.monotonic() - began
        association.release()
    assert seconds > 0.3, "the first MiB is free, half of one is not"
    assert [len(incoming.data_set) for incoming in node.received] == [1 << 19] * 3  # type: ignore[arg-type]


def test_a_slow_pace_is_not_taken_for_a_peer_that_stalls(tmp_path: Path) -> None:
    slow = peer("DCMTK", maximum_mib_per_s=0.5)
    with running_node(tmp_path, "sqlite://", slow, stall_s=0.3) as node:
        association = opened(node)
        request = StoreRequest(association.contexts[0], 1, CT, "1.2.3", bytes(1 << 20))
        assert association.request(request).status == 0
        association.release()


def test_a_peer_is_told_its_own_longest_pdu(tmp_path: Path) -> None:
    short = peer("DCMTK", maximum_pdu_bytes=5000)
    with running_node(tmp_path, "sqlite://", short, peer("OTHER")) as node:
        told = {}
        for calling in ("DCMTK", "OTHER"):
            association = opened(node, calling=calling)
            told[calling] = association.link.upper._peer_maximum_length
            association.release()
    assert told == {"DCMTK": 5000, "OTHER": 262_144}
