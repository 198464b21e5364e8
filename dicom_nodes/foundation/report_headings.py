"""Sections of a report's text by the headings that radiologists write: a view of the text, which stays the whole.

A heading is one of a short list of words, alone on its line or followed by a colon. A text without any has no sections.
Headings of an addendum decide more than looks: see `is_addendum` (ADR 104).
"""

import re

_WORDS = (
    "clinical (?:history|information|details|indication|question|data)",
    "(?:clinical )?indications?(?: for (?:the )?(?:exam|examination|study))?",
    "history",
    "(?:technique|procedure|protocol|examination|exam)",
    "contrast",
    "comparisons?(?: (?:studies|imaging|with))?",
    "(?:previous|prior) (?:studies|imaging|examinations?)",
    "findings?",
    "(?:original |full |main |verified )?(?:report|text)",
    "original (?:report|findings)",
    "(?:impression|conclusions?|opinion|summary|interpretation|diagnosis|comment|comments)",
    "(?:recommendations?|advice|suggested follow[ -]up|follow[ -]up)",
    "(?:addendum|addenda|supplementary report|additional report)(?: (?:no\\.? ?)?[0-9]{1,2})?(?: report)?",
    "(?:amendment|correction)",
    "limitations?",
)
_HEADING = re.compile(rf"[ \t]*((?:{'|'.join(_WORDS)}))[ \t]*(?::[ \t]*(.*)|)", re.IGNORECASE)
_ADDENDUM = re.compile(r"[ \t]*(?:addendum|addenda|supplementary report|additional report)\b", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")


def split_by_headings(text: str) -> tuple[tuple[str, str], ...]:
    """(title, text) in order; the title of what stands before the first heading is empty. None: no headings at all."""
    found: list[tuple[str, list[str]]] = [("", [])]
    for line in _LINE_END.split(text):
        heading = _HEADING.fullmatch(line)
        if heading is None:
            found[-1][1].append(line)
        else:
            found.append((heading[1].strip(), [heading[2]] if heading[2] else []))
    if len(found) == 1:
        return ()
    sections = ((title, "\n".join(lines).strip("\n")) for title, lines in found)
    return tuple((title, body) for title, body in sections if title or body.strip())


def is_addendum(title: str) -> bool:
    """Whether a section of this title is an addition to an earlier report."""
    return _ADDENDUM.match(title) is not None
