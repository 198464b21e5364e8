"""What the OBX and NTE segments of one report say: its text, sections, study, codes and copies.

Nothing of a result is dropped silently: a value of a kind that cannot be read as text is a fault.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dicom_nodes.foundation.pdf_text import PdfUnreadable, text_of_pdf
from dicom_nodes.foundation.report_headings import is_addendum, split_by_headings
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.message import Field, Segment
from dicom_nodes.model.report import AlertCode, ReportSection
from dicom_nodes.model.report_text import control_character

TEXT_TYPES = frozenset({"TX", "FT", "ST"})
_CODED_TYPES = frozenset({"CE", "CWE", "CNE"})
_COPIES = frozenset({"ED", "RP"})
"""Encapsulated or referenced documents: beside text a copy for printing, kept with the original."""
_STUDY_UID_CODE = "113014"
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_SUFFIXES = {
    "ADT": "Addendum", "IMP": "Impression", "REC": "Recommendation", "GDT": "Findings", "MDT": "Findings",
    "TCM": "Technician's comment", "CNP": "Confirming procedures", "MED": "Procedure medication",
}  # fmt: skip
"""Suffixes of OBX-3.1 (HL7 v2.5.1 ch. 7.2.4) such as `71020&IMP`."""
_LOINC_ADDENDUM = "55107-7"
_NO_TITLE = frozenset({"18748-4", "GDT", "TEXT", "REPORT", ""})
"""Codes of a whole report rather than of one of its sections."""


@dataclass(frozen=True, slots=True)
class Words:
    """The text of a report and how it is made up; `addendum`: every part of it is an addition to an earlier report."""

    text: str
    sections: tuple[ReportSection, ...]
    addendum: bool


@dataclass(frozen=True, slots=True)
class _Line:
    title: str
    code: str
    text: str


def study_instance_uid(observations: Sequence[Segment]) -> str | None:
    """The study that an OBX names (DCM 113014).

    Raises:
        Hl7Fault: not a UID, or two.
    """
    uids = {}
    for observation in observations:
        if names_the_study(observation):
            uid = observation.value(5)
            if not _UID.fullmatch(uid) or len(uid) > 64:
                raise observation.fault(5, "not a DICOM UID", ErrorCode.DATA_TYPE)
            uids[uid] = observation
    if len(uids) > 1:
        raise list(uids.values())[1].fault(5, "a second study UID of one report", ErrorCode.DATA_TYPE)
    return next(iter(uids), None)


def read_words(results: Sequence[Segment], place: Place, *, may_be_empty: bool) -> Words:
    """The text of these OBX and NTE segments in order; of a PDF, where there is no other text.

    Raises:
        Hl7Fault: a value that would be lost, no text at all, a PDF whose text cannot be had.
    """
    lines = [line for segment in results for line in _lines(segment)]
    if not any(line.text.strip() for line in lines):
        lines = [_Line("", "", text) for text in _texts_of_copies(results)]
    text = "\n".join(line.text for line in lines)
    if not text.strip() and not may_be_empty:
        words = "no report text; expected OBX segments of type TX, FT or ST, or a PDF (ED) whose text can be read"
        raise Hl7Fault(place, words, ErrorCode.REQUIRED_FIELD_MISSING)
    sections = _sections(lines, text)
    named = [section for section in sections if section.text.strip()]
    return Words(text, sections, bool(named) and all(is_addendum(section.title) for section in named))


def alert_codes(observations: Sequence[Segment]) -> tuple[AlertCode, ...]:
    """Coded values of OBX-5 and the codes of OBX-3, each once: the router's list says which of them is an alert."""
    found: dict[tuple[str, str], AlertCode] = {}
    for observation in observations:
        if names_the_study(observation):
            continue
        fields = [observation.first(3)]
        if observation.value(2) in _CODED_TYPES:
            fields += observation.repetitions(5)
        for code in (code for field in fields for code in _codes(field)):
            found.setdefault((code.scheme, code.value), code)
    return tuple(found.values())


