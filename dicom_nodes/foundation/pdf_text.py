"""The text of a PDF, taken out in a process of its own: a damaged or hostile file can hang, crash or fill only that.

A page without text is a picture of one; a document of which any page is such has no text that could be trusted to be
the whole report, and is refused with its reason. The PDF itself is always kept by who calls (ADR 103).
"""

import subprocess
import sys

LARGEST_BYTES = 32 << 20
MOST_PAGES = 200
LONGEST_TEXT = 1_000_000
_DEADLINE_S = 20.0
_MEMORY_BYTES = 1 << 30
_UNREADABLE = 3


class PdfUnreadable(Exception):
    """The text cannot be had; says why, without anything of the document."""


def text_of_pdf(pdf: bytes) -> str:
    """The text of all pages, a form feed between pages turned into an empty line.

    Raises:
        PdfUnreadable: it is damaged, locked, too large, a picture, or could not be read in time.
    """
    if not pdf[:1024].lstrip().startswith(b"%PDF-"):
        raise PdfUnreadable("the document is no PDF")
    if len(pdf) > LARGEST_BYTES:
        raise PdfUnreadable(f"the PDF has {len(pdf)} bytes; at most {LARGEST_BYTES} are read")
    command = [sys.executable, "-I", "-c", _PROGRAM]
    try:
        done = subprocess.run(command, input=pdf, capture_output=True, timeout=_DEADLINE_S, check=False)
    except subprocess.TimeoutExpired:
        raise PdfUnreadable(f"the PDF's text could not be read within {_DEADLINE_S:g} s") from None
    if done.returncode == _UNREADABLE:
        raise PdfUnreadable(done.stdout.decode("ascii", "replace").strip()[:300])
    if done.returncode != 0:
        raise PdfUnreadable("the PDF is damaged")
    text = done.stdout.decode("utf-8")
    if not text.strip():
        raise PdfUnreadable("the PDF holds no text; is it a picture of a report?")
    return text


_PROGRAM = f"""
import io, logging, resource, sys
logging.disable(logging.CRITICAL)
resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY_BYTES}, {_MEMORY_BYTES}))
resource.setrlimit(resource.RLIMIT_CPU, ({int(_DEADLINE_S)}, {int(_DEADLINE_S)}))
from pypdf import PdfReader
from pypdf.errors import PyPdfError


def no(words):
    print(words)
    sys.exit({_UNREADABLE})


try:
    reader = PdfReader(io.BytesIO(sys.stdin.buffer.read()), strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        no("the PDF is locked by a password")
    if len(reader.pages) > {MOST_PAGES}:
        no("the PDF has more than {MOST_PAGES} pages")
    pages = []
    for number, page in enumerate(reader.pages, 1):
        text = page.extract_text()
        if not text.strip() and len(page.images):
            no(f"page {{number}} of the PDF is a picture without text")
        pages.append(text.strip("\\n"))
except (PyPdfError, MemoryError, RecursionError, ValueError, KeyError, TypeError, AttributeError, IndexError, OSError):
    no("the PDF is damaged")
whole = "\\n\\n".join(page for page in pages if page.strip())
if "\\ufffd" in whole or any("\\ue000" <= letter <= "\\uf8ff" for letter in whole):
    no("the PDF's fonts do not say which letters they draw")
if len(whole) > {LONGEST_TEXT}:
    no("the PDF's text is longer than {LONGEST_TEXT} characters")
sys.stdout.buffer.write(whole.encode("utf-8", "strict"))
"""
