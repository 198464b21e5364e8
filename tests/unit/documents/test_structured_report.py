"""Structured reports: written validly and read back identical; foreign ones read without losing a word."""

import io
import subprocess
import sys
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from dicom_nodes.documents.structured_report import BASIC_TEXT_SR, StructuredReports
from dicom_nodes.model.errors import CannotUnderstand, PeerRefused
from dicom_nodes.model.report import ReportChannel
from dicom_nodes.model.report_text import control_character
from tests.fakes.report_samples import NHS_NUMBER, STUDY_UID, outgoing_report

EXPLICIT, IMPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
)  # fmt: skip
DOCUMENTS = StructuredReports()
TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("<>&|^~\\\r\n\t €Łاليد😀")).filter(str.strip)


def written(**changes: object) -> bytes:
    return DOCUMENTS.write(outgoing_report(**changes)).read_data_set()


def opened(**changes: object) -> Dataset:
    return read_dataset(io.BytesIO(written(**changes)), False, True)


def encoded(document: Dataset, transfer_syntax_uid: str = EXPLICIT) -> bytes:
    buffer = io.BytesIO()
    stream = DicomIO(buffer)
    stream.is_little_endian = transfer_syntax_uid != BIG
    stream.is_implicit_VR = transfer_syntax_uid == IMPLICIT
    write_dataset(stream, document)
    if transfer_syntax_uid != DEFLATED:
        return buffer.getvalue()
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(buffer.getvalue()) + deflater.flush()


def code(meaning: str, value: str = "X1", scheme: str = "99TEST") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def content(value_type: str, name: str | None, relationship: str = "CONTAINS", **values: object) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = relationship, value_type
    if name:
        item.ConceptNameCodeSequence = [code(name)]
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


@settings(deadline=None)
@given(TEXT)
@example("T1 < 5 mm | ^ ~ \\ & >")
@example("a\rb\nc\r\nd\r\n")
@example("ends in spaces   ")
@example("ends in lines\n\n")
@example("x\r \n \r")
@example(" € Ł تقرير 😀")
def test_any_text_reads_back_identical_or_is_refused(text: str) -> None:
    if control_character(text):
        with pytest.raises(PeerRefused, match="control character"):
            written(text=text)
    else:
        assert DOCUMENTS.read(written(text=text), EXPLICIT).text == text


@pytest.mark.parametrize("text", ["", "  \n", "half \ud83d a pair"])
def test_text_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(PeerRefused):
        written(text=text)


def test_what_was_written_says_the_same_when_read() -> None:
    report = outgoing_report()
    read = DOCUMENTS.read(written(), EXPLICIT)
    assert read.channel is ReportChannel.DICOM_SR
    assert read.original_reference == DOCUMENTS.write(report).sop_instance_uid
    assert read.original == written()
    for name in (
        "study_instance_uid", "accession_number", "accession_issuer", "patient_id", "patient_id_issuer", "nhs_number",
        "birth_date", "status", "text", "author_registration", "author_name", "authored_at",
    ):  # fmt: skip
        assert getattr(read, name) == getattr(report, name), name


@pytest.mark.parametrize(("status", "flags", "read"), [
    ("P", ("UNVERIFIED", "PRELIMINARY"), "P"), ("F", ("VERIFIED", "FINAL"), "F"), ("C", ("VERIFIED", "FINAL"), "F"),
])  # fmt: skip
def test_status_is_said_by_the_flags(status: str, flags: tuple[str, str], read: str) -> None:
    document = opened(status=status)
    assert document.CompletionFlag == "COMPLETE"
    assert (document.VerificationFlag, document.PreliminaryFlag) == flags
    assert ("VerifyingObserverSequence" in document) is (status != "P")
    assert DOCUMENTS.read(encoded(document), EXPLICIT).status == read


