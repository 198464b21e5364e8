"""How a trust wants its reports is checked at start: every mistake is named by file, key and reason."""

from pathlib import Path

import pytest

from dicom_nodes.config import load_node_settings
from dicom_nodes.foundation.settings_file import SettingsError

BASE = """
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
"""
RIS = '[ris]\naddress = "127.0.0.1:6661"\n'
FHIR = '[reports.fhir]\nurl = "https://fhir.example.nhs.uk/R4"\n'


def written(folder: Path, more: str) -> Path:
    (folder / "rxn.token").write_text("secret\n")
    file = folder / "rxn.toml"
    file.write_text(BASE + more)
    return file


def test_a_file_that_says_nothing_returns_reports_to_ris_and_archive(tmp_path: Path) -> None:
    reports = load_node_settings(written(tmp_path, "")).reports
    assert (reports.channels, reports.closes) == (("ris", "archive_sr"), "ris")


def test_all_four_channels_can_be_wanted(tmp_path: Path) -> None:
    (tmp_path / "fhir.token").write_text("secret")
    more = RIS + '[reports]\nchannels = ["ris", "archive_sr", "archive_pdf", "fhir"]\ncloses = "fhir"\n'
    more += '[reports.oru]\ntext = "obx_per_line"\nvalue_type = "TX"\nlongest_line = 80\nstudy_uid = ["obx", "zds"]\n'
    reports = load_node_settings(written(tmp_path, more + FHIR + 'token_file = "fhir.token"\n')).reports
    assert reports.closes == "fhir"
    assert reports.fhir is not None
    assert reports.fhir.token_file == tmp_path / "fhir.token"


@pytest.mark.parametrize(
    ("more", "key", "words"),
    [
        (RIS + '[reports]\nchannels = ["ris", "fax"]', "reports.channels[1]", "'archive_pdf' or 'fhir'"),
        (RIS + "[reports]\nchannels = []", "reports.channels", "at least 1"),
        (RIS + '[reports]\nchannels = ["ris", "ris"]', "reports.channels", "twice"),
        (RIS + '[reports]\ncloses = "fhir"', "reports.closes", "none of reports.channels"),
        (RIS + '[reports]\nchannels = ["ris", "fhir"]', "reports.fhir", "is missing"),
        ('[reports]\nchannels = ["ris", "archive_sr"]', "ris", "is missing"),
        (RIS + '[reports.oru]\ntext = "one_obx"\nvalue_type = "TX"', "reports.oru.value_type", "expected 'FT'"),
        (
            RIS + '[reports.oru]\ntext = "obx_per_line"\nvalue_type = "ST"',
            "reports.oru.longest_line",
            "at most 199",
        ),
        (RIS + '[reports.oru]\ntext_code = "A|B"', "reports.oru.text_code", "expected CODE^TEXT^SCHEME"),
        (RIS + '[reports.oru]\nlongest_line = 10', "reports.oru.longest_line", "greater than or equal to 40"),
        (RIS + '[reports.oru]\nzds = true', "reports.oru.zds", "unknown key"),
        (FHIR.replace("https", "http"), "reports.fhir.url", "by https only"),
        (FHIR + 'certificate = "c.pem"', "reports.fhir.key", "belong together"),
        (FHIR + 'token_file = "gone.token"', "reports.fhir.token_file", "no such file"),
        (FHIR.replace("https://", "ftp://"), "reports.fhir.url", "pattern"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_key(tmp_path: Path, more: str, key: str, words: str) -> None:
    file = written(tmp_path, more)
    with pytest.raises(SettingsError) as caught:
        load_node_settings(file)
    assert any(found == key and words in reason for found, reason in caught.value.problems), str(caught.value)
    assert str(file) in str(caught.value)


def test_certificates_that_cannot_be_used_stop_the_start(tmp_path: Path) -> None:
    for name in ("authority.pem", "node.pem", "node.key"):
        (tmp_path / name).write_text("no certificate\n")
    more = FHIR + 'trusted = "authority.pem"\ncertificate = "node.pem"\nkey = "node.key"\n'
    with pytest.raises(SettingsError) as caught:
        load_node_settings(written(tmp_path, more))
    assert [key for key, _ in caught.value.problems] == ["reports.fhir.trusted", "reports.fhir.certificate"]
