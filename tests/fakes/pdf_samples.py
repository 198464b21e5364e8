"""Small PDFs made by hand: pages of text in a standard font, and a page that is only a picture."""

from collections.abc import Sequence


def pdf_of(*pages: str) -> bytes:
    """One page a text; its lines in Helvetica, WinAnsi encoded."""
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    return _pdf([_words(page) for page in pages], f"/Font << /F1 {font} >>", [])


def picture_pdf() -> bytes:
    """A scanned report: one page with an image and no text."""
    image = b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 "
    return _pdf([b"q 500 0 0 700 50 50 cm /Im1 Do Q"], "/XObject << /Im1 3 0 R >>", [_stream(image, b"\x80")])


def _words(page: str) -> bytes:
    lines = [_escaped(line) for line in page.split("\n")]
    return b"BT /F1 12 Tf 14 TL 72 720 Td " + b" ".join(b"(" + line + b") Tj T*" for line in lines) + b" ET"


def _escaped(line: str) -> bytes:
    return line.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _stream(dictionary: bytes, data: bytes) -> bytes:
    return dictionary + b"/Length %d >>\nstream\n%s\nendstream" % (len(data), data)


def _pdf(contents: Sequence[bytes], resources: str, objects: Sequence[bytes]) -> bytes:
    first = 3 + len(objects)
    kids = " ".join(f"{first + 2 * number} 0 R" for number in range(len(contents)))
    body = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>".encode(),
        *objects,
    ]
    for number, content in enumerate(contents):
        page = (
            f"/Parent 2 0 R /MediaBox [0 0 595 842] /Resources << {resources} >> /Contents {first + 2 * number + 1} 0 R"
        )
        body += [f"<< /Type /Page {page} >>".encode(), _stream(b"<< ", content)]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, obj in enumerate(body, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, obj)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(body) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(body) + 1, start)
    return bytes(out)
