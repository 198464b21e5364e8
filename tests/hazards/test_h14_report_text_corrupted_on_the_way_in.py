"""Hazard 14, way in: a report's text is kept to the last character, in whichever form it came.

The messages are written here by other means than the node's own: escapes by hand, documents by pydicom, JSON by Python.
What the router keeps has the SHA-256 of what the reader wrote.
"""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from dicom_nodes.contract import FactBody
from dicom_nodes.flows.take_report import TakeReport
from dicom_nodes.hl7.oru import read_oru, read_reports
from dicom_nodes.model.report import IncomingReport
from dicom_nodes.model.report_text import control_character
from dicom_nodes.spool.store import open_store
from router.web.fhir.diagnostic_report import Sender, report_of
from router.web.fhir.resources import DiagnosticReport
from tests.fakes.fhir_samples import diagnostic_report, form
from tests.fakes.report_samples import MSH, OBR, ORC, PID, oru
from tests.integration.router.region import START, Region
from tests.unit.documents.test_structured_report import DOCUMENTS, EXPLICIT, encoded, opened

NASTY = "T1 < 5 mm & T2 > 3 | ^ ~ \\ \\F\\ \\.br\\ & amp;\nSiân Łódź € تقرير 😀\n\n  indented\ttab  \nend"
TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from("<>&|^~\\\r\n\t €Łاليد😀")).filter(
    lambda text: bool(text.strip()) and control_character(text) is None
)
ESCAPES = {
    "\\": "\\E\\",
    "|": "\\F\\",
    "^": "\\S\\",
    "&": "\\T\\",
    "~": "\\R\\",
    "\r": "\\X0D\\",
    "\n": "\\.br\\",
    "\f": "\\X0C\\",
}


def hl7(text: str, value_type: str = "FT") -> bytes:
    """One OBX with everything escaped that must be."""
    escaped = "".join(ESCAPES.get(letter, letter) for letter in text)
    return oru(MSH, PID, ORC, OBR, f"OBX|1|{value_type}|18748-4^Report^LN||{escaped}||||||F")


def lines(text: str) -> bytes:
    """A TX segment a line, as most systems send it."""
    escaped = ["".join(ESCAPES.get(letter, letter) for letter in line) for line in text.split("\n")]
    segments = [f"OBX|{n}|TX|18748-4^Report^LN||{line}||||||F" for n, line in enumerate(escaped, 1)]
    return oru(MSH, PID, ORC, OBR, *segments)


def document(text: str) -> Dataset:
    """Basic Text SR with one text. DICOM pads values with blanks, so text that ends in one is closed by a line end."""
    made = opened()
    made.ContentSequence[-1].ContentSequence[0].TextValue = text + "\n" if text.endswith((" ", "\n")) else text
    return made


def by_fhir(text: str) -> str:
    resource = json.loads(json.dumps(diagnostic_report(presentedForm=[form(text)])))
    return report_of(DiagnosticReport.model_validate(resource), Sender("RXL", "node RXL", None), b"", START).text


@settings(deadline=None, max_examples=150)
@given(TEXTS)
@example(NASTY)
@example("ends in a line\n")
@example("\\X41\\ \\H\\bold\\N\\")
def test_any_text_comes_in_as_it_was_written(text: str) -> None:
    assert read_oru(hl7(text)).text == text
    assert read_oru(hl7(text, "TX")).text == text
    assert read_oru(lines(text)).text == text
    assert DOCUMENTS.read(encoded(document(text)), EXPLICIT).text == text
    assert by_fhir(text) == text


@settings(deadline=None, max_examples=100)
@given(TEXTS)
@example("FINDINGS: a\nIMPRESSION\n b \n\nADDENDUM: c")
def test_sections_hold_every_word_of_the_text(text: str) -> None:
    report = read_oru(hl7(text))
    told = "".join(f"{section.title}{section.text}" for section in report.sections)
    assert not report.sections or _letters(told) == _letters(text)


def _letters(text: str) -> str:
    """Without blanks, and without the colons behind headings."""
    return "".join(text.split()).replace(":", "")


def told(folder: Path, *reports: IncomingReport) -> list[FactBody]:
    """The facts of a node that takes these reports."""
    store = open_store(f"sqlite:///{folder}/node.sqlite", lambda: START, "PACS")
    TakeReport(store.orders).all(reports)
    facts = [body for _, _, body in store.outbox.pending(100)[1]]
    store.database.dispose()
    return facts


@pytest.mark.parametrize("channel", ["hl7", "sr"])
def test_what_the_router_keeps_has_the_digest_of_what_was_written(region: Region, tmp_path: Path, channel: str) -> None:
    read = read_reports(hl7(NASTY)) if channel == "hl7" else (DOCUMENTS.read(encoded(document(NASTY)), EXPLICIT),)
    region.rxl.say(*told(tmp_path, *read))
    (kept,) = region.get("/reports")
    assert kept["text_sha256"] == hashlib.sha256(NASTY.encode()).hexdigest()
    assert kept["text"] == NASTY


def test_what_the_router_keeps_of_fhir_has_the_digest_of_what_was_written(region: Region) -> None:
    body = json.dumps(diagnostic_report(presentedForm=[form(NASTY)]), ensure_ascii=False).encode()
    headers = {**region.rxl.headers, "Content-Type": "application/fhir+json"}
    assert region.client.post("/fhir/DiagnosticReport", content=body, headers=headers).status_code == 202
    (kept,) = region.get("/reports")
    assert kept["text_sha256"] == hashlib.sha256(NASTY.encode()).hexdigest()
