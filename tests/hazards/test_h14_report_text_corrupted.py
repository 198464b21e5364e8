"""Hazard 14: report text corrupted. Control: an escape-safe round trip, and what leaves is decoded again from the very
bytes and compared with what came; a report that would not arrive as it is waits with its loss report."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dicom_nodes.contract import OrderCompleted, OrderParked
from dicom_nodes.documents.structured_report import StructuredReports
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.fhir.outgoing_report import text_of, write_report
from dicom_nodes.hl7.oru import read_oru
from dicom_nodes.hl7.outgoing_oru import build_oru
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.report import OutgoingReport
from tests.fakes.report_samples import outgoing_report, ris_settings
from tests.peers.hl7_oracle import report_text
from tests.peers.returning_trust import running_trust
from tests.synthetic.studies import make_study

CHARSETS = ("UNICODE UTF-8", "8859/1", "8859/15", "ASCII")
SPOKEN = "<>&|^~\\\r\n\t€ŁâاليدÂ😀\x00\x0b\x0c\x1b\x85\u2028"
TEXT = st.text(st.characters() | st.sampled_from(SPOKEN)).filter(str.strip)


def by_sr(report: OutgoingReport) -> str:
    data_set = bytes(StructuredReports().write(report).read_data_set())
    return StructuredReports().read(data_set, EXPLICIT_VR_LITTLE_ENDIAN).text


def by_oru(report: OutgoingReport, charset: str) -> str:
    return read_oru(build_oru(report, ris_settings(charset=charset), "RXN")).text


def by_fhir(report: OutgoingReport) -> str:
    return text_of(write_report(report, "Trust", "RXN", with_id=True).body)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT, st.sampled_from(CHARSETS))
@example("T1 < 5 mm | a ^ b ~ c \\ d & e \\.br\\ \\X0D\\ \\E\\", "8859/1")
@example("everything after < is lost > & more", "ASCII")
@example("a\rb\r\nc\n", "UNICODE UTF-8")
@example("€ Ł Siân اليد 😀", "UNICODE UTF-8")
@example("€ Ł Siân اليد 😀", "8859/15")
@example("OBX|9|TX|1^2||not a segment||||||F\rMSH|^~\\&", "ASCII")
@example("nul \x00, vertical tab \x0b, escape \x1b, next line \x85", "UNICODE UTF-8")
@example("half \ud83d a pair", "UNICODE UTF-8")
def test_sr_to_oru_to_fhir_to_oru_is_the_same_text_or_a_loss_report(text: str, charset: str) -> None:
    """Each hop writes what it read from the bytes of the hop before."""
    report = outgoing_report(patient_name="Doe^Jo")
    said = text
    hops = (by_sr, lambda r: by_oru(r, charset), by_fhir, lambda r: by_oru(r, charset))
    for hop in hops:
        try:
            said = hop(replace(report, text=said))
        except PeerRefused as refused:
            reason = str(refused)
            assert any(word in reason for word in ("character", "surrogate", "control"))
            assert len(text) < 4 or text not in reason
            return
        assert said == text


@pytest.mark.peers("dcmtk", "poppler")
def test_a_text_of_every_delimiter_arrives_by_every_channel(tmp_path: Path) -> None:
    text = "Findings: T1 < 5 mm > 3 & a | b ^ c ~ d \\ e \\.br\\ \\T\\.\nŁ € Siân اليد\n<b>not bold</b> &amp; ]]> end"
    study = make_study(tmp_path / "images", slices=1)
    with running_trust(tmp_path / "trust") as trust:
        trust.acquire(study)
        trust.wait_for(OrderCompleted, order_id=trust.order(study, text))
        assert [report_text(message) for message in trust.ris.messages] == [text]
        assert trust.structured_texts(study) == [text]
        assert [text_of(body) for body in trust.fhir.kept.values()] == [text]
        page = trust.printed(study)
        assert "Findings: T1 < 5 mm > 3 & a | b ^ c ~ d \\ e \\.br\\ \\T\\." in page
        assert "<b>not bold</b> &amp; ]]> end" in page


@pytest.mark.peers("dcmtk")
def test_a_control_code_reaches_no_channel_and_the_reason_is_told(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=1)
    with running_trust(tmp_path / "trust") as trust:
        trust.acquire(study)
        order_id = trust.order(study, "Marked\x0b words")
        for channel in ("ris", "archive", "pdf", "fhir"):
            parked = trust.wait_for(OrderParked, order_id=order_id, channel=channel)
            assert "control" in parked.reason
            assert "Marked" not in parked.reason
        assert not trust.ris.messages
        assert not trust.fhir.requests
        assert not trust.documents(study, "SR") + trust.documents(study, "DOC")
