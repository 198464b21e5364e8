"""The content tree of a structured report as text: every word a reader wrote, in order (DICOM PS3.3 C.17.3).

A document with one text gives exactly that text. Otherwise each item is headed by what it is called, and sections by
their titles; laterality and other modifiers stay with their finding, and what an item points to is named (ADR 103).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dicom_nodes.documents.elements import Item
from dicom_nodes.documents.references import REFERENCES, told_reference
from dicom_nodes.documents.text_value import from_text_value
from dicom_nodes.foundation.report_headings import is_addendum, split_by_headings
from dicom_nodes.model.errors import CannotUnderstand
from dicom_nodes.model.report import AlertCode, ReportSection
from dicom_nodes.model.report_text import control_character

_VALUES = {"DATE": "Date", "TIME": "Time", "DATETIME": "DateTime", "PNAME": "PersonName", "UIDREF": "UID"}
_CONTEXT = {"HAS OBS CONTEXT", "HAS CONCEPT MOD", "HAS ACQ CONTEXT"}
_WHO = "HAS OBS CONTEXT"
"""Observers, told as authors, and the subject, told by the document's identity (PS3.16 TID 1001–1009)."""
_LANGUAGES = {"121046", "121049"}
_DEFAULT_TITLE = "Findings"
_ADDENDUM_TITLES = {("55107-7", "LN")}
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Content:
    """What a document says; `addendum`: every part of it is an addition to an earlier report."""

    text: str
    sections: tuple[ReportSection, ...]
    addendum: bool
    codes: tuple[AlertCode, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """`said`: by somebody, not only the title of a section. `section` is the number and title of the top container."""

    text: str
    said: bool
    section: tuple[int, str]


def read_content(document: Item) -> Content:
    """The content of the document.

    Raises:
        CannotUnderstand: an item of a kind whose words would be lost, or too deep a tree.
    """
    lines = list(_lines(document, 0, 0, (0, "")))
    texts = list(_texts(document, 0))
    is_one_text = len(texts) == 1 and sum(line.said for line in lines) == 1
    if is_one_text:
        text, sections = texts[0], _sections_of_one(texts[0], lines)
    else:
        context = [_Line(line, False, (0, "")) for line in _context(document)]
        text, sections = _joined([*context, *lines]), _sections_of(lines)
    if control := control_character(text):
        raise CannotUnderstand(f"the text holds the control character {control}")
    whole = _code_of(document) in _ADDENDUM_TITLES
    spoken = [section for section in sections if section.text.strip()]
    addendum = whole or (bool(spoken) and all(is_addendum(section.title) for section in spoken))
    return Content(text, sections, addendum, tuple(dict.fromkeys(_codes(document, 0))))


def observer_names(document: Item) -> Iterator[str]:
    """Names of the person observers in the document's context (DICOM PS3.16 TID 1003)."""
    for child in document.items("ContentSequence"):
        if _code_of(child) == ("121008", "DCM") and child.text("PersonName"):
            yield child.text("PersonName")


def _joined(lines: Sequence[_Line]) -> str:
    return "\n".join(line.text for line in lines) if any(line.said for line in lines) else ""


def _sections_of_one(text: str, lines: Sequence[_Line]) -> tuple[ReportSection, ...]:
    """By the headings in the text, else under the title of its container, unless that is what every report has."""
    found = tuple(ReportSection(title, body) for title, body in split_by_headings(text))
    title = next((line.section[1] for line in lines if line.said), "")
    return found or ((ReportSection(title, text),) if title and title != _DEFAULT_TITLE else ())


def _sections_of(lines: Sequence[_Line]) -> tuple[ReportSection, ...]:
    by_section: dict[tuple[int, str], list[str]] = {}
    for line in lines:
        said = by_section.setdefault(line.section, [])
        if line.said or line.text != line.section[1]:
            said.append(line.text)
    return tuple(ReportSection(title, "\n".join(said)) for (_, title), said in by_section.items())


def _children(item: Item, depth: int) -> Iterator[Item]:
    """The content items below, without the document's own context (observer, language, procedure)."""
    if depth > _DEEPEST:
        raise CannotUnderstand(f"the content tree is deeper than {_DEEPEST}")
    for child in item.items("ContentSequence"):
        if depth > 0 or child.text("RelationshipType") not in _CONTEXT:
            yield child


def _context(document: Item) -> Iterator[str]:
    """Context of the whole document that nothing else tells, such as the procedure reported."""
    for child in document.items("ContentSequence"):
        if child.text("RelationshipType") in _CONTEXT - {_WHO} and _code_of(child)[0] not in _LANGUAGES:
            line = _line(child)
            if line:
                yield line
            yield from (below.text for below in _lines(child, 1, 0, (0, "")))


def _texts(item: Item, depth: int) -> Iterator[str]:
    for child in _children(item, depth):
        if child.text("ValueType") == "TEXT":
            yield from_text_value(child.long_text("TextValue"))
        yield from _texts(child, depth + 1)


def _lines(item: Item, depth: int, containers: int, section: tuple[int, str]) -> Iterator[_Line]:
    """Containers below a section's own are set in by two blanks each."""
    for number, child in enumerate(_children(item, depth), 1):
        is_container = child.text("ValueType") == "CONTAINER"
        name = _meaning(child.items("ConceptNameCodeSequence"))
        here = (number, name) if depth == 0 and is_container else section
        line = _line(child)
        if line is not None:
            yield _Line("  " * max(0, containers - 1) + line, not is_container, here)
        yield from _lines(child, depth + 1, containers + is_container, here)


def _line(item: Item) -> str | None:
    kind = item.text("ValueType")
    name = _meaning(item.items("ConceptNameCodeSequence"))
    if kind == "CONTAINER":
        return name or None
    if kind in REFERENCES or (not kind and item.raw("ReferencedContentItemIdentifier")):
        value, name = told_reference(item, kind), name or REFERENCES.get(kind, "See")
    elif kind == "TEXT":
        value = from_text_value(item.long_text("TextValue"))
    elif kind == "CODE":
        value = _meaning(item.items("ConceptCodeSequence"))
    elif kind == "NUM":
        value = _measured(item)
    elif kind in _VALUES:
        value = item.text(_VALUES[kind])
    else:
        raise CannotUnderstand("a content item is of a value type that is not read here; its words would be lost")
    return f"{name}: {value}" if name else value


def _measured(item: Item) -> str:
    """A number with its unit, or why there is none."""
    for measured in item.items("MeasuredValueSequence"):
        units = measured.items("MeasurementUnitsCodeSequence")
        unit = units[0].text("CodeValue") if units else ""
        return f"{measured.text('NumericValue')} {unit if unit != '1' else ''}".rstrip()
    return _meaning(item.items("NumericValueQualifierCodeSequence")) or "no value"


def _codes(item: Item, depth: int) -> Iterator[AlertCode]:
    """Every coded value in the tree."""
    for child in _children(item, depth):
        if child.text("ValueType") == "CODE":
            for code in child.items("ConceptCodeSequence")[:1]:
                value = code_value(code)
                if value:
                    meaning = code.text("CodeMeaning") or None
                    yield AlertCode(value, code.text("CodingSchemeDesignator"), meaning)
        yield from _codes(child, depth + 1)


def code_value(code: Item) -> str:
    """The code, in whichever attribute its length puts it (DICOM PS3.3 8.1)."""
    return code.text("CodeValue") or code.text("LongCodeValue") or code.text("URNCodeValue")


def _code_of(item: Item) -> tuple[str, str]:
    codes = item.items("ConceptNameCodeSequence")
    return (code_value(codes[0]), codes[0].text("CodingSchemeDesignator")) if codes else ("", "")


def _meaning(codes: list[Item]) -> str:
    return codes[0].text("CodeMeaning") if codes else ""