def test_the_same_version_gives_the_same_bytes_and_another_one_another_uid() -> None:
    one, two = outgoing_report(), outgoing_report(version=2, status="C")
    assert DOCUMENTS.write(one).read_data_set() == DOCUMENTS.write(replace(one)).read_data_set()
    assert DOCUMENTS.write(one).sop_instance_uid != DOCUMENTS.write(two).sop_instance_uid
    assert DOCUMENTS.write(one).sop_instance_uid.startswith("2.25.")
    assert opened().SeriesInstanceUID != opened(version=2).SeriesInstanceUID


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status": "P", "author_registration": None},
        {"status": "C", "version": 3, "text": "Ł€ تقرير\r\nend ", "exam_code": None},
        {"author_name": None},
        {"author_registration": "HCPC-RA-0123456789-LONG"},
        dict.fromkeys(
            ("accession_number", "patient_id", "nhs_number", "birth_date", "patient_name", "patient_sex", "study_time")
        ),
    ],
)
def test_dciodvfy_finds_no_error(changes: dict[str, object], tmp_path: Path) -> None:
    document, file = opened(**changes), tmp_path / "report.dcm"
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = EXPLICIT
    document.file_meta.MediaStorageSOPClassUID = BASIC_TEXT_SR
    document.file_meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    document.save_as(file, enforce_file_format=True)
    found = subprocess.run([Path(sys.executable).with_name("dciodvfy"), file], capture_output=True, text=True)
    assert "BasicTextSR" in found.stderr
    assert "Error" not in found.stdout + found.stderr


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "X"}, "cannot be a structured report"),
        ({"author_name": None, "author_registration": None}, "without its author"),
        ({"accession_number": "A" * 17}, "AccessionNumber of the report does not fit"),
        ({"patient_id": "MARKED\\2"}, "PatientID of the report holds a backslash"),
        ({"patient_name": "MARKED" * 20}, "PatientName of the report does not fit"),
        ({"study_instance_uid": "MARKED"}, "StudyInstanceUID"),
    ],
)
def test_what_does_not_fit_is_refused_without_being_quoted(changes: dict[str, object], words: str) -> None:
    with pytest.raises(PeerRefused, match=words) as caught:
        written(**changes)
    assert "MARKED" not in str(caught.value)


@pytest.mark.parametrize("transfer_syntax_uid", [EXPLICIT, IMPLICIT, BIG, DEFLATED])
def test_every_plain_transfer_syntax_is_read(transfer_syntax_uid: str) -> None:
    document = opened(text="Łokieć < 5")
    assert DOCUMENTS.read(encoded(document, transfer_syntax_uid), transfer_syntax_uid).text == "Łokieć < 5"


@pytest.mark.parametrize(("charset", "codec"), [("ISO_IR 100", "latin-1"), ("ISO_IR 101", "iso8859-2"), ("", "ascii")])
def test_other_character_sets_are_read(charset: str, codec: str) -> None:
    text = {"latin-1": "Siân 5 µm", "iso8859-2": "Łokieć", "ascii": "plain"}[codec]
    document = opened(patient_name="Doe")
    document.SpecificCharacterSet = charset
    document.ContentSequence[-1].ContentSequence[0].TextValue = text
    assert text.encode(codec) in encoded(document)
    assert DOCUMENTS.read(encoded(document), EXPLICIT).text == text


@pytest.mark.parametrize("sop_class", ["11", "22", "33"])
def test_a_foreign_document_keeps_every_word(sop_class: str) -> None:
    document = opened()
    document.SOPClassUID = f"1.2.840.10008.5.1.4.1.1.88.{sop_class}"
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = "12", [code("millimeter", "mm", "UCUM")]
    document.ContentSequence = [
        content("CODE", "Observer Type", "HAS OBS CONTEXT", ConceptCodeSequence=[code("Person")]),
        content("CONTAINER", "Findings", ContentSequence=[
            content("TEXT", "Finding", TextValue="A nodule.", ContentSequence=[
                content("CODE", "Laterality", "HAS CONCEPT MOD", ConceptCodeSequence=[code("Left")]),
                content("IMAGE", None, "INFERRED FROM"),
            ]),
            content("NUM", "Diameter", MeasuredValueSequence=[measured]),
            content("CODE", "Finding", ConceptCodeSequence=[code("Pulmonary nodule")]),
        ]),
        content("CONTAINER", "Impressions", ContentSequence=[
            content("TEXT", "Impression", TextValue="Follow up.\r\nSoon."),
            content("DATE", "Due", Date="20260401"),
        ]),
    ]  # fmt: skip
    assert DOCUMENTS.read(encoded(document), EXPLICIT).text.split("\n") == [
        "Findings", "Finding: A nodule.", "Laterality: Left", "Image: not said which", "Diameter: 12 mm",
        "Finding: Pulmonary nodule",
        "Impressions", "Impression: Follow up.\r", "Soon.", "Due: 20260401",
    ]  # fmt: skip


