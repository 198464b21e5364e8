"""The content tree of a structured report as text: every word a reader wrote, in order (DICOM PS3.3 C.17.3).

A document with one text gives exactly that text. Otherwise each item is headed by what it is called, and sections by
their titles; laterality and other modifiers stay with their finding. References to images are not words and are left.
"""

from collections.abc import Iterator

from dicom_nodes.documents.elements import Item
from dicom_nodes.documents.text_value import from_text_value
from dicom_nodes.model.errors import CannotUnderstand
from dicom_nodes.model.report_text import control_character

_REFERENCES = {"IMAGE", "COMPOSITE", "WAVEFORM", "SCOORD", "SCOORD3D", "TCOORD"}
_VALUES = {"DATE": "Date", "TIME": "Time", "DATETIME": "DateTime", "PNAME": "PersonName", "UIDREF": "UID"}
_CONTEXT = {"HAS OBS CONTEXT", "HAS CONCEPT MOD", "HAS ACQ CONTEXT"}
_DEEPEST = 32


def render(document: Item) -> str:
    """The text of the document.

    Raises:
        CannotUnderstand: an item of a kind whose words would be lost, or too deep a tree.
    """
    texts = list(_texts(document, 0))
    lines = list(_lines(document, 0))
    text = texts[0] if len(texts) == 1 and sum(spoken for spoken, _ in lines) == 1 else _joined(lines)
    if control := control_character(text):
        raise CannotUnderstand(f"the text holds the control character {control}")
    return text


def _joined(lines: list[tuple[bool, str]]) -> str:
    return "\n".join(line for _, line in lines) if any(spoken for spoken, _ in lines) else ""


def _children(item: Item, depth: int) -> Iterator[Item]:
    """The content items below, without the document's own context (observer, language, procedure)."""
    if depth > _DEEPEST:
        raise CannotUnderstand(f"the content tree is deeper than {_DEEPEST}")
    for child in item.items("ContentSequence"):
        if depth > 0 or child.text("RelationshipType") not in _CONTEXT:
            yield child


def _texts(item: Item, depth: int) -> Iterator[str]:
    for child in _children(item, depth):
        if child.text("ValueType") == "TEXT":
            yield from_text_value(child.long_text("TextValue"))
        yield from _texts(child, depth + 1)


def _lines(item: Item, depth: int) -> Iterator[tuple[bool, str]]:
    """(whether somebody said it, line): section titles alone are no report."""
    for child in _children(item, depth):
        line = _line(child)
        if line is not None:
            yield child.text("ValueType") != "CONTAINER", line
        yield from _lines(child, depth + 1)


def _line(item: Item) -> str | None:
    kind = item.text("ValueType")
    name = _meaning(item.items("ConceptNameCodeSequence"))
    if kind in _REFERENCES or (not kind and item.raw("ReferencedContentItemIdentifier")):
        return None
    if kind == "CONTAINER":
        return name or None
    if kind == "TEXT":
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


def _meaning(codes: list[Item]) -> str:
    return codes[0].text("CodeMeaning") if codes else ""
