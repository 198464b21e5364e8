"""Files that cannot be used are named with their key and the reason; changed files are read again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dicom_nodes.foundation.tls_context import TlsContexts, TlsFiles, TlsFilesError, server_context
from tests.peers.certificates import Authority, Identity
from tests.peers.processes import program, run


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def files(authority: Authority) -> TlsFiles:
    return files_of(authority.issue("NODE"), authority)


def files_of(identity: Identity, authority: Authority) -> TlsFiles:
    return TlsFiles(identity.certificate, identity.key, (authority.certificate,))


def encrypted(files: TlsFiles, folder: Path) -> TlsFiles:
    key = folder / "encrypted.key"
    run([program("openssl"), "pkey", "-in", files.key, "-out", key, "-aes256", "-passout", "pass:secret"])
    return replace(files, key=key)


def cut_short(files: TlsFiles, folder: Path) -> TlsFiles:
    certificate = folder / "cut.pem"
    certificate.write_bytes(files.certificate.read_bytes()[:200])
    return replace(files, certificate=certificate)


Spoil = Callable[[TlsFiles, Path], TlsFiles]


@pytest.mark.parametrize(
    ("spoil", "key", "reason"),
    [
        (lambda files, folder: replace(files, key=folder / "none"), "key", "no such file: "),
        (lambda files, folder: replace(files, certificate=folder), "certificate", "cannot be read: "),
        (lambda files, _: replace(files, certificate=files.key), "certificate", "holds no certificate (PEM): "),
        (lambda files, _: replace(files, key=files.certificate), "key", "holds no private key (PEM): "),
        (lambda files, _: replace(files, trusted=(files.key,)), "trusted[0]", "holds no certificate (PEM): "),
        (encrypted, "key", "needs a password, which nobody gives at a start"),
        (cut_short, "certificate", "it or its key cannot be used: "),
    ],
)
def test_files_that_cannot_be_used_are_named(
    files: TlsFiles, tmp_path: Path, spoil: Spoil, key: str, reason: str
) -> None:
    with pytest.raises(TlsFilesError) as caught:
        server_context(spoil(files, tmp_path))

    assert [problem[0] for problem in caught.value.problems] == [key]
    assert caught.value.problems[0][1].startswith(reason)


def test_a_key_that_does_not_fit_is_named(files: TlsFiles, authority: Authority) -> None:
    other = authority.issue("OTHER")
    with pytest.raises(TlsFilesError) as caught:
        server_context(replace(files, key=other.key))

    assert caught.value.problems == [("key", f"does not fit the certificate {files.certificate}: {other.key}")]


def test_a_key_that_is_too_short_is_named(authority: Authority) -> None:
    weak = authority.issue("WEAK", key_arguments=["-newkey", "rsa:1024", "-nodes"])
    with pytest.raises(TlsFilesError, match="certificate: has a key that is too short: RSA needs 2048 bits"):
        server_context(files_of(weak, authority))


def test_a_certificate_that_has_expired_can_be_loaded(authority: Authority) -> None:
    """The node starts and says so in its health: its plain callers must not wait for a new certificate."""
    late = authority.issue("LATE", begins=timedelta(days=-9), ends=timedelta(days=-1))

    assert TlsContexts(files_of(late, authority)).certificate_ends < datetime.now(UTC)


def test_changed_files_are_used_and_bad_ones_are_told_of_once(files: TlsFiles, authority: Authority) -> None:
    told: list[str] = []
    contexts = TlsContexts(files, told.append)
    before = contexts.server()
    assert contexts.server() is before
    good = files.key.read_bytes()
    files.key.write_bytes(b"half a ")
    assert [contexts.server() is before, contexts.server() is before] == [True, True]
    assert told == [f"key: holds no private key (PEM): {files.key}"]
    files.key.write_bytes(good)
    assert contexts.server() is not before
    assert len(told) == 1


def test_both_sides_ask_for_a_certificate_and_speak_nothing_old(files: TlsFiles) -> None:
    contexts = TlsContexts(files)
    for context in (contexts.server(), contexts.client()):
        assert context.verify_mode.name == "CERT_REQUIRED"
        assert context.minimum_version.name == "TLSv1_2"
        suites = context.get_ciphers()
        assert all(suite["aead"] for suite in suites)
        assert {suite["kea"] for suite in suites if suite["protocol"] == "TLSv1.2"} == {"kx-ecdhe"}
