"""Errors in a settings file name the file, the key and what was expected."""

from pathlib import Path

import pytest

from dicom_nodes.config import load_node_settings
from dicom_nodes.foundation.settings_file import SettingsError

GOOD = """
[trust]
ods_code = "RXN"
name = "Lancashire Teaching Hospitals"
[node]
ae_title = "RXN_NODE"
listen = "127.0.0.1:11112"
data_dir = "var/rxn"
[router]
url = "http://127.0.0.1:8400"
token_file = "rxn.token"
[archive]
kind = "embedded"
directory = "var/archive"
[[peers]]
ae_title = "CT1"
role = "modality"
allowed_hosts = ["127.0.0.1", "10.1.0.0/16"]
may = ["echo", "store"]
"""


def written(folder: Path, text: str) -> Path:
    (folder / "rxn.token").write_text("secret\n")
    file = folder / "rxn.toml"
    file.write_text(text)
    return file


def test_paths_are_relative_to_the_file_and_issuers_default_to_the_ods_code(tmp_path: Path) -> None:
    settings = load_node_settings(written(tmp_path, GOOD))
    assert settings.node.data_dir == tmp_path / "var/rxn"
    assert settings.trust.patient_id_issuer == settings.trust.accession_issuer == "RXN"
    peer = settings.peer("CT1")
    assert peer is not None
    assert peer.allows_host("10.1.2.3")
    assert peer.allows_host("::ffff:127.0.0.1")
    assert not peer.allows_host("10.2.0.1")


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ('listen = "127.0.0.1:11112"', 'listen = "11112"', "node.listen", "expected HOST:PORT"),
        ('name = "Lancashire Teaching Hospitals"', "", "trust.name", "is missing"),
        ('ae_title = "RXN_NODE"', 'ae_title = "A_TITLE_THAT_IS_TOO_LONG"', "node.ae_title", "1 to 16 ASCII"),
        ('ae_title = "RXN_NODE"', 'ae_titel = "RXN_NODE"', "node.ae_titel", "unknown key"),
        ('kind = "embedded"', 'kind = "cloud"', "archive", "'dimse', 'orthanc', 'embedded'"),
        (
            'may = ["echo", "store"]',
            'may = ["delete"]',
            "peers[0].may[0]",
            "'echo', 'store', 'find', 'move', 'get', 'commit'",
        ),
        ('may = ["echo", "store"]', 'may = ["commit"]', "peers[0].address", "reported on a call of ours"),
        ('may = ["echo", "store"]', 'may = ["echo"]\nnotify = true', "peers[0].address", "is notified"),
        (
            'kind = "embedded"\ndirectory = "var/archive"',
            'kind = "dimse"\nae_title = "PACS"\naddress = "10.1.0.9:104"\ncommitment = true',
            "archive.commitment",
            "list 'PACS' under [[peers]]",
        ),
        ('role = "modality"', 'role = "modality"\nmaximum_mib_per_s = 0', "peers[0].maximum_mib_per_s", "0.1"),
        ('role = "modality"', 'role = "modality"\nmaximum_pdu_bytes = 16', "peers[0].maximum_pdu_bytes", "4096"),
        ('role = "modality"', 'role = "modality"\nidle_s = -1', "peers[0].idle_s", "greater than 0"),
        ('ae_title = "RXN_NODE"', 'ae_title = "RXN_NODE"\nartim_s = 0', "node.artim_s", "greater than 0"),
        ('ae_title = "RXN_NODE"', 'ae_title = "RXN_NODE"\nmaximum_waiting = 1', "node.maximum_waiting", "16"),
        ('"10.1.0.0/16"', '"10.1.0.0/40"', "peers[0].allowed_hosts[1]", "IP address or a range"),
        ('allowed_hosts = ["127.0.0.1", "10.1.0.0/16"]', "", "peers[0].allowed_hosts", "is empty"),
        ('ae_title = "CT1"', 'ae_title = "RXN_NODE"', "peers[0].ae_title", "used twice"),
        ('token_file = "rxn.token"', 'token_file = "none"', "router.token_file", "no such file"),
        ('name = "Lanc', 'patient_id_issuer = " "\nname = "Lanc', "trust.patient_id_issuer", "never joins anything"),
        (
            'directory = "var/archive"',
            'directory = "var/rxn/spool/a"',
            "archive.directory",
            "expected a folder of its own",
        ),
        (
            'kind = "embedded"\ndirectory = "var/archive"',
            'kind = "dimse"\nae_title = "P"\naddress = "127.0.0.1:11112"',
            "archive.address",
            "node's own address",
        ),
        ("[trust]", "[trust", "(syntax)", "line 2"),
    ],
)
def test_a_wrong_file_says_where_and_what_was_expected(
    tmp_path: Path, old: str, new: str, key: str, words: str
) -> None:
    assert old in GOOD
    file = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(SettingsError) as caught:
        load_node_settings(file)
    line = next((line for line in str(caught.value).splitlines() if f": {key}: " in line or f"{key}: " in line), "")
    assert str(file) in line, str(caught.value)
    assert words in line


def test_an_empty_token_stops_the_start(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    (tmp_path / "rxn.token").write_text("\n")
    with pytest.raises(SettingsError, match=r"router\.token_file: is empty"):
        load_node_settings(file)


def test_a_missing_file_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load_node_settings(tmp_path / "none.toml")
