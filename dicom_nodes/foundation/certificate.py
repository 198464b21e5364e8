"""What an X.509 certificate says of its holder, and what a setting asks of a partner's.

A partner is known by one exact name or by the certificate itself: being of the right authority is not enough.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_KINDS = ("cn", "dns", "uri", "sha256")
_SEQUENCE, _EXPLICIT_VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


@dataclass(frozen=True, slots=True)
class PresentedCertificate:
    """A certificate that the other side of a connection has proved to hold, issued by somebody we trust."""

    common_names: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    sha256: str = ""
    """Fingerprint, 64 hex digits."""

    def __str__(self) -> str:
        names = [f"cn:{name}" for name in self.common_names] + [f"dns:{name}" for name in self.dns_names]
        names += [f"uri:{name}" for name in self.uris]
        return f"{', '.join(names) or 'no name'}, sha256:{self.sha256}"


def presented(fields: Mapping[str, Any], der: bytes) -> PresentedCertificate:
    """From what `ssl`'s `getpeercert()` and `getpeercert(True)` return."""
    subject = [pair for names in fields.get("subject", ()) for pair in names]
    others = list(fields.get("subjectAltName", ()))
    return PresentedCertificate(
        tuple(value for kind, value in subject if kind == "commonName"),
        tuple(value for kind, value in others if kind == "DNS"),
        tuple(value for kind, value in others if kind == "URI"),
        hashlib.sha256(der).hexdigest(),
    )


def certificate_binding(text: str) -> str:
    """Check a setting that says which certificate a partner has: `cn:`, `dns:`, `uri:` or `sha256:` and a value.

    Raises:
        ValueError: it is none of these.
    """
    kind, _, value = text.partition(":")
    if kind == "sha256":
        digits = value.replace(":", "").lower()
        if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
            raise ValueError(f"expected sha256: and the certificate's fingerprint of 64 hex digits, got {text!r}")
        return f"sha256:{digits}"
    if kind not in _KINDS or not value or value != value.strip() or "*" in value:
        raise ValueError(
            "expected one exact name of the partner's certificate such as 'dns:node.trust.example', 'cn:NAME', "
            f"'uri:urn:oid:…' or 'sha256:FINGERPRINT', got {text!r}"
        )
    return text


def is_bound(binding: str, certificate: PresentedCertificate) -> bool:
    """Whether the certificate is the one the setting names; names are compared whole, DNS names without case."""
    kind, _, value = binding.partition(":")
    match kind:
        case "cn":
            return value in certificate.common_names
        case "dns":
            return value.lower() in {name.lower() for name in certificate.dns_names}
        case "uri":
            return value in certificate.uris
        case "sha256":
            return value == certificate.sha256
    return False


def validity(der: bytes) -> tuple[datetime, datetime]:
    """(not before, not after) of a certificate (RFC 5280 4.1.2.5).

    Raises:
        ValueError: it is none.
    """
    try:
        certificate = _elements(der)[0][1]
        fields = [element for element in _elements(_elements(certificate)[0][1]) if element[0] != _EXPLICIT_VERSION]
        tag, content = fields[3]  # serial number, signature algorithm, issuer, validity
        before, after = _elements(content)
    except (IndexError, ValueError):
        raise ValueError("not a certificate") from None
    if tag != _SEQUENCE:
        raise ValueError("not a certificate")
    return _time(*before), _time(*after)


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """(tag, content) of DER elements that stand one behind the other."""
    found, at = [], 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError("cut short")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("not a time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
