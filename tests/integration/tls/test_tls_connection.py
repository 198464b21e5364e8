"""TLS on a connection, seen from below: bytes one by one, nothing lost in either buffer, an end that is one."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dicom_nodes.dimse.connection import Connection
from dicom_nodes.dimse.tls_connection import CIPHERTEXT_BYTES, TlsConnection
from dicom_nodes.foundation.tls_context import TlsFiles, client_context, server_context
from tests.peers.certificates import Authority, Identity
from tests.peers.processes import wait_until


@contextmanager
def socket_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    with near, far:
        near.settimeout(10)
        yield near, far


@pytest.fixture
def files(authority: Authority, own: Identity) -> TlsFiles:
    return TlsFiles(own.certificate, own.key, (authority.certificate,))


@contextmanager
def partners(files: TlsFiles, version: ssl.TLSVersion) -> Iterator[tuple[ssl.SSLSocket, TlsConnection]]:
    """A client of Python's own, and our accepted connection, shaking hands as it receives."""
    context = client_context(files)
    context.maximum_version = version
    with socket_pair() as (near, far):
        ours = TlsConnection(Connection(far, tick_s=0.05, send_s=5), server_context(files), server_side=True)
        shaking = threading.Thread(target=lambda: wait_until(lambda: ours.receive() or ours.certificate, "hands"))
        shaking.start()
        client = context.wrap_socket(near)
        shaking.join(10)
        with client:
            yield client, ours
        ours.close()


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def received(ours: TlsConnection, count: int) -> bytes:
    taken = bytearray()

    def have_all() -> bool:
        view = ours.receive()
        assert view is None or len(view), ours.failure
        taken.extend(view or b"")
        return len(taken) >= count

    wait_until(have_all, f"{count} bytes")
    return bytes(taken)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_one_side_writes_the_other_reads(files: TlsFiles, version: ssl.TLSVersion) -> None:
    with partners(files, version) as (client, ours):
        content = bytes(range(251)) * 5000
        writer = threading.Thread(target=lambda: client.sendall(content))
        writer.start()
        assert received(ours, len(content)) == content
        writer.join()
        pieces = [content[:12], b"", memoryview(content)[12:40], content[40:70_000], content[70_000:]]
        writer = threading.Thread(target=lambda: ours.send(pieces))
        writer.start()
        back = bytearray()
        while len(back) < len(content):
            back += client.recv(1 << 20)
        writer.join()
        assert back == content
        assert ours.failure is None


@pytest.mark.parametrize("version", VERSIONS)
def test_bytes_one_by_one_come_through(files: TlsFiles, version: ssl.TLSVersion) -> None:
    """The client's records, and its handshake, in segments of one byte."""
    context = client_context(files)
    context.maximum_version = version
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(into, out)
    with socket_pair() as (near, far):
        ours = TlsConnection(Connection(far, tick_s=0.05, send_s=5), server_context(files), server_side=True)
        near.settimeout(0.2)
        taken = bytearray()

        def drip() -> None:
            for byte in out.read():
                near.sendall(bytes([byte]))
                taken.extend(ours.receive() or b"")

        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                drip()
                into.write(near.recv(65_536))
        client.write(b"some bytes")
        drip()
        assert ours.certificate is not None
        assert bytes(taken) == b"some bytes"


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_to_read_is_a_tick_and_readable_says_when_there_is_something(
    files: TlsFiles, version: ssl.TLSVersion
) -> None:
    with partners(files, version) as (client, ours):
        assert ours.receive() is None
        assert not ours.is_readable()
        client.sendall(bytes(3 * CIPHERTEXT_BYTES))
        left = 3 * CIPHERTEXT_BYTES
        while left:
            wait_until(ours.is_readable, "something to read")
            left -= len(ours.receive() or b"")
        assert not ours.is_readable()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_end_is_empty_again_and_again(files: TlsFiles, version: ssl.TLSVersion) -> None:
    with partners(files, version) as (client, ours):
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert received(ours, 10) == b"last words"
        for _ in range(3):
            view = ours.receive()
            assert view is not None
            assert not len(view)
        assert ours.is_readable()


@pytest.mark.parametrize("version", VERSIONS)
def test_goodbye_is_said_before_the_end(files: TlsFiles, version: ssl.TLSVersion) -> None:
    with partners(files, version) as (client, ours):
        ours.send([b"done"])
        ours.finish_sending()
        assert client.recv(100) == b"done"
        assert client.recv(100) == b""  # and not an SSLEOFError: the end is authenticated


def test_a_record_that_was_tampered_with_ends_the_connection(files: TlsFiles) -> None:
    context = client_context(files)
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(into, out)
    with socket_pair() as (near, far):
        ours = TlsConnection(Connection(far, tick_s=0.05, send_s=5), server_context(files), server_side=True)
        while ours.certificate is None:
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                near.sendall(out.read())
                ours.receive()
                into.write(near.recv(65_536))
            else:
                near.sendall(out.read())
                ours.receive()
        client.write(b"x" * 1000)
        record = bytearray(out.read())
        record[500] ^= 1
        near.sendall(record)
        view = ours.receive()

    assert view is not None
    assert not len(view)
    assert ours.failure == "TLS fails: decryption failed or bad record mac"


def test_an_interrupted_connection_is_at_its_end(files: TlsFiles) -> None:
    with partners(files, ssl.TLSVersion.TLSv1_3) as (_client, ours):
        ours.interrupt()
        view = ours.receive()
        assert view is not None
        assert not len(view)
        ours.send([b"an abort can still be sent"])
