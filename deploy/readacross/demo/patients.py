"""Invented people for demonstrations and tests; every NHS number is in the test range 999… and passes modulus 11."""

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Patient:
    """A person who does not exist. `name` is a DICOM PN with carets."""

    name: str
    patient_id: str
    nhs_number: str
    birth_date: date
    sex: str
    character_set: str
    """DICOM (0008,0005) that can represent the name."""


_PEOPLE: tuple[tuple[str, str, str], ...] = (
    ("O'Brien-Siân^Łukasz", "M", "ISO_IR 192"),
    ("O'Brien^Siân", "F", "ISO_IR 100"),
    ("Ashworth^Edith", "F", "ISO_IR 100"),
    ("Zielińska^Żaneta", "F", "ISO_IR 101"),
    ("Pendle^Tobias^Ellis", "M", "ISO_IR 100"),
    ("Nguyễn^Thị Minh", "F", "ISO_IR 192"),
    ("Whalley-Hartshead^Beatrix", "F", "ISO_IR 100"),
    ("Müller-Fernández^José", "M", "ISO_IR 100"),
    ("Bowland^Ines", "F", ""),
)


def nhs_number(serial: int) -> str:
    """The `serial`-th valid number of the test range 999 000 000x (ten digits, modulus 11)."""
    candidate, found = 0, -1
    while found < serial:
        digits = f"999{candidate:06d}"
        check = 11 - sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=True)) % 11
        found += check != 10
        candidate += 1
    return f"{digits}{0 if check == 11 else check}"


def invented_patient(serial: int) -> Patient:
    """The same person for the same `serial`, another for another one."""
    name, sex, character_set = _PEOPLE[serial % len(_PEOPLE)]
    return Patient(
        name=name,
        patient_id=f"{4_000_000 + serial * 37}",
        nhs_number=nhs_number(serial),
        birth_date=date(1936, 2, 29) + timedelta(days=(serial * 2039) % 27_000),
        sex=sex,
        character_set=character_set,
    )