def test_identity_is_taken_with_its_issuers() -> None:
    document = opened()
    document.PatientID, document.IssuerOfPatientID = "999 000 0018", "NHS"
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID, other.TypeOfPatientID = "H9", "RXR", "TEXT"
    document.OtherPatientIDsSequence = [other]
    report = DOCUMENTS.read(encoded(document), EXPLICIT)
    assert (report.nhs_number, report.patient_id, report.patient_id_issuer) == (NHS_NUMBER, "H9", "RXR")
    assert (report.study_instance_uid, report.birth_date) == (STUDY_UID, date(1960, 2, 3))


def test_a_time_with_an_offset_is_read_with_it() -> None:
    document = opened()
    document.ContentDate, document.ContentTime, document.TimezoneOffsetFromUTC = "20260701", "100000", "+0200"
    assert DOCUMENTS.read(encoded(document), EXPLICIT).authored_at == datetime(2026, 7, 1, 8, 0, tzinfo=UTC)


def change(keyword: str, value: object) -> bytes:
    document = opened()
    setattr(document, keyword, value)
    return encoded(document)


@pytest.mark.parametrize(
    ("data_set", "words"),
    [
        (b"", "not a report document"),
        (b"this is no DICOM at all", "damaged"),
        (change("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2"), "not a report document"),
        (change("SOPClassUID", "1.2.840.10008.5.1.4.1.1.104.1"), r"\(0042,0012\) is not application/pdf"),
        (change("SOPInstanceUID", ""), "no SOP Instance UID"),
        (change("ContentSequence", []), "no report text"),
        (change("ContentSequence", [content("CONTAINER", "Findings")]), "no report text"),
        (change("ContentSequence", [content("TABLE", "Findings")]), "value type that is not read"),
        (change("ContentSequence", [content("TEXT", "Finding", TextValue="a\x0bb")]), r"control character U\+000B"),
        (written(text="Łokieć").replace(b"ISO_IR 192", b"ISO_IR 6  "), "TextValue holds bytes|VerifyingObserverName"),
        (written(text="Łokieć").replace(b"ISO_IR 192", b"ISO_IR 999"), "none that is read here"),
    ],
)
def test_what_cannot_be_understood_is_refused_in_words(data_set: bytes, words: str) -> None:
    with pytest.raises(CannotUnderstand, match=words):
        DOCUMENTS.read(data_set, EXPLICIT)


def test_a_tree_without_end_is_refused() -> None:
    item = content("TEXT", "Finding", TextValue="deep")
    for _ in range(40):
        item = content("CONTAINER", None, ContentSequence=[item])
    with pytest.raises(CannotUnderstand, match="deeper"):
        DOCUMENTS.read(change("ContentSequence", [item]), EXPLICIT)


def test_a_truncated_document_is_never_a_shorter_report() -> None:
    whole = written()
    text = outgoing_report().text
    for length in range(len(whole)):
        try:
            assert DOCUMENTS.read(whole[:length], EXPLICIT).text == text
        except CannotUnderstand:
            continue


def test_reading_warns_and_logs_nothing(caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder) -> None:
    document = opened()
    damaged = encoded(document).replace(b"19600203", b"1960MARK").replace(b"H123456", b"\xff\xfe3456M")
    with pytest.raises(CannotUnderstand):
        DOCUMENTS.read(damaged.replace(b"VERIFIED", b"\xff\xfe\xfd\xfcFIED"), EXPLICIT)
    DOCUMENTS.read(damaged, EXPLICIT)
    assert not caplog.records
    assert not recwarn.list