def _codes(field: Field) -> Iterator[AlertCode]:
    """A coded element's code and its alternative (CE, CWE)."""
    for first in (1, 4):
        value, scheme = field.component(first), field.component(first + 2)
        if value:
            yield AlertCode(value, scheme, field.component(first + 1) or None)


def names_the_study(observation: Segment) -> bool:
    """Whether the OBX is not a result but says which study it is (DCM 113014)."""
    return observation.value(3) == _STUDY_UID_CODE and "DCM" in {observation.value(3, 2), observation.value(3, 3)}


def _lines(segment: Segment) -> Iterator[_Line]:
    if segment.name == "NTE":
        for repetition in segment.repetitions(3):
            yield _Line("", "NTE", repetition.text())
        return
    value_type = segment.value(2)
    if names_the_study(segment):
        return
    title, code = _title(segment)
    if value_type in TEXT_TYPES:
        for repetition in segment.repetitions(5) or [segment.first(5)]:
            yield _Line(title, code, repetition.text())
    elif value_type in _CODED_TYPES:
        for repetition in segment.repetitions(5):
            if words := _coded_words(repetition):
                yield _Line(title, code, f"{title}: {words}" if title else words)
    elif value_type not in _COPIES and segment.value(5):
        words = "a value that is no text would be lost; expected type TX, FT, ST or CWE (or ED, RP for a copy)"
        raise segment.fault(2, words, ErrorCode.DATA_TYPE)


def _coded_words(field: Field) -> str:
    code, words, scheme = (field.component(number) for number in (1, 2, 3))
    said = words or field.component(5) or field.component(9)
    if not said:
        return code
    return f"{said} ({scheme} {code})" if code and scheme else said


def _title(segment: Segment) -> tuple[str, str]:
    """(what OBX-3 calls this part, its code): a suffix or LOINC's addendum is told in words."""
    field = segment.first(3)
    code, suffix = field.component(1), field.component(1, 2)
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix], f"{code}&{suffix}"
    if code == _LOINC_ADDENDUM:
        return "Addendum", code
    return field.component(2) or field.component(5) or code, code


def _sections(lines: Sequence[_Line], text: str) -> tuple[ReportSection, ...]:
    """Runs of lines under one OBX-3, or, where all have one, what the headings in the text say."""
    runs: list[tuple[str, str, list[str]]] = []
    for line in lines:
        if runs and (line.code == "NTE" or (line.code, line.title) == runs[-1][:2]):
            runs[-1][2].append(line.text)
        else:
            runs.append((line.code, line.title, [line.text]))
    if len(runs) == 1 and not is_addendum(runs[0][1]):
        by_heading = split_by_headings(text)
        if by_heading or runs[0][0] in _NO_TITLE:
            return tuple(ReportSection(title, body) for title, body in by_heading)
    return tuple(ReportSection(title, "\n".join(said)) for _, title, said in runs)


def _texts_of_copies(results: Sequence[Segment]) -> Iterator[str]:
    """The text of each PDF (ED `^application^pdf^Base64^…`)."""
    for segment in results:
        if segment.name == "OBX" and segment.value(2) == "ED" and segment.raw_field(5):
            yield _text_of_copy(segment)


def _text_of_copy(segment: Segment) -> str:
    field = segment.first(5)
    kind = " ".join(field.component(number) for number in (2, 3)).casefold()
    if "pdf" not in kind or field.component(4).casefold() != "base64":
        words = "a document of a kind that is not read; expected ^application^pdf^Base64^ or text beside it"
        raise segment.fault(5, words, ErrorCode.DATA_TYPE)
    try:
        pdf = b64decode("".join(field.component(5).split()), validate=True)
        text = text_of_pdf(pdf)
    except Base64Error:
        raise segment.fault(5, "the document is not valid Base64", ErrorCode.DATA_TYPE) from None
    except PdfUnreadable as error:
        raise segment.fault(5, str(error), ErrorCode.DATA_TYPE) from None
    if control := control_character(text):
        words = f"the PDF's text holds the control character {control}"
        raise segment.fault(5, words, ErrorCode.DATA_TYPE)
    return text
