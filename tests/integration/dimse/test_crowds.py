"""Whoever can open a TCP connection cannot shut the port: not by silence, not by dripping, not by number."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dicom_nodes.dimse.verification_scu import probe_echo
from dicom_nodes.upper_layer.association_pdus import AssociateRequest, encode_request
from dicom_nodes.upper_layer.presentation_contexts import ProposedContext
from dicom_nodes.upper_layer.user_information import UserInformation
from tests.integration.dimse.node import QUICK, WireNode, peer, running_node
from tests.integration.dimse.test_bad_input import CT, EXPLICIT, ends, opened
from tests.peers.processes import wait_until


@contextmanager
def connections(node: WireNode, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", node.port))) for _ in range(count)]


@contextmanager
def dripping(*sockets: socket.socket) -> Iterator[None]:
    """Send a byte on each of them several times a second: never is one silent for long."""
    done = threading.Event()

    def drip() -> None:
        while not done.wait(0.2):
            for one in sockets:
                try:
                    one.send(b"\0")
                except OSError:
                    continue

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def ended_after(connection: socket.socket, start: Callable[[], None]) -> float:
    """Seconds until the node ends the connection, while bytes drip into it."""
    began = time.monotonic()
    start()
    with dripping(connection):
        assert ends(connection, deadline_s=15)
    return time.monotonic() - began


def test_silent_connections_keep_no_listed_peer_out(tmp_path: Path) -> None:
    with running_node(tmp_path, "sqlite://", maximum_associations=2, maximum_waiting=64) as node:
        with connections(node, 64 + 40) as silent:
            assert probe_echo("DCMTK", node.entity, QUICK) is None
            assert ends(silent[0], deadline_s=1.5), "the oldest made room"
        refused = node.log.named("connection.refused")
        assert [event["why"] for event in refused] == ["too many connections ask for nothing"]
        assert "association.rejected" not in dict(node.log.events)


def test_dripping_connections_keep_no_listed_peer_out_and_end(tmp_path: Path) -> None:
    with running_node(tmp_path, "sqlite://", maximum_associations=2) as node, connections(node, 20) as many:
        for one in many:
            one.sendall(struct.pack(">BBL", 1, 0, 1_000_000))
        with dripping(*many):
            assert probe_echo("DCMTK", node.entity, QUICK) is None
            assert all(ends(one, deadline_s=15) for one in many)


def test_a_first_pdu_that_drips_is_cut_off_by_its_own_deadline(node: WireNode) -> None:
    with connections(node, 1) as (one,):
        seconds = ended_after(one, lambda: one.sendall(struct.pack(">BBL", 1, 0, 1_000_000)))
    assert 1.5 < seconds < 6


def test_a_header_that_drips_is_cut_off_too(node: WireNode) -> None:
    with connections(node, 1) as (one,):
        seconds = ended_after(one, lambda: one.sendall(b"\1"))
    assert seconds < 6


def test_a_later_pdu_that_drips_ends_its_association(node: WireNode) -> None:
    neighbour = opened(node)
    wire = neighbour.link.connection._socket
    wire.sendall(struct.pack(">BBL", 4, 0, 60_000))
    with dripping(wire):
        wait_until(lambda: len(node.closed) == 1, "the dripping association ended", deadline_s=10)
    neighbour.abort()
    assert probe_echo("DCMTK", node.entity, QUICK) is None


def test_an_association_may_be_idle_for_longer_than_a_pdu_may_take(node: WireNode) -> None:
    association = opened(node)
    time_to_stall = time.monotonic() + 1.5
    wait_until(lambda: time.monotonic() > time_to_stall, "longer than a PDU may take")
    assert node.closed == []
    association.release()


def test_a_host_that_no_peer_calls_from_is_closed_at_once_and_told_seldom(tmp_path: Path) -> None:
    elsewhere = {**peer("DCMTK"), "allowed_hosts": ["10.0.0.0/8"]}
    with running_node(tmp_path, "sqlite://", elsewhere) as node:
        for _ in range(30):
            with socket.create_connection(("127.0.0.1", node.port)) as stranger:
                assert ends(stranger, deadline_s=5)
        words = probe_echo("DCMTK", node.entity, QUICK)
    assert node.log.named("connection.refused") == [
        {"host": "127.0.0.1", "why": "no peer may call from this host", "connections": 1}
    ]
    assert words is not None
    assert words.endswith("does not answer the association request; is our address listed there?")


def test_places_are_free_again_after_refusals_aborts_and_releases(tmp_path: Path) -> None:
    with running_node(tmp_path, "sqlite://", maximum_associations=1) as node:
        for ending in ("abort", "release", "abort"):
            association = opened(node)
            assert probe_echo("DCMTK", node.entity, QUICK) == (
                "NODE rejects the association: it has no free association"
            )
            getattr(association, ending)()
            wait_until(lambda: len(node.opened) == len(node.closed), "the association has ended")
            assert probe_echo("DCMTK", node.entity, QUICK) is None
            wait_until(lambda: len(node.opened) == len(node.closed), "the probe's association has ended")
        assert len(node.opened) == 6


def test_a_request_that_comes_in_pieces_is_served_once_it_is_whole_and_takes_no_thread_before(node: WireNode) -> None:
    context = ProposedContext(1, CT, (EXPLICIT,))
    whole = encode_request(AssociateRequest("NODE", "DCMTK", (context,), UserInformation(16_384, "1.2.3")))
    threads = threading.active_count()
    with connections(node, 1) as (one,):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(whole) - 1, 40):
            one.sendall(whole[at : min(at + 40, len(whole) - 1)])
            assert probe_echo("DCMTK", node.entity, QUICK) is None
        wait_until(lambda: threading.active_count() <= threads, "the probes have ended and nobody serves the request")
        one.sendall(whole[-1:])
        one.settimeout(5)
        assert one.recv(1) == b"\2", "an A-ASSOCIATE-AC"


def test_a_caller_that_ends_within_its_request_is_let_go_at_once(tmp_path: Path) -> None:
    with running_node(tmp_path, "sqlite://", artim_s=60.0) as node, connections(node, 3) as many:
        for one, part in zip(many, (b"", b"\1\0", b"\1\0\0\0\1\0" + bytes(20)), strict=True):
            one.sendall(part)
            one.shutdown(socket.SHUT_WR)
            assert ends(one, deadline_s=5)
