"""Set a report as a PDF, and read the finished pages again (ADR 108).

The letters are this package's own (DejaVu Sans Condensed), so that the same report gives the same bytes on every
machine. What they lack is written in words where that says the same, and is a loss that stops the page where not.
WeasyPrint and pypdf are loaded when the first page is set: only trusts that want pages need the libraries behind it.
"""

import io
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dicom_nodes.documents.page import BODY_POINTS, FIRST, LATER, expected_on_every_page, heads_of, page_of
from dicom_nodes.documents.page_style import BOLD, HEADS_ALONE, PAGES, REGULAR, STYLE, room_for
from dicom_nodes.model.loss import Loss, LossKind
from dicom_nodes.model.report import OutgoingReport
from dicom_nodes.rules.report_losses import (
    harmful,
    is_invisible,
    is_right_to_left,
    lacking,
    losses_of_page,
    stand_in,
    visible,
    with_stand_ins,
)

_LINE_ENDS = frozenset("\t\n\r\f")
_ONE_AT_A_TIME = threading.Lock()
"""Pango's font maps are not made for several threads."""


@dataclass(frozen=True, slots=True)
class SetPages:
    """A finished PDF (empty where a loss forbids it), and what it could not carry."""

    pdf: bytes
    losses: tuple[Loss, ...]


def set_pages(report: OutgoingReport, organisation: str) -> SetPages:
    """Set the report's pages and compare them with the report; the same report always gives the same bytes."""
    covered = _covered()
    absent = {character for character in set(report.text) if not _has(covered, character)}
    substitutions = {character: said for character in absent if (said := stand_in(character)) is not None}
    losses = lacking(absent - set(substitutions), "the text")
    text = with_stand_ins(report.text, substitutions)
    html = page_of(report, text, organisation)
    losses += lacking({c for c in set(html) if not _has(covered, c)} - absent, "the head of the page")
    if harmful(losses):
        return SetPages(b"", losses)
    pdf = _pdf_of(html, heads_of(report, organisation))
    return SetPages(pdf, losses + _losses(pdf, report, substitutions))


def _losses(pdf: bytes, report: OutgoingReport, substitutions: Mapping[str, str]) -> tuple[Loss, ...]:
    body, pages = read_pages(pdf)
    losses = losses_of_page(report.text, body, substitutions)
    missing = sum(not _shows(page, value) for page in pages for value in expected_on_every_page(report))
    if missing:
        words = f"{missing} of the status, name and numbers are not on their pages as they are"
        losses += (Loss(LossKind.STRUCTURE, words, changes_meaning=True),)
    return losses


def read_pages(pdf: bytes) -> tuple[str, tuple[str, ...]]:
    """(the body of the finished pages, known by the size of its letters; everything that each page shows)."""
    from pypdf import PdfReader

    body: list[str] = []
    whole: list[str] = []
    for page in PdfReader(io.BytesIO(pdf)).pages:
        shown: list[str] = []
        page.extract_text(visitor_text=_gatherer(body, shown))
        whole.append("".join(shown))
    return "".join(body), tuple(whole)


def _gatherer(body: list[str], shown: list[str]) -> Callable[..., None]:
    def gather(text: str, matrix: list[float], _: Any, __: Any, size: float) -> None:
        shown.append(text)
        if abs(size * matrix[0] - BODY_POINTS) < 0.05:
            body.append(text)

    return gather


def _shows(page: str, value: str) -> bool:
    shown, wanted = visible(page), visible(value)
    return wanted in shown or (is_right_to_left(wanted) and not set(wanted) - set(shown))


def _pdf_of(html: str, heads: str) -> bytes:
    """Lay out the heads to learn their heights, then the pages; nothing is ever printed over anything."""
    for name in ("weasyprint", "fontTools"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # their warnings may quote the page
    with _ONE_AT_A_TIME:
        ends = {name: at[1] for page in _laid_out(heads, HEADS_ALONE).pages for name, at in page.anchors.items()}
        pdf: bytes = _laid_out(html, PAGES + room_for(ends[FIRST], ends[LATER])).write_pdf()
        return pdf


def _laid_out(html: str, page_rules: str) -> Any:
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration

    fonts = FontConfiguration()
    return HTML(string=html).render(font_config=fonts, stylesheets=[CSS(string=STYLE + page_rules, font_config=fonts)])


def _has(covered: frozenset[int], character: str) -> bool:
    return ord(character) in covered or character in _LINE_ENDS or is_invisible(character)


@lru_cache(maxsize=1)
def _covered() -> frozenset[int]:
    """What both faces have, because a line may be a heading."""
    from fontTools.ttLib import TTFont

    faces = []
    for file in (REGULAR, BOLD):
        with TTFont(file, lazy=True) as font:
            faces.append(frozenset(font.getBestCmap()))
    return faces[0] & faces[1]
