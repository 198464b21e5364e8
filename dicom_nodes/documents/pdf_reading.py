"""The text of an Encapsulated PDF document (DICOM PS3.3 A.45.1, C.24.2); the PDF itself stays in the kept data set."""

from dicom_nodes.documents.content import Content, code_value
from dicom_nodes.documents.elements import Item
from dicom_nodes.foundation.pdf_text import PdfUnreadable, text_of_pdf
from dicom_nodes.foundation.report_headings import is_addendum, split_by_headings
from dicom_nodes.model.errors import CannotUnderstand
from dicom_nodes.model.report import ReportSection
from dicom_nodes.model.report_text import control_character

_PDF = "application/pdf"
_ADDENDUM_TITLES = {"55107-7"}


def read_pdf(document: Item) -> Content:
    """The text of the document.

    Raises:
        CannotUnderstand: no PDF, a damaged one, or one whose text cannot be had; says which.
    """
    if document.text("MIMETypeOfEncapsulatedDocument") != _PDF:
        raise CannotUnderstand(f"MIME Type of Encapsulated Document (0042,0012) is not {_PDF}")
    try:
        text = text_of_pdf(_bytes(document))
    except PdfUnreadable as error:
        raise CannotUnderstand(str(error)) from None
    if control := control_character(text):
        raise CannotUnderstand(f"the PDF's text holds the control character {control}")
    sections = tuple(ReportSection(title, body) for title, body in split_by_headings(text))
    spoken = [section for section in sections if section.text.strip()]
    codes = document.items("ConceptNameCodeSequence")
    whole = bool(codes) and code_value(codes[0]) in _ADDENDUM_TITLES
    return Content(text, sections, whole or (bool(spoken) and all(is_addendum(one.title) for one in spoken)), ())


def _bytes(document: Item) -> bytes:
    """The document without the byte that makes its length even, where its true length is said."""
    data = document.raw("EncapsulatedDocument")
    stated = document.raw("EncapsulatedDocumentLength")
    length = int.from_bytes(stated, "little" if document.layout.little else "big") if len(stated) == 4 else len(data)
    return data[:length] if len(data) - 1 <= length <= len(data) else data
