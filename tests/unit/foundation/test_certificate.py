"""What a setting asks of a partner's certificate, and what the certificate says."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dicom_nodes.foundation.certificate import (
    PresentedCertificate,
    certificate_binding,
    is_bound,
    presented,
    validity,
)
from tests.peers.certificates import Authority

FINGERPRINT = "0a" * 32
CERTIFICATE = PresentedCertificate(("CT1", "Scanner"), ("ct1.example",), ("urn:ods:RXN",), FINGERPRINT)


@pytest.mark.parametrize(
    "binding",
    ["cn:CT1", "cn:Scanner", "dns:ct1.example", "dns:CT1.Example", "uri:urn:ods:RXN", f"sha256:{FINGERPRINT}"],
)
def test_one_whole_name_or_the_fingerprint_binds(binding: str) -> None:
    assert is_bound(certificate_binding(binding), CERTIFICATE)


@pytest.mark.parametrize(
    "binding",
    [
        "cn:CT",
        "cn:ct1",
        "cn:ct1.example",
        "cn:CT1, Scanner",
        "dns:example",
        "dns:x.ct1.example",
        "dns:CT1",
        "uri:urn:ods",
        "uri:ct1.example",
        f"sha256:{'0b' * 32}",
    ],
)
def test_a_part_of_a_name_or_a_name_of_another_kind_does_not(binding: str) -> None:
    assert not is_bound(certificate_binding(binding), CERTIFICATE)


@pytest.mark.parametrize(
    "text", ["", "CT1", "cn:", "cn: CT1", "dns:*.example", "ip:10.0.0.1", "sha256:0a0a", "sha256:" + "0g" * 32]
)
def test_a_setting_that_names_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        certificate_binding(text)


def test_a_fingerprint_may_be_written_as_openssl_prints_it() -> None:
    assert certificate_binding("sha256:" + ":".join(["0A"] * 32)) == f"sha256:{FINGERPRINT}"


def test_names_come_from_subject_and_alternative_names() -> None:
    fields = {
        "subject": ((("organizationName", "Trust"),), (("commonName", "CT1"),)),
        "subjectAltName": (("DNS", "ct1.example"), ("IP Address", "10.0.0.1"), ("URI", "urn:ods:RXN")),
    }
    certificate = presented(fields, b"der")

    assert certificate.common_names == ("CT1",)
    assert certificate.dns_names == ("ct1.example",)
    assert certificate.uris == ("urn:ods:RXN",)
    assert len(certificate.sha256) == 64


@pytest.mark.parametrize("ends_in", [timedelta(days=10), timedelta(days=365 * 40)])  # UTCTime ends with 2049
def test_validity_is_read_as_openssl_wrote_it(tmp_path: Path, ends_in: timedelta) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    identity = Authority(tmp_path).issue("CT1", begins=timedelta(days=-1), ends=ends_in)
    begins, ends = validity(ssl.PEM_cert_to_DER_cert(identity.certificate.read_text()))

    assert timedelta(0) <= begins - (now - timedelta(days=1)) < timedelta(seconds=30)
    assert timedelta(0) <= ends - (now + ends_in) < timedelta(seconds=30)


@pytest.mark.parametrize(
    "data", [b"", b"\x30", b"\x30\x82", b"\x30\x03\x02\x01\x01", b"\x30\x84\xff\xff\xff\xff", bytes(50)]
)
def test_what_is_no_certificate_has_no_validity(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a certificate"):
        validity(data)
