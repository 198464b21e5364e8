"""ORU^R01 out: reads back as it is, in every version and character set, or is refused."""

from datetime import timedelta

import hl7
import hl7apy.parser
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dicom_nodes.hl7.message import Message
from dicom_nodes.hl7.oru import read_oru
from dicom_nodes.hl7.outgoing_oru import build_oru, control_id
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.report_text import control_character
from tests.fakes.report_samples import outgoing_report, ris_settings

TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("<>&|^~\\\r\n\t€Łاليد😀")).filter(str.strip)


@settings(deadline=None)
@given(TEXT)
@example("T1 < 5 mm | ^ ~ \\ & > \\.br\\ \\T\\ \\X41\\")
@example("a\rb\nc\r\nd\n\n ")
@example("€ Ł تقرير 😀")
@example("MSH|^~\\&\rOBX|1")
def test_any_text_reads_back_identical_or_is_refused(text: str) -> None:
    report = outgoing_report(text=text)
    if control_character(text):
        with pytest.raises(PeerRefused, match="control c"):
            build_oru(report, ris_settings(), "RXN")
    else:
        assert read_oru(build_oru(report, ris_settings(), "RXN")).text == text


@settings(deadline=None)
@given(TEXT, st.sampled_from(["ASCII", "8859/1", "8859/15"]))
def test_a_character_set_carries_the_text_or_nothing_is_sent(text: str, charset: str) -> None:
    try:
        message = build_oru(outgoing_report(text=text, patient_name="Doe"), ris_settings(charset=charset), "RXN")
    except PeerRefused:
        codec = {"ASCII": "ascii", "8859/1": "latin-1", "8859/15": "iso8859-15"}[charset]
        assert control_character(text) or text.encode(codec, "ignore").decode(codec) != text
    else:
        assert read_oru(message).text == text


@pytest.mark.parametrize(
    ("charset", "changes", "kind"),
    [
        ("8859/1", {"text": "costs five €", "patient_name": "Doe"}, "currency signs"),
        ("8859/15", {"text": "Łokieć", "patient_name": "Doe"}, "Latin letters"),
        ("8859/15", {"text": "اليد", "patient_name": "Doe"}, "Arabic letters"),
        ("8859/15", {"text": "ok 😀", "patient_name": "Doe"}, "symbols"),
        ("ASCII", {"text": "plain", "patient_name": "O'Brien^Siân"}, "Latin letters"),
    ],
)
def test_a_refusal_names_the_kind_of_character_and_not_the_text(charset: str, changes: dict, kind: str) -> None:
    with pytest.raises(PeerRefused) as caught:
        build_oru(outgoing_report(**changes), ris_settings(charset=charset), "RXN")
    assert f"character set {charset} has no {kind}); nothing was sent" in str(caught.value)
    assert not [word for text in changes.values() for word in text.split() if word in str(caught.value)]


@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4", "2.5", "2.5.1"])
def test_every_identifier_reads_back_in_every_version(version: str) -> None:
    report = outgoing_report()
    read = read_oru(build_oru(report, ris_settings(version=version, charset="UNICODE UTF-8"), "RXN"))
    for name in (
        "study_instance_uid", "accession_number", "accession_issuer", "patient_id", "patient_id_issuer", "nhs_number",
        "birth_date", "status", "author_registration", "author_name", "authored_at",
    ):  # fmt: skip
        assert getattr(read, name) == getattr(report, name), name


def test_fields_are_where_uk_radiology_looks() -> None:
    message = Message(build_oru(outgoing_report(), ris_settings(), "RXN"))
    pid, orc, obr = (message.named(name)[0] for name in ("PID", "ORC", "OBR"))
    assert pid.first(3).raw == b"9990000018^^^NHS^NH"
    assert pid.repetitions(3)[1].raw == b"H123456^^^RXN^MR^RXN"
    assert pid.first(5).text() == "O'Brien^Siân^Łucja^^Mrs"
    assert orc.first(3).raw == b"RXN000123^^^RXN"
    assert obr.value(3) == outgoing_report().report_id
    assert obr.first(4).raw == b"CSKUH^CT Head^NICIP"
    assert (obr.value(7), obr.value(22), obr.value(24)) == ("20260301090000+0000", "20260301100000+0000", "CT")
    assert message.header.value(7) == "20260701110500+0100"
    assert [message.header.value(field) for field in (4, 6, 11, 12, 18)] == [
        "RXN",
        "RXN",
        "P",
        "2.5.1",
        "UNICODE UTF-8",
    ]


def test_the_same_version_gives_the_same_bytes_and_another_version_another_control_id() -> None:
    one, again, corrected = outgoing_report(), outgoing_report(), outgoing_report(version=2, status="C")
    assert build_oru(one, ris_settings(), "RXN") == build_oru(again, ris_settings(), "RXN")
    assert control_id(one) != control_id(corrected)
    assert len(control_id(one)) == 20
    later = outgoing_report(verified_at=one.verified_at + timedelta(hours=1))
    assert control_id(later) == control_id(one)


def test_a_report_under_another_identity_is_no_repeat_for_the_ris() -> None:
    """A RIS that has it under the old number would answer yes to a repeat and file nothing."""
    one, moved = outgoing_report(), outgoing_report(patient_id="H900900", has_moved=True)
    again = outgoing_report(patient_id="H900901", has_moved=True)
    assert len({control_id(report) for report in (one, moved, again)}) == 3
    assert control_id(moved) == control_id(outgoing_report(patient_id="H900900", has_moved=True))
    assert control_id(one) == control_id(outgoing_report(patient_id="H900900")), (
        "what the images say counts for nothing"
    )


def test_a_report_with_little_in_it_is_still_a_message() -> None:
    nothing = dict.fromkeys(
        ("accession_number", "accession_issuer", "patient_id", "patient_id_issuer", "nhs_number", "birth_date",
         "patient_name", "patient_sex", "study_time", "study_description", "exam_code", "modality",
         "author_registration", "author_name")
    )  # fmt: skip
    read = read_oru(build_oru(outgoing_report(**nothing), ris_settings(), "RXN"))
    assert (read.patient_id, read.nhs_number, read.author_name) == (None, None, None)
    assert read.study_instance_uid == outgoing_report().study_instance_uid


@pytest.mark.parametrize("processing_id", ["P", "T", "D"])
def test_a_training_ris_gets_its_own_processing_id(processing_id: str) -> None:
    message = build_oru(outgoing_report(), ris_settings(processing_id=processing_id), "RXN")
    assert Message(message).header.value(11) == processing_id


def test_hl7apy_finds_the_message_valid() -> None:
    message = build_oru(outgoing_report(text="a | b ^ c"), ris_settings(), "RXN").decode()
    parsed = hl7apy.parser.parse_message(message, find_groups=True, validation_level=2)
    assert parsed.validate()


def test_another_parser_reads_the_same_text() -> None:
    text = "3 < 5 mm | a^b ~ c & d"
    parsed = hl7.parse(build_oru(outgoing_report(text=text), ris_settings(), "RXN").decode())
    assert parsed.unescape(str(parsed.segments("OBX")[1][5])) == text
