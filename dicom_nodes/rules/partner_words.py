"""Whether a partner's own words may be passed on: not when they hold anything that is known of the patient.

Partners spell as they like (`Sian o'brien`, `999 000 0018`, `03/02/1960`), so only letters and digits are compared,
folded. What is found in doubt stays at the node: a word too many costs a look there, a name too many cannot be undone.
"""

import re
from collections.abc import Iterator
from datetime import date

from dicom_nodes.foundation.nhs_number import is_nhs_number
from dicom_nodes.model.report import OutgoingReport
from dicom_nodes.rules.person_name import fold

_TEN_DIGITS = re.compile(r"(?<!\d)\d{3}[ -]?\d{3}[ -]?\d{4}(?!\d)")
_SHORTEST_DIGITS = 4
"""Fewer digits of a hospital number stand in too many other places to say anything."""


def may_name_patient(words: str, report: OutgoingReport) -> bool:
    """Whether `words` hold a part of the patient's name, an identifier, the birth date, or any NHS number."""
    if any(is_nhs_number(re.sub(r"\D", "", found)) for found in _TEN_DIGITS.findall(words)):
        return True
    bare = _letters_and_digits(words)
    return any(known in bare for known in _known_of(report))


def _known_of(report: OutgoingReport) -> Iterator[str]:
    for identifier in (report.nhs_number, report.patient_id, report.accession_number):
        bare = _letters_and_digits(identifier or "")
        digits = "".join(character for character in bare if character.isdecimal()).lstrip("0")
        yield from (text for text in (bare,) if len(text) > 1)
        yield from (text for text in (digits,) if len(text) >= _SHORTEST_DIGITS)
    yield from _name_parts(report.patient_name or "")
    if report.birth_date is not None:
        yield from _spellings(report.birth_date)


def _name_parts(name: str) -> Iterator[str]:
    """Family, given and middle names; titles (components four and five, DICOM PS3.5 6.2.1.1) are nobody's."""
    for group in name.split("="):
        for component in group.split("^")[:3]:
            parts = [_letters_and_digits(part) for part in re.split(r"[\W_]+", component)]
            yield from (part for part in parts if len(part) > 1)


def _spellings(day: date) -> Iterator[str]:
    yield from (f"{day:{form}}" for form in ("%Y%m%d", "%d%m%Y", "%m%d%Y", "%y%m%d", "%d%m%y"))
    yield from (f"{day.day}{day.month}{day.year}", f"{day.month}{day.day}{day.year}")
    yield from (f"{day.day}{month}{day.year}".lower() for month in (f"{day:%b}", f"{day:%B}"))


def _letters_and_digits(text: str) -> str:
    return "".join(character for character in fold(text) if character.isalnum())
