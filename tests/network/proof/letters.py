"""The post of the proof: what readers write about each study, in the order in which it is sent.

Hospital and accession numbers are the same in every trust. The messages are written here, without the node's writers.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

from readacross.demo.images import MadeStudy, synthetic_study
from readacross.demo.patients import Patient, invented_patient, nhs_number

Kind = Literal["P", "F", "C", "addendum", "stranger"]
_ESCAPES = str.maketrans({"|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\\": "\\E\\", "\n": "\\.br\\"})
_HARD_TO_CARRY = (
    "mass < 3 mm, > 2 mm: everything after the sign counts",
    "a | b ^ c & d ~ e \\ f \\.br\\ \\X0D\\",
    "Łukasz, O'Brien, Siân; 50 € “quoted”",
    "العربية 🩻",
    "",
    "OBX|1|FT|forged",
)
LATEST_WRITING_S = 2
"""No letter of the first wave is written later than this after the images came."""


@dataclass(frozen=True, slots=True)
class Case:
    """A study and the trust that made it."""

    number: int
    origin: str
    study: MadeStudy

    @property
    def uid(self) -> str:
        return self.study.study_instance_uid


@dataclass(frozen=True, slots=True)
class Letter:
    """One message; `written_s` counts from the moment all images were with their readers.

    Two letters of one `control_id` are the same bytes; of one `text`, the same content.
    """

    case: int
    kind: Kind
    text: str
    written_s: int
    control_id: str
    of: int | None = None
    """For a stranger: the case of another trust with the same numbers that it mixes in."""


def colliding_cases(folder: Path, trusts: Sequence[str], each: int) -> list[Case]:
    """So many studies of every trust; the n-th of each has the same hospital and accession number and birth date."""
    cases = []
    for number in range(each * len(trusts)):
        nth, place = divmod(number, len(trusts))
        origin, person = trusts[place], invented_patient(number)
        born = date(1950, 1, 1) + timedelta(days=nth)
        patient = Patient(person.name, f"H{nth:05}", nhs_number(number), born, person.sex, person.character_set)
        study = synthetic_study(
            folder / str(number),
            "CT",
            origin=origin,
            serial=number,
            slices=1,
            patient=patient,
            accession_number=f"A{nth:05}",
        )
        cases.append(Case(number, origin, study))
    return cases


def post_of(cases: Sequence[Case], trusts: Sequence[str], chance: random.Random) -> list[Letter]:
    """Everything written about all cases, shuffled, with repeats of the same bytes and of the same content."""
    letters: list[Letter] = []
    for case in cases:
        for number, (kind, written_s, text) in enumerate(_written_about(case, chance)):
            letter = Letter(case.number, kind, text, written_s, f"L{case.number}.{number}")
            letters.append(letter)
            if chance.random() < 0.25:
                letters.append(letter)
            if kind != "stranger" and chance.random() < 0.2:
                letters.append(Letter(case.number, kind, text, written_s, f"L{case.number}.{number}R"))
        if chance.random() < 0.06:
            nth = case.number // len(trusts)
            of = chance.choice([one for one in range(nth * len(trusts), (nth + 1) * len(trusts)) if one != case.number])
            text = f"{_name(case)} meant for nobody knows whom"
            letters.append(Letter(case.number, "stranger", text, 0, f"L{case.number}.S", of))
    chance.shuffle(letters)
    return letters


def _written_about(case: Case, chance: random.Random) -> Iterator[tuple[Kind, int, str]]:
    yield "P", 0, _text(case, "perhaps", chance)
    if chance.random() < 0.3:
        yield "P", 0, _text(case, "perhaps rather", chance)
    yield "F", 0, _text(case, "this", chance)
    if chance.random() < 0.04:
        yield "F", 0, _text(case, "another final report", chance)
    if chance.random() < 0.8:
        yield "C", 1, _text(case, "rather that", chance)
    if chance.random() < 0.3:
        yield "C", 2, _text(case, "neither, but", chance)
    if chance.random() < 0.4:
        yield "addendum", 1, _text(case, "added", chance)
    if chance.random() < 0.1:
        yield "addendum", 2, _text(case, "added again", chance)


def _name(case: Case) -> str:
    return f"{case.origin} case {case.number} of accession {case.study.accession_number}:"


def _text(case: Case, words: str, chance: random.Random) -> str:
    """Text that names its case; its last line is never empty, so that no rstrip can hide a loss."""
    lines = chance.sample(_HARD_TO_CARRY, chance.randint(0, 3))
    return "\n".join([f"{_name(case)} {words}", *lines, f"End of {words}."])


def as_message(letter: Letter, cases: Sequence[Case], author: str, began: datetime) -> bytes:
    """The letter as ORU^R01 (HL7 v2.5.1, UTF-8), signed by the reader with the registration `author`."""
    case = cases[letter.case]
    study, patient, origin = case.study, case.study.patient, case.origin
    nhs, issuer, uid = patient.nhs_number, origin, study.study_instance_uid
    if letter.of is not None:
        other = cases[letter.of]
        way = letter.case % 3
        if way == 0:  # its own study under the other trust's accession number, which has the same digits
            issuer = other.origin
        elif way == 1:  # the accession number alone, of the other trust, and the own patient
            issuer, uid = other.origin, ""
        else:  # the other trust's patient
            nhs = other.study.patient.nhs_number
    at = (began + timedelta(seconds=letter.written_s)).astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
    ids = f"{nhs}^^^NHS^NH~{patient.patient_id}^^^{origin}^MR^{origin}"
    name = "^".join(part.translate(_ESCAPES) for part in patient.name.split("^"))
    accession = f"{study.accession_number}^^^{issuer}"
    status = "F" if letter.kind in {"addendum", "stranger"} else letter.kind
    code = "18748-4&ADT" if letter.kind == "addendum" else "18748-4"
    segments = [
        f"MSH|^~\\&|WORKSTATION|HOME|READACROSS||{at}||ORU^R01^ORU_R01|{letter.control_id}|P|2.5.1||||||UNICODE UTF-8",
        f"PID|1||{ids}||{name}||{patient.birth_date:%Y%m%d}|{patient.sex}",
        f"ORC|RE||{accession}",
        f"OBR|1||{accession}|18748-4^Diagnostic imaging report^LN"
        + "|" * 18
        + f"{at}|||{status}"
        + "|" * 7
        + f"{author}&Wyre&Rowan",
        *([f"OBX|1|HD|113014^DICOM Study^DCM||{uid}||||||O"] if uid else []),
        f"OBX|2|FT|{code}^Diagnostic imaging report^LN||{letter.text.translate(_ESCAPES)}||||||{status}",
    ]
    return "".join(segment + "\r" for segment in segments).encode()
