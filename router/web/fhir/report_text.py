"""The text of a DiagnosticReport: its plain text form, else HTML, else PDF, and the conclusion where it says more."""

from base64 import b64decode
from binascii import Error as Base64Error

from dicom_nodes.foundation.pdf_text import PdfUnreadable, text_of_pdf
from router.web.fhir.html_text import HtmlUnreadable, text_of_html
from router.web.fhir.outcome import refuse
from router.web.fhir.resources import Attachment, DiagnosticReport

_FORMS = ("text/plain", "text/html", "application/pdf")
"""In order of preference: one is the text, the others are copies."""
_CODECS = {"utf-8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-2", "iso-8859-15"}


def text_of(report: DiagnosticReport) -> str:
    """The whole text.

    Raises:
        ResourceRefused: there is none, or it cannot be read without loss.
    """
    forms = [(number, form, _kind(form)) for number, form in enumerate(report.presented_form)]
    for wanted in _FORMS:
        found = [(number, form) for number, form, kind in forms if kind == wanted]
        if found:
            text = "\n\n".join(_text(number, form, wanted) for number, form in found)
            return _with_conclusion(text, report.conclusion)
    if forms:
        raise refuse("presentedForm", f"no form that is read; expected one of {', '.join(_FORMS)}", "not-supported")
    if report.result:
        raise refuse("result", "observations are not read; give the whole text in presentedForm", "not-supported")
    return report.conclusion or ""


def _with_conclusion(text: str, conclusion: str | None) -> str:
    said = " ".join((conclusion or "").split())
    return text if said in " ".join(text.split()) else f"{text}\n\nCONCLUSION\n{conclusion}"


def _kind(form: Attachment) -> str:
    return (form.content_type or "").partition(";")[0].strip().lower()


def _text(number: int, form: Attachment, kind: str) -> str:
    place = f"presentedForm[{number}].data"
    if form.data is None:
        words = "the form's own bytes are needed; an address is not followed"
        raise refuse(place, words, "required")
    try:
        data = b64decode("".join(form.data.split()), validate=True)
    except (Base64Error, ValueError):
        raise refuse(place, "not valid Base64") from None
    if kind == "application/pdf":
        try:
            return text_of_pdf(data)
        except PdfUnreadable as error:
            raise refuse(place, str(error)) from None
    text = _decoded(data, form, place)
    if kind == "text/plain":
        return text
    try:
        return text_of_html(text)
    except HtmlUnreadable as error:
        raise refuse(place, str(error), "not-supported") from None


def _decoded(data: bytes, form: Attachment, place: str) -> str:
    """UTF-8 unless the content type says otherwise; nothing is replaced."""
    parameters = (form.content_type or "").split(";")[1:]
    named = [
        p.partition("=")[2].strip().strip('"').lower() for p in parameters if p.strip().lower().startswith("charset")
    ]
    charset = named[0] if named else "utf-8"
    if charset not in _CODECS:
        raise refuse(place.replace(".data", ".contentType"), "a character set that is not read", "not-supported")
    try:
        return data.decode(charset)
    except UnicodeDecodeError as error:
        raise refuse(place, f"byte {error.start} is no character of {charset}") from None
