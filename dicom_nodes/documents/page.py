"""What a printed report says, as HTML for the page setter: whose it is, what was done, the words, and who signed.

Status, patient and page number stand on every page, so that a page that went astray still says what it is. The body is
the report's text and nothing else, because it is read back from the finished page and compared.
"""

import re
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from dicom_nodes.foundation.spoken_name import spoken
from dicom_nodes.model.report import OutgoingReport, ReportAuthor
from dicom_nodes.rules.report_losses import is_right_to_left

BODY_POINTS = 10.3
"""The size of the body's letters, which nothing else on the page has: so the body is found in the finished page."""
FIRST, LATER = "after-first-head", "after-later-head"
_HOME = ZoneInfo("Europe/London")
_STATUS = {
    "P": ("PRELIMINARY", "not verified and may change"),
    "F": ("FINAL", "verified"),
    "C": ("CORRECTED", "replaces every earlier version"),
    "A": ("ADDENDUM", "an addition follows the report that stood before"),
}
_UNBROKEN = re.compile(r"(?<=\d) (?=(?:mm|cm|m|ml|mg|µg|kg|g|%|°C|HU|Gy|mGy|ms|s)\b)|(?<=[<>≤≥=±×]) (?=\d)")
_NO_BREAK = "\N{NO-BREAK SPACE}"
"""Between a number and its unit or sign no line ends."""
_HEADINGS = {
    "addendum", "clinical details", "clinical history", "clinical information", "comparison", "conclusion",
    "examination", "findings", "impression", "indication", "opinion", "recommendation", "report", "summary",
    "technique",
}  # fmt: skip
"""Lines that are set as headings where a report names no sections of its own; only their weight differs."""


def page_of(report: OutgoingReport, text: str, organisation: str) -> str:
    """The page's HTML; `text` is the body as it can be printed. Holds nothing but the report: no script, no address."""
    kind = "A" if report.addendum else report.status
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Radiology report</title></head><body>
<div class="first">{_head(report, organisation, kind)}{_examination(report)}</div>
<div class="later">{_head(report, organisation, kind)}</div>
<div class="foot">{_foot(report)}</div>
<div class="body">{_body(report, text)}</div>
</body></html>"""


def expected_on_every_page(report: OutgoingReport) -> tuple[str, ...]:
    """What each page must show, blanks aside."""
    kind = "A" if report.addendum else report.status
    name = printed_name(report.patient_name)
    born = f"{report.birth_date:%d %b %Y}" if report.birth_date else ""
    shown = (_STATUS[kind][0], name, born, report.nhs_number or "", report.patient_id or "")
    return tuple(value for value in shown if value)


def heads_of(report: OutgoingReport, organisation: str) -> str:
    """The two heads on pages of their own, each ended by an anchor: how high they are is measured, not guessed."""
    kind = "A" if report.addendum else report.status
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Heads</title></head><body>
{_head(report, organisation, kind)}{_examination(report)}<div id="{FIRST}"></div>
<div class="next">{_head(report, organisation, kind)}<div id="{LATER}"></div></div></body></html>"""


def printed_name(name: str | None) -> str:
    """DICOM PN (family^given^middle^prefix^suffix) as `FAMILY, Given Middle (Prefix)`, as NHS banners have it."""
    family, given, middle, prefix, suffix = [*(name or "").split("=")[0].split("^"), "", "", "", "", ""][:5]
    first = " ".join(part.strip() for part in (given, middle, suffix) if part.strip())
    whole = ", ".join(part for part in (family.strip().upper(), first) if part)
    return f"{whole} ({prefix.strip()})" if prefix.strip() else whole


def _head(report: OutgoingReport, organisation: str, kind: str) -> str:
    word, meaning = _STATUS[kind]
    name = printed_name(report.patient_name) or "Name not given"
    born = f"{report.birth_date:%d %b %Y}" if report.birth_date else "not given"
    hospital = " ".join(part for part in (report.patient_id, f"({report.patient_id_issuer})") if part)
    pairs = [
        ("Born", born),
        ("Sex", {"M": "Male", "F": "Female", "O": "Other"}.get(report.patient_sex or "", "not given")),
        ("NHS number", _nhs(report.nhs_number)),
        ("Hospital number", hospital if report.patient_id else "not given"),
    ]
    return f"""<table class="top"><tr><td class="trust">{escape(organisation)}<span>Radiology report</span></td>
<td class="status {word.lower()}">{word}<span>{meaning}</span></td></tr></table>
<div class="patient"><div class="name">{escape(name)}</div>{_pairs(pairs)}</div>"""


def _examination(report: OutgoingReport) -> str:
    cells = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in _rows(report))
    return f'<table class="exam">{cells}</table>'


def _rows(report: OutgoingReport) -> list[tuple[str, str]]:
    code = report.exam_code
    examination = (code[2] if code and code[2] else None) or report.study_description or "not given"
    coded = f" ({code[0]})" if code else ""
    return [
        ("Examination", f"{examination}{coded}"),
        ("Performed", _moment(report.study_time) if report.study_time else "not given"),
        ("Accession", report.accession_number or "not given"),
        ("Reported by", _person(ReportAuthor(report.author_registration, report.author_name))),
        *((("With", "; ".join(_person(author) for author in report.assistants)),) if report.assistants else ()),
        (_verb(report), _moment(report.authored_at if report.status == "P" else report.verified_at)),
    ]


def _verb(report: OutgoingReport) -> str:
    return "Written" if report.status == "P" else "Verified"


def _foot(report: OutgoingReport) -> str:
    who = _person(ReportAuthor(report.author_registration, report.author_name))
    if report.status == "P":
        said = f"Not verified. Written by {who}, {_moment(report.authored_at)}"
    else:
        said = f"Verified by {who}, {_moment(report.verified_at)}"
    return f"""<table><tr><td>{escape(said)}<br>Report {escape(report.report_id)}, version {report.version}</td>
<td class="number"></td></tr></table>"""


def _body(report: OutgoingReport, text: str) -> str:
    headings = {section.title.strip().casefold() for section in report.sections} or _HEADINGS
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").split("\n")
    return "".join(_line(line, headings) for line in lines)


def _line(line: str, headings: set[str]) -> str:
    classes = ["line"]
    if line.strip().rstrip(":").strip().casefold() in headings:
        classes.append("heading")
    first = next((character for character in line if character.isalpha()), "")
    if is_right_to_left(first):
        classes.append("rtl")
    return f'<div class="{" ".join(classes)}">{escape(_UNBROKEN.sub(_NO_BREAK, line))}</div>'


def _pairs(pairs: list[tuple[str, str]]) -> str:
    cells = "".join(f"<td><span>{name}</span>{escape(value)}</td>" for name, value in pairs)
    return f"<table><tr>{cells}</tr></table>"


def _nhs(number: str | None) -> str:
    return f"{number[:3]} {number[3:6]} {number[6:]}" if number else "not given"


def _person(author: ReportAuthor) -> str:
    """`Dr Ada Okafor (GMC 9991234)`; the number of a doctor is `C` and seven digits (UK Core)."""
    name = spoken(author.name)
    number = author.registration or ""
    if number[:1] == "C" and number[1:].isdigit() and len(number) == 8:
        number = f"GMC {number[1:]}"
    return f"{name} ({number})" if name and number else name or number or "not given"


def _moment(moment: datetime) -> str:
    """`1 July 2026, 11:05 BST`: local time with its zone."""
    local = moment.astimezone(_HOME)
    return f"{local.day} {local:%B %Y, %H:%M %Z}"
