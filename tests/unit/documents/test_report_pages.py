"""Printed reports: valid documents that show every word, and whose they are; what a font lacks is said or stops it."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset

from dicom_nodes.documents.encapsulated_pdf import ENCAPSULATED_PDF, ReportPages
from dicom_nodes.documents.page_setting import read_pages, set_pages
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.report import OutgoingReport, ReportAuthor, ReportSection
from dicom_nodes.rules.report_losses import losses_of_page, visible
from tests.fakes.report_samples import outgoing_report

TRUST = "Lancashire Teaching Hospitals NHS Foundation Trust"
SPOKEN = "<>&|^~\\\r\n\t €ŁłâµÄß≤≥→±²اليد😀\u200f"
TEXT = st.text(st.characters(max_codepoint=0x24F, exclude_categories=["Cc"]) | st.sampled_from(SPOKEN), max_size=60)
DOCUMENT = """Clinical details:
?SAH. T1 < 5 mm & “no change” | a ^ b ~ c \\ d; 5 €.

Findings:
Łukasz, Siân, O'Brien. Lesion 3 × 4 mm → stable, ≤ 5 mm.

Conclusion:
Normal."""


def written(report: OutgoingReport) -> Dataset:
    instance, _ = ReportPages(TRUST).write(report)
    document = read_dataset(io.BytesIO(instance.read_data_set()), False, True)
    assert document.SOPInstanceUID == instance.sop_instance_uid
    return document


def pdf_of(report: OutgoingReport) -> bytes:
    document = written(report)
    return bytes(document.EncapsulatedDocument[: document.EncapsulatedDocumentLength])


def pdftotext(pdf: bytes, *options: str) -> str:
    done = subprocess.run(["pdftotext", *options, "-", "-"], input=pdf, capture_output=True, timeout=30, check=True)
    return done.stdout.decode()


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT.filter(str.strip))
@example("Findings:\nT1 < 5 mm | ^ ~ \\ & > 5 € Łukasz Siân\r\n  indented\ttabbed\n\n")
@example("لا يوجد نزيف داخل الجمجمة 12 mm.\nthen English, ليد, and back")
@example("fi fl ﬁ ǆ e\u0301 A\u030a <script>alert(1)</script> &amp; url(file:///etc/passwd)")
@example("x" * 300 + " " + "\u00a0" * 3 + "end")
def test_pages_show_the_text_or_say_what_they_lack(text: str) -> None:
    pages = set_pages(outgoing_report(text=text), TRUST)
    if pages.pdf:
        assert not [loss for loss in pages.losses if loss.changes_meaning]
        spoken = losses_of_page(text, read_pages(pages.pdf)[0], {"😀": "😀"})
        assert not [loss for loss in spoken if loss.kind == "text"]
    else:
        assert [loss for loss in pages.losses if loss.changes_meaning]


@pytest.mark.peers("poppler")
def test_another_reader_finds_everything_on_the_page() -> None:
    pdf = pdf_of(outgoing_report(text=DOCUMENT, authors=(ReportAuthor("C9995678", "Ryder^Tom^^Dr", "assistant"),)))
    said = pdftotext(pdf, "-layout")
    for words in (
        "O'BRIEN, Siân Łucja (Mrs)", "03 Feb 1960", "999 000 0018", "H123456 (RXN)", "Lancashire Teaching", "FINAL",
        "CT Head (CSKUH)", "1 March 2026, 09:00 GMT", "RXN000123", "Dr Ada Okafor (GMC 9991234)",
        "Dr Tom Ryder (GMC 9995678)", "1 July 2026, 11:05 BST", "Page 1 of 1", "Report 3f0e5a52", "version 1",
    ):  # fmt: skip
        assert words in said, words
    assert visible(DOCUMENT) in visible(said)


@pytest.mark.peers("poppler")
@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"status": "P"}, "PRELIMINARY"),
        ({"status": "F"}, "FINAL"),
        ({"status": "C"}, "CORRECTED"),
        ({"status": "C", "addendum": True}, "ADDENDUM"),
    ],
)
def test_every_page_says_what_it_is_whose_it_is_and_which_of_how_many(changes: dict[str, object], word: str) -> None:
    text = "\n".join(f"{number}. A line of a long report." for number in range(120))
    pages = pdftotext(pdf_of(outgoing_report(text=text, **changes))).split("\f")[:-1]
    assert len(pages) == 3
    for number, page in enumerate(pages, 1):
        for words in (word, "O'BRIEN", "999 000 0018", "H123456", "03 Feb 1960", f"Page {number} of 3"):
            assert words in page, (number, words)
    assert ("Not verified. Written by" in pages[0]) is (word == "PRELIMINARY")


@pytest.mark.peers("poppler")
def test_no_head_however_high_covers_a_word_of_the_text() -> None:
    crowd = tuple(ReportAuthor(f"C999{number:04}", "Wolstenholme^Alexandrina^^Dr") for number in range(12))
    name = "W" * 31 + "^" + "M" * 31
    text = "TOPMOST\n" + "a line\n" * 45 + "LOWEST"
    pdf = pdf_of(outgoing_report(text=text, authors=crowd, patient_name=name, exam_code=("C", "N", "W" * 64)))
    for page in pdftotext(pdf, "-bbox").split("<page ")[1:]:
        words = re.findall(r'yMin="([\d.]+)" xMax="[\d.]+" yMax="([\d.]+)">([^<]+)', page)
        body = [float(top) for top, _, word in words if word in {"TOPMOST", "line", "LOWEST"}]
        heads = [float(bottom) for _, bottom, word in words if word in {"number", "H123456", "Verified", "(RXN)"}]
        assert max(bottom for bottom in heads if bottom < 780) < min(body)
        assert max(body) < 780


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status": "P", "author_registration": None},
        {"status": "C", "version": 3, "addendum": True, "text": "Ł€ تقرير\r\nend ", "exam_code": None},
        dict.fromkeys(
            ("accession_number", "patient_id", "nhs_number", "birth_date", "patient_name", "patient_sex", "study_time")
        ),
    ],
)
def test_dciodvfy_finds_no_error(changes: dict[str, object], tmp_path: Path) -> None:
    document, file = written(outgoing_report(**changes)), tmp_path / "report.dcm"
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    document.file_meta.MediaStorageSOPClassUID = ENCAPSULATED_PDF
    document.file_meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    document.save_as(file, enforce_file_format=True)
    found = subprocess.run([Path(sys.executable).with_name("dciodvfy"), file], capture_output=True, text=True)
    assert "EncapsulatedPDF" in found.stderr
    assert "Error" not in found.stdout + found.stderr, found.stdout + found.stderr


def test_the_same_version_gives_the_same_document_and_another_one_another() -> None:
    one, again = (ReportPages(TRUST).write(outgoing_report(text=DOCUMENT))[0] for _ in range(2))
    assert (one.sop_instance_uid, one.read_data_set()) == (again.sop_instance_uid, again.read_data_set())
    corrected = written(outgoing_report(text=DOCUMENT, version=2, status="C"))
    first = written(outgoing_report(text=DOCUMENT))
    assert corrected.SOPInstanceUID != first.SOPInstanceUID
    assert corrected.SeriesInstanceUID != first.SeriesInstanceUID
    assert corrected.StudyInstanceUID == first.StudyInstanceUID


def test_a_symbol_the_font_lacks_is_written_by_its_name_and_said() -> None:
    _, losses = ReportPages(TRUST).write(outgoing_report(text="no change 🩻"))
    assert [(loss.kind, loss.changes_meaning) for loss in losses] == [("characters", False)]
    body, _ = read_pages(pdf_of(outgoing_report(text="no change 🩻")))
    assert body.strip() == "no change [x-ray]"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"text": "腫瘍 MARKED"}, "the text holds Cjk letters"),
        ({"text": "fine", "patient_name": "腫^MARKED"}, "the head of the page holds Cjk letters"),
        ({"status": "X"}, "has no page"),
    ],
)
def test_what_a_page_cannot_show_stops_it_and_is_not_quoted(changes: dict[str, object], words: str) -> None:
    with pytest.raises(PeerRefused, match=words) as caught:
        written(outgoing_report(**changes))
    assert "MARKED" not in str(caught.value)


def test_setting_a_page_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    sections = (ReportSection("Marked title", "text"),)
    set_pages(outgoing_report(text="<img src='file:///none'> Marked title\nMARKED", sections=sections), TRUST)
    assert "arked" not in caplog.text
    assert "MARKED" not in caplog.text
