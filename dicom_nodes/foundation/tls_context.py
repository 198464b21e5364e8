"""TLS as DICOM PS3.15 B.12 and B.13 have it (BCP 195: RFC 8996, RFC 9325), from files, or what is wrong with these.

TLS 1.3 preferred, 1.2 the least; ECDHE and AEAD suites only; both sides show a certificate. Sessions are not resumed:
each connection proves its certificate anew. Files that change are read again for the next connection.
"""

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dicom_nodes.foundation.certificate import validity

_SUITES_OF_TLS_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"
"""Security level 2: RSA of 2048 bits, elliptic curves of 224 (OpenSSL offers none below 255), no SHA-1."""
_WORDS = {
    "KEY_VALUES_MISMATCH": "does not fit the certificate",
    "EE_KEY_TOO_SMALL": "has a key that is too short: RSA needs 2048 bits, elliptic curves 256",
    "CA_KEY_TOO_SMALL": "has an authority whose key is too short: RSA needs 2048 bits, elliptic curves 256",
    "CA_MD_TOO_WEAK": "is signed with a digest that is too weak",
    "EE_MD_TOO_WEAK": "is signed with a digest that is too weak",
}


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: our certificate with intermediate ones behind it, its key without password, trusted authorities."""

    certificate: Path
    key: Path
    trusted: tuple[Path, ...]

    @property
    def named(self) -> list[tuple[str, Path]]:
        """(settings key, file)."""
        trusted = [(f"trusted[{number}]", file) for number, file in enumerate(self.trusted)]
        return [("certificate", self.certificate), ("key", self.key), *trusted]


class TlsFilesError(Exception):
    """Files that cannot be used; `problems` are (settings key, reason)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{key}: {reason}" for key, reason in problems))


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """For connections that come in.

    Raises:
        TlsFilesError: the files cannot be used.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, files)
    context.num_tickets = 0
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """For connections that we make. Who answers is to be compared with what is known of him: see `is_bound`.

    Raises:
        TlsFilesError: the files cannot be used.
    """
    return _context(ssl.PROTOCOL_TLS_CLIENT, files)


def certificate_validity(file: Path) -> tuple[datetime, datetime]:
    """(not before, not after) of the first certificate of a PEM file.

    Raises:
        OSError, ValueError: it cannot be read, or holds no certificate.
    """
    text = file.read_text(encoding="ascii", errors="replace")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    start = text.index(begin)
    return validity(ssl.PEM_cert_to_DER_cert(text[start : text.index(end, start) + len(end)]))


class TlsContexts:
    """The contexts of these files, made again when a file has changed; safe for several threads."""

    def __init__(self, files: TlsFiles, not_reloaded: Callable[[str], None] = lambda _why: None) -> None:
        """`not_reloaded` is told once why changed files cannot be used; what was read before stays in use.

        Raises:
            TlsFilesError: the files cannot be used.
        """
        self._files, self._not_reloaded = files, not_reloaded
        self._lock = threading.Lock()
        self._seen = _signature(files)
        self._server, self._client, self._ends = _loaded(files)

    def server(self) -> ssl.SSLContext:
        self._look()
        return self._server

    def client(self) -> ssl.SSLContext:
        self._look()
        return self._client

    @property
    def certificate_ends(self) -> datetime:
        """When our own certificate is no longer valid."""
        self._look()
        return self._ends

    def _look(self) -> None:
        with self._lock:
            signature = _signature(self._files)
            if signature == self._seen:
                return
            self._seen = signature
            try:
                self._server, self._client, self._ends = _loaded(self._files)
            except TlsFilesError as error:
                self._not_reloaded(str(error))


def _loaded(files: TlsFiles) -> tuple[ssl.SSLContext, ssl.SSLContext, datetime]:
    server, client = server_context(files), client_context(files)
    try:
        return server, client, certificate_validity(files.certificate)[1]
    except (OSError, ValueError):
        raise TlsFilesError([("certificate", f"holds no certificate (PEM): {files.certificate}")]) from None


def _signature(files: TlsFiles) -> tuple[tuple[int, int, int] | None, ...]:
    return tuple(_state(file) for _, file in files.named)


def _state(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _context(protocol: int, files: TlsFiles) -> ssl.SSLContext:
    problems = [problem for key, file in files.named for problem in _unreadable(key, file)]
    if problems:
        raise TlsFilesError(problems)
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES_OF_TLS_1_2)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET | ssl.OP_SINGLE_ECDH_USE
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise TlsFilesError([_own_files(error, files)]) from None
    for number, file in enumerate(files.trusted):
        try:
            context.load_verify_locations(file)
        except ssl.SSLError:
            problems.append((f"trusted[{number}]", f"holds no certificate (PEM): {file}"))
    if problems:
        raise TlsFilesError(problems)
    return context


def _unreadable(key: str, file: Path) -> list[tuple[str, str]]:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return [(key, f"no such file: {file}")]
    except OSError as error:
        return [(key, f"cannot be read: {file}: {error.strerror}")]
    wanted = b"PRIVATE KEY-----" if key == "key" else b"-----BEGIN CERTIFICATE-----"
    if wanted not in content:
        return [(key, f"holds no {'private key' if key == 'key' else 'certificate'} (PEM): {file}")]
    if key == "key" and b"ENCRYPTED" in content:
        return [(key, f"needs a password, which nobody gives at a start: expected a key without one: {file}")]
    return []


def _own_files(error: Exception, files: TlsFiles) -> tuple[str, str]:
    reason = str(getattr(error, "reason", ""))
    if reason == "KEY_VALUES_MISMATCH":
        return "key", f"{_WORDS[reason]} {files.certificate}: {files.key}"
    if reason in _WORDS:
        return "certificate", f"{_WORDS[reason]}: {files.certificate}"
    return "certificate", f"it or its key cannot be used: {files.certificate}, {files.key}: {reason or error}"


def _no_password() -> str:
    return ""  # without this OpenSSL would ask on the terminal
