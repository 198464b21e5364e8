"""The text of PDFs, as another program reads it too, and the reason where it cannot be had."""

import subprocess
from pathlib import Path

import pytest

from dicom_nodes.foundation import pdf_text
from dicom_nodes.foundation.pdf_text import PdfUnreadable, text_of_pdf
from tests.fakes.pdf_samples import pdf_of, picture_pdf

REPORT = pdf_of("CT head (urgent).\nNo haemorrhage < 5 mm & no mass.\nSiân O'Brien £5 \\ |", "Page two: normal.")


def test_the_text_of_all_pages_is_what_pdftotext_reads(tmp_path: Path) -> None:
    text = text_of_pdf(REPORT)
    assert text == "CT head (urgent).\nNo haemorrhage < 5 mm & no mass.\nSiân O'Brien £5 \\ |\n\nPage two: normal."
    (tmp_path / "a.pdf").write_bytes(REPORT)
    other = subprocess.run(["pdftotext", tmp_path / "a.pdf", "-"], capture_output=True, check=True).stdout.decode()
    assert other.split() == text.split()


@pytest.mark.parametrize(
    ("pdf", "words"),
    [
        (b"", "no PDF"),
        (b"not a PDF at all", "no PDF"),
        (b"%PDF-1.4\n", "damaged"),
        (REPORT[: len(REPORT) // 3], "damaged|no text"),
        (picture_pdf(), "picture"),
        (pdf_of(""), "holds no text"),
        (pdf_of(*["x"] * 201), "more than 200 pages"),
    ],
)
def test_a_pdf_without_trustworthy_text_is_refused_with_its_reason(pdf: bytes, words: str) -> None:
    with pytest.raises(PdfUnreadable, match=words):
        text_of_pdf(pdf)


def test_a_page_that_is_a_picture_among_others_refuses_the_whole() -> None:
    picture = picture_pdf()
    with pytest.raises(PdfUnreadable, match="page 1 of the PDF is a picture"):
        text_of_pdf(picture)


def test_a_pdf_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_text, "_DEADLINE_S", 0.001)
    with pytest.raises(PdfUnreadable, match="within"):
        text_of_pdf(REPORT)


def test_a_pdf_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_text, "LARGEST_BYTES", 100)
    with pytest.raises(PdfUnreadable, match="at most 100"):
        text_of_pdf(REPORT)
