"""The demonstration's files are what the real programs accept, and what its reader writes is read back whole."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dicom_nodes.documents.structured_report import StructuredReports
from dicom_nodes.encoding.digest import digest_of
from dicom_nodes.hl7.oru import read_oru
from readacross.check.agreement import disagreements
from readacross.check.loading import load_files
from readacross.demo.modality import SendFailed, send
from readacross.demo.region import ORIGIN, READER_NAME, REGISTRATION, lay_out, write_files
from readacross.demo.report_messages import Signed, as_oru, as_structured_report
from readacross.demo.workstation import Workstation
from tests.synthetic.studies import bundled_study, data_set_bytes, make_study, next_serial

TEXT = "CT head. GCS < 15, p > 0.05 & flow ~ 3|4 ^ C:\\scan.\n\nŁukasz O'Brien-Siân: no haemorrhage."


def test_demo_files_agree_with_each_other(tmp_path: Path) -> None:
    region = lay_out(tmp_path / "demo")
    write_files(region, "127.0.0.1:1", dict.fromkeys(region.nodes, "127.0.0.1:2"))
    for node in region.nodes.values():
        node.token_file.write_text("token", encoding="ascii")
    files = load_files([*(node.file for node in region.nodes.values()), region.router_file])
    assert [str(finding) for finding in [*files.findings, *disagreements(files)]] == []
    assert (len(files.trusts), len(files.routers)) == (2, 1)


@pytest.mark.parametrize("channel", ["oru", "sr"])
def test_what_the_demo_reader_writes_is_read_back_whole(tmp_path: Path, channel: str) -> None:
    study = make_study(tmp_path)
    at = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    signed = Signed(study, ORIGIN, TEXT, REGISTRATION, READER_NAME, at)
    if channel == "oru":
        report = read_oru(as_oru(signed, "ID1"))
    else:
        report = StructuredReports().read(data_set_bytes(as_structured_report(signed)), "1.2.840.10008.1.2.1")
    assert report.text == TEXT
    assert report.status == "F"
    assert report.study_instance_uid == study.study_instance_uid
    assert (report.accession_number, report.accession_issuer) == (study.accession_number, ORIGIN)
    assert (report.patient_id, report.patient_id_issuer) == (study.patient.patient_id, ORIGIN)
    assert report.birth_date == study.patient.birth_date
    assert (report.author_registration, report.authored_at) == (REGISTRATION, at)


def test_demo_modality_and_workstation_keep_every_byte(tmp_path: Path) -> None:
    from dicom_nodes.model.delivery import ApplicationEntity

    study = bundled_study(tmp_path, "MR", origin=ORIGIN, serial=next_serial())
    workstation = Workstation("WS", tmp_path / "ws").start()
    try:
        send(study.files, "MOD", ApplicationEntity("WS", "127.0.0.1", workstation.port))
        assert workstation.digests() == study.digests
        sent = study.files[0].path.read_bytes()
        assert digest_of(data_set_bytes(sent)) == study.files[0].digest
        with pytest.raises(SendFailed, match="rejected"):
            send(study.files, "MOD", ApplicationEntity("OTHER", "127.0.0.1", workstation.port))
    finally:
        workstation.stop()
