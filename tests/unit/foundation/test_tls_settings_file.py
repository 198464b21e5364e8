"""The TLS tables of a trust file: what contradicts itself is named with its key."""

from pathlib import Path

import pytest

from dicom_nodes.config import load_node_settings
from dicom_nodes.foundation.settings_file import SettingsError
from tests.peers.certificates import Authority
from tests.unit.foundation.test_settings_file import GOOD, written

TLS = '[tls]\nlisten = "127.0.0.1:2762"\ncertificate = "NODE.pem"\nkey = "NODE.key"\ntrusted = ["authority.pem"]\n'
BOUND = 'certificate = "dns:ct1.example"\n'
DIMSE = 'kind = "dimse"\nae_title = "PACS"\naddress = "10.1.2.3:104"\n'
EMBEDDED = 'kind = "embedded"\ndirectory = "var/archive"\n'


def test_tls_files_are_relative_to_the_file_and_certificates_name_who_is_called(tmp_path: Path) -> None:
    Authority(tmp_path).issue("NODE")
    dimse = GOOD.replace(EMBEDDED, DIMSE + 'certificate = "cn:PACS"\n')
    settings = load_node_settings(written(tmp_path, dimse + BOUND + TLS))

    assert settings.tls is not None
    assert settings.tls.files.key == tmp_path / "NODE.key"
    assert [settings.certificate_of(title) for title in ("CT1", "PACS", "OTHER")] == [
        "dns:ct1.example",
        "cn:PACS",
        None,
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + BOUND, "peers[0].certificate: TLS needs a [tls] table with our own certificate"),
        (
            GOOD + BOUND + TLS.replace('listen = "127.0.0.1:2762"\n', ""),
            "tls.listen: is missing, but 'CT1' may call, and by TLS only",
        ),
        (GOOD + 'certificate = "CT1"\n' + TLS, "peers[0].certificate: expected one exact name of the partner's"),
        (GOOD + BOUND + TLS.replace('["authority.pem"]', "[]"), "tls.trusted: "),
        (
            GOOD.replace(EMBEDDED, DIMSE + 'certificate = "cn:PACS"\n'),
            "archive.certificate: TLS needs a [tls] table with our own certificate",
        ),
        (
            GOOD.replace(EMBEDDED, DIMSE.replace("PACS", "CT1") + 'certificate = "cn:PACS"\n') + BOUND + TLS,
            "archive.certificate: differs from that of the peer 'CT1'",
        ),
        (GOOD + TLS, "tls.certificate: no such file: "),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_node_settings(written(tmp_path, text))

    assert expected in str(caught.value)
